#include <mutex>
#include <optional>
#include <utility>

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type_traits.h>

#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/util/bytes.h"

/// Columns of version 2.1 and later. There is a file column for each leaf of a field's tree, and it knows of the lists
/// and structs around its values: the levels of its pages say where these are and which are null.

namespace fewter::lance {
namespace {

/// One file column. Keeps its opened pages. Thread safe.
class Leaf {
 public:
  Leaf(const FileMetadata& metadata, const ColumnMetadata& column, ValueType type, ColumnLayers layers)
      : column_(column),
        version_(metadata.version()),
        declared_type_(std::move(type)),
        layers_(std::move(layers)),
        index_(column, layers_.strides.back()),
        pages_(column.pages.size()) {}

  const PageIndex& index() const { return index_; }
  const ColumnLayers& layers() const { return layers_; }
  const PageMetadata& page_metadata(size_t page) const { return column_.pages[page]; }
  arrow::Result<PageLayout> ParseLayout(size_t page) const {
    return ParsePageLayout(page_metadata(page), layers_, version_);
  }

  /// The type of the values, as the first page that says their width has them.
  arrow::Result<ValueType> Type() {
    if (!arrow::is_floating(declared_type_.primitive->id())) return declared_type_;
    {
      const std::lock_guard lock(mutex_);
      if (type_) return *type_;
    }
    ValueType type = declared_type_;
    for (size_t page = 0; page < pages_.size(); ++page) {
      ARROW_ASSIGN_OR_RAISE(const PageLayout layout, ParseLayout(page));
      const Compression* compression = ValueCompression(layout);
      if (compression == nullptr || compression->value_bits().value_or(0) == 0) continue;
      ARROW_ASSIGN_OR_RAISE(type, MatchPageWidth(declared_type_, *compression->value_bits()));
      break;
    }
    const std::lock_guard lock(mutex_);
    type_ = type;
    return type;
  }

  /// The reader of a page, or null if it has not been opened.
  std::shared_ptr<const PageReader> FindPage(size_t page) {
    const std::lock_guard lock(mutex_);
    return pages_[page];
  }

  /// Keeps the reader of a page. If another thread was faster, its reader, which is equal, is kept instead.
  std::shared_ptr<const PageReader> KeepPage(size_t page, std::shared_ptr<const PageReader> reader) {
    const std::lock_guard lock(mutex_);
    if (pages_[page] == nullptr) pages_[page] = std::move(reader);
    return pages_[page];
  }

 private:
  const ColumnMetadata& column_;
  const FileVersion version_;
  const ValueType declared_type_;
  const ColumnLayers layers_;
  const PageIndex index_;
  std::mutex mutex_;
  // Guarded by mutex_, which is held only to look at them.
  std::optional<ValueType> type_;
  std::vector<std::shared_ptr<const PageReader>> pages_;
};

/// A read of some rows of one leaf: first what is needed to open its pages, then the rows' bytes, as far as no guess
/// has brought them.
class LeafRead : public SteppedRead {
 public:
  LeafRead(Leaf* leaf, ValueType type, std::vector<PageRows> pages, bool guesses)
      : leaf_(leaf), type_(std::move(type)), pages_(std::move(pages)), guesses_(guesses) {}

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    switch (step_++) {
      case 0:
        return Prepare();
      case 1:
        return Plan(bytes);
      default:
        for (size_t i = 0; i < bytes.size(); ++i) bytes_[missing_[i]] = bytes[i];
        return std::nullopt;
    }
  }

  arrow::Result<ColumnBuilder> Decode() const {
    const Buffers bytes(bytes_);
    ColumnBuilder builder(type_, leaf_->layers().lists);
    // The values of a single page may not have to be copied at all.
    if (pages_.size() > 1) ARROW_RETURN_NOT_OK(builder.ReserveValues(NumRows(), TotalSize(bytes)));
    size_t position = 0;
    for (size_t i = 0; i < pages_.size(); ++i) {
      ARROW_RETURN_NOT_OK(readers_[i]->Decode(pages_[i].ranges, bytes.subspan(position, num_ranges_[i]), &builder));
      position += num_ranges_[i];
    }
    return builder;
  }

 private:
  arrow::Result<std::vector<ByteRange>> Prepare() {
    std::vector<ByteRange> ranges;
    readers_.resize(pages_.size());
    for (size_t i = 0; i < pages_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(Ahead ahead, LookAt(i));
      ahead.first_range = ranges.size();
      ranges.insert(ranges.end(), ahead.opening.begin(), ahead.opening.end());
      ranges.insert(ranges.end(), ahead.likely.begin(), ahead.likely.end());
      if (ranges.size() > ahead.first_range) ahead_.push_back(std::move(ahead));
    }
    return ranges;
  }

  /// What the first step asks for of a page: what it takes to open it, and then, if it guesses, where its rows lie.
  struct Ahead {
    size_t place = 0;
    /// In the ranges of the step.
    size_t first_range = 0;
    std::vector<ByteRange> opening;
    std::vector<ByteRange> likely;
    /// Of a page that is not open yet.
    PageLayout layout;
  };

  arrow::Result<Ahead> LookAt(size_t place) {
    Ahead ahead{.place = place, .first_range = 0, .opening = {}, .likely = {}, .layout = {}};
    const size_t number = pages_[place].page;
    const PageMetadata& metadata = leaf_->page_metadata(number);
    readers_[place] = leaf_->FindPage(number);
    if (readers_[place] == nullptr) {
      ARROW_ASSIGN_OR_RAISE(ahead.layout, leaf_->ParseLayout(number));
      ahead.opening = OpeningRanges(ahead.layout, metadata);
      if (ahead.opening.empty()) ARROW_RETURN_NOT_OK(OpenPageOf(ahead, {}));
    }
    if (!guesses_) return ahead;
    if (readers_[place] == nullptr) {
      ahead.likely = LikelyRanges(ahead.layout, metadata, pages_[place].ranges);
    } else {
      ARROW_ASSIGN_OR_RAISE(ahead.likely, readers_[place]->Plan(pages_[place].ranges));
    }
    return ahead;
  }

  arrow::Result<std::vector<ByteRange>> Plan(Buffers prepared) {
    auto ahead = ahead_.begin();
    std::vector<ByteRange> missing;
    for (size_t i = 0; i < pages_.size(); ++i) {
      std::span<const ByteRange> likely;
      Buffers guessed;
      if (ahead != ahead_.end() && ahead->place == i) {
        const Buffers opening = prepared.subspan(ahead->first_range, ahead->opening.size());
        if (readers_[i] == nullptr) ARROW_RETURN_NOT_OK(OpenPageOf(*ahead, opening));
        likely = ahead->likely;
        guessed = prepared.subspan(ahead->first_range + opening.size(), likely.size());
        ++ahead;
      }
      ARROW_ASSIGN_OR_RAISE(const auto needed, readers_[i]->Plan(pages_[i].ranges));
      num_ranges_.push_back(needed.size());
      for (const ByteRange& range : needed) {
        ARROW_ASSIGN_OR_RAISE(bytes_.emplace_back(), CutFrom(likely, guessed, range));
        if (bytes_.back() != nullptr) continue;
        missing_.push_back(bytes_.size() - 1);
        missing.push_back(range);
      }
    }
    return missing;
  }

  arrow::Status OpenPageOf(const Ahead& ahead, Buffers opening) {
    const size_t number = pages_[ahead.place].page;
    ARROW_ASSIGN_OR_RAISE(auto reader, OpenPage(ahead.layout, leaf_->page_metadata(number), type_, opening));
    readers_[ahead.place] = leaf_->KeepPage(number, std::move(reader));
    return arrow::Status::OK();
  }

  /// The range out of the guess that holds it, or null if none does.
  static arrow::Result<std::shared_ptr<arrow::Buffer>> CutFrom(std::span<const ByteRange> likely, Buffers guessed,
                                                               ByteRange range) {
    for (size_t i = 0; i < likely.size(); ++i) {
      if (range.offset < likely[i].offset || range.end() > likely[i].end()) continue;
      return SliceChecked(guessed[i], range.offset - likely[i].offset, range.length, "a page's bytes");
    }
    return nullptr;
  }

  uint64_t NumRows() const {
    uint64_t rows = 0;
    for (const PageRows& page : pages_) rows += TotalLength(page.ranges);
    return rows;
  }

  Leaf* leaf_;
  ValueType type_;
  std::vector<PageRows> pages_;
  /// In order of their places.
  std::vector<Ahead> ahead_;
  /// One for each of pages_, as is num_ranges_.
  std::vector<std::shared_ptr<const PageReader>> readers_;
  std::vector<size_t> num_ranges_;
  bool guesses_;
  int step_ = 0;
  /// Of all ranges that the readers have planned, and which of them the second step has asked for.
  std::vector<std::shared_ptr<arrow::Buffer>> bytes_;
  std::vector<size_t> missing_;
};

/// Makes arrays of a field's tree out of its decoded leaves.
class Assembler {
 public:
  explicit Assembler(std::vector<ColumnBuilder> leaves) : leaves_(std::move(leaves)), next_layer_(leaves_.size(), 0) {}

  arrow::Result<std::shared_ptr<arrow::ArrayData>> Assemble(const FieldTree& tree) {
    const size_t first_leaf = next_leaf_;
    if (tree.kind == FieldTree::Kind::kValues) {
      ++next_leaf_;
      next_layer_[first_leaf] = 1;
      ARROW_ASSIGN_OR_RAISE(auto values, leaves_[first_leaf].FinishValues());
      return values->data();
    }
    std::vector<std::shared_ptr<arrow::ArrayData>> children;
    arrow::FieldVector fields;
    for (const FieldTree& child : tree.children) {
      ARROW_ASSIGN_OR_RAISE(auto data, Assemble(child));
      fields.push_back(child.field->WithType(data->type));
      children.push_back(std::move(data));
    }
    // All leaves below tell the same about this layer; the first is believed.
    LayerBuilder& layer = leaves_[first_leaf].layers()[next_layer_[first_leaf]++];
    const auto length = static_cast<int64_t>(layer.length());
    const int64_t nulls = layer.validity().null_count();
    const uint64_t child_length = tree.is_list() ? layer.num_children()
                                  : tree.kind == FieldTree::Kind::kFixedSizeList
                                      ? layer.length() * static_cast<uint64_t>(tree.list_size)
                                      : layer.length();
    for (const auto& child : children) {
      if (static_cast<uint64_t>(child->length) != child_length) {
        return arrow::Status::Invalid("fields of ", child->length, " and of ", child_length, " values in one struct");
      }
    }
    arrow::BufferVector buffers = {layer.validity().Finish()};
    if (tree.is_list()) {
      ARROW_ASSIGN_OR_RAISE(auto offsets, layer.FinishOffsets(tree.kind == FieldTree::Kind::kLargeList));
      buffers.push_back(std::move(offsets));
    }
    ARROW_RETURN_NOT_OK(CheckMap(tree, children));
    return arrow::ArrayData::Make(NestedType(tree, fields), length, std::move(buffers), std::move(children), nulls);
  }

 private:
  /// Arrow has no null keys, and no null pairs of key and value.
  static arrow::Status CheckMap(const FieldTree& tree, const std::vector<std::shared_ptr<arrow::ArrayData>>& children) {
    if (tree.kind != FieldTree::Kind::kMap) return arrow::Status::OK();
    if (children[0]->GetNullCount() == 0 && children[0]->child_data[0]->GetNullCount() == 0) {
      return arrow::Status::OK();
    }
    return arrow::Status::Invalid("a map with null keys");
  }

  std::vector<ColumnBuilder> leaves_;
  size_t next_leaf_ = 0;
  /// The layer of each leaf that is about the innermost part of the tree that has not been assembled yet.
  std::vector<size_t> next_layer_;
};

class StructuralRead : public ColumnRead {
 public:
  StructuralRead(const FieldTree& tree, std::vector<LeafRead> leaves) : tree_(tree), leaves_(std::move(leaves)) {
    for (LeafRead& leaf : leaves_) steps_.Add(&leaf);
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override { return steps_.Next(bytes); }

  arrow::Result<std::shared_ptr<arrow::Array>> Decode() override {
    std::vector<ColumnBuilder> decoded;
    for (const LeafRead& read : leaves_) {
      ARROW_ASSIGN_OR_RAISE(auto leaf, read.Decode());
      decoded.push_back(std::move(leaf));
    }
    ARROW_ASSIGN_OR_RAISE(const auto data, Assembler(std::move(decoded)).Assemble(tree_));
    return arrow::MakeArray(data);
  }

 private:
  const FieldTree& tree_;
  std::vector<LeafRead> leaves_;
  SteppedReads steps_;
};

class StructuralColumn : public ColumnReader {
 public:
  StructuralColumn(std::shared_ptr<const FileMetadata> metadata, FieldTree tree)
      : metadata_(std::move(metadata)), tree_(std::move(tree)) {}

  arrow::Status Init(size_t num_structs_around) {
    return AddLeaves(tree_, std::vector<bool>(num_structs_around, false), std::vector<uint64_t>(num_structs_around, 1));
  }

  const std::shared_ptr<arrow::Field>& field() const override { return tree_.field; }

  arrow::Result<std::unique_ptr<ColumnRead>> Start(const std::vector<RowRange>& rows, bool guesses) override {
    std::vector<LeafRead> reads;
    for (const auto& leaf : leaves_) {
      ARROW_ASSIGN_OR_RAISE(auto pages, leaf->index().Divide(rows));
      ARROW_ASSIGN_OR_RAISE(ValueType type, leaf->Type());
      reads.emplace_back(leaf.get(), std::move(type), std::move(pages), guesses);
    }
    return std::make_unique<StructuralRead>(tree_, std::move(reads));
  }

 private:
  /// Adds the leaves of a tree. `lists` and `sizes` are of what is around it, from the outside in: whether it is a
  /// list, and how many items a fixed-size list has (1 if it is none).
  arrow::Status AddLeaves(const FieldTree& tree, std::vector<bool> lists, std::vector<uint64_t> sizes) {
    lists.push_back(tree.is_list());
    sizes.push_back(tree.kind == FieldTree::Kind::kFixedSizeList ? static_cast<uint64_t>(tree.list_size) : 1);
    if (tree.kind != FieldTree::Kind::kValues) {
      for (const FieldTree& child : tree.children) ARROW_RETURN_NOT_OK(AddLeaves(child, lists, sizes));
      return arrow::Status::OK();
    }
    ColumnLayers layers{{lists.rbegin(), lists.rend()}, {sizes.rbegin(), sizes.rend()}};
    uint64_t stride = 1;
    bool has_lists = false;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (!CheckedMultiply(stride, layers.strides[i], &stride) || stride > kMaxStride) {
        return arrow::Status::Invalid("fixed-size lists of ", stride, " structs");
      }
      layers.strides[i] = stride;
      has_lists = has_lists || layers.lists[i];
    }
    if (has_lists && stride > 1) {
      return arrow::Status::NotImplemented("a fixed-size list of structs together with other lists");
    }
    ARROW_ASSIGN_OR_RAISE(const ColumnMetadata* column, ColumnAt(*metadata_, tree.column));
    leaves_.push_back(std::make_unique<Leaf>(*metadata_, *column, tree.type, std::move(layers)));
    return CheckRows(*column, stride);
  }

  static arrow::Status CheckRows(const ColumnMetadata& column, uint64_t stride) {
    for (const PageMetadata& page : column.pages) {
      if (page.num_rows % stride != 0) {
        return arrow::Status::Invalid("a page of ", page.num_rows, " values, of which a row has ", stride);
      }
    }
    return arrow::Status::OK();
  }

  static constexpr uint64_t kMaxStride = uint64_t{1} << 31;

  const std::shared_ptr<const FileMetadata> metadata_;
  const FieldTree tree_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
};

}  // namespace

arrow::Result<std::shared_ptr<ColumnReader>> MakeStructuralColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                                        LocatedField field) {
  auto column = std::make_shared<StructuralColumn>(std::move(metadata), std::move(field.tree));
  ARROW_RETURN_NOT_OK(column->Init(field.num_structs_around));
  return column;
}

}  // namespace fewter::lance
