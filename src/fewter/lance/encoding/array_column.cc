#include <mutex>
#include <optional>
#include <utility>

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type_traits.h>

#include "fewter/lance/encoding/array_page_internal.h"
#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/util/bytes.h"

/// Columns of version 2.0: every field of a tree has a file column. That of a list has offsets, that of a struct
/// nothing; the rows of the column below a list are its items.

namespace fewter::lance {
namespace {

/// The pages of one file column. Encodings are decoded when first needed. Thread safe.
class ArrayPages {
 public:
  explicit ArrayPages(const ColumnMetadata& column) : column_(column), index_(column), pages_(column.pages.size()) {}

  size_t size() const { return pages_.size(); }
  const PageIndex& index() const { return index_; }

  arrow::Result<std::shared_ptr<const OpenArrayPage>> Get(size_t page) {
    {
      const std::lock_guard lock(mutex_);
      if (pages_[page] != nullptr) return pages_[page];
    }
    ARROW_ASSIGN_OR_RAISE(ArrayPage parsed, ParseArrayPage(column_.pages[page]));
    const std::lock_guard lock(mutex_);
    if (pages_[page] == nullptr) pages_[page] = std::make_shared<const OpenArrayPage>(std::move(parsed));
    return pages_[page];
  }

  arrow::Result<ListArray> GetList(size_t page) {
    ARROW_ASSIGN_OR_RAISE(const auto parsed, Get(page));
    if (const auto* list = std::get_if<ListArray>(&parsed->encoding())) return *list;
    return arrow::Status::Invalid("a page of a list that has no offsets");
  }

 private:
  const ColumnMetadata& column_;
  const PageIndex index_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const OpenArrayPage>> pages_;
};

/// A read of some rows of a field and of all below it.
class NodeRead : public SteppedRead {
 public:
  virtual arrow::Result<std::shared_ptr<arrow::ArrayData>> Finish() = 0;
};

/// A field with its pages. Thread safe.
class Node {
 public:
  virtual ~Node() = default;
  /// Reads the ranges one after the other. The read must not outlive this.
  virtual arrow::Result<std::unique_ptr<NodeRead>> Start(const std::vector<RowRange>& rows) = 0;
};

class ValuesRead : public NodeRead {
 public:
  ValuesRead(ValueType type, std::vector<std::unique_ptr<ArrayPageRead>> pages)
      : type_(std::move(type)), pages_(std::move(pages)) {
    for (const auto& page : pages_) steps_.Add(page.get());
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override { return steps_.Next(bytes); }

  arrow::Result<std::shared_ptr<arrow::ArrayData>> Finish() override {
    ColumnBuilder builder(type_, {false});
    for (const auto& page : pages_) ARROW_RETURN_NOT_OK(page->Decode(&builder));
    ARROW_ASSIGN_OR_RAISE(const auto values, builder.FinishValues());
    return values->data();
  }

 private:
  const ValueType type_;
  const std::vector<std::unique_ptr<ArrayPageRead>> pages_;
  SteppedReads steps_;
};

class ValuesNode : public Node {
 public:
  ValuesNode(const FieldTree& tree, const ColumnMetadata& column) : tree_(tree), pages_(column) {}

  arrow::Result<std::unique_ptr<NodeRead>> Start(const std::vector<RowRange>& rows) override {
    ARROW_ASSIGN_OR_RAISE(auto pages, pages_.index().Divide(rows));
    ARROW_ASSIGN_OR_RAISE(ValueType type, TypeOfPages());
    std::vector<std::unique_ptr<ArrayPageRead>> reads;
    for (PageRows& of_page : pages) {
      ARROW_ASSIGN_OR_RAISE(auto page, pages_.Get(of_page.page));
      ARROW_ASSIGN_OR_RAISE(auto read, MakeArrayPageRead(std::move(page), std::move(of_page.ranges), type));
      reads.push_back(std::move(read));
    }
    return std::make_unique<ValuesRead>(std::move(type), std::move(reads));
  }

 private:
  /// The type of the values, as the first page that says their width has them.
  arrow::Result<ValueType> TypeOfPages() {
    if (!arrow::is_floating(tree_.type.primitive->id())) return tree_.type;
    for (size_t page = 0; page < pages_.size(); ++page) {
      ARROW_ASSIGN_OR_RAISE(const auto parsed, pages_.Get(page));
      const auto* plain = std::get_if<PlainArray>(&parsed->encoding());
      if (plain != nullptr && plain->bits != 0) return MatchPageWidth(tree_.type, plain->bits);
    }
    return tree_.type;
  }

  const FieldTree& tree_;
  ArrayPages pages_;
};

/// Structs have no nulls, and so nothing of their own.
class StructRead : public NodeRead {
 public:
  StructRead(const FieldTree& tree, uint64_t length, std::vector<std::unique_ptr<NodeRead>> fields)
      : tree_(tree), length_(length), fields_(std::move(fields)) {
    for (const auto& field : fields_) steps_.Add(field.get());
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override { return steps_.Next(bytes); }

  arrow::Result<std::shared_ptr<arrow::ArrayData>> Finish() override {
    arrow::FieldVector fields;
    std::vector<std::shared_ptr<arrow::ArrayData>> children;
    for (size_t i = 0; i < fields_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto child, fields_[i]->Finish());
      fields.push_back(tree_.children[i].field->WithType(child->type));
      children.push_back(std::move(child));
    }
    return arrow::ArrayData::Make(arrow::struct_(fields), static_cast<int64_t>(length_), {nullptr}, std::move(children),
                                  0);
  }

 private:
  const FieldTree& tree_;
  const uint64_t length_;
  const std::vector<std::unique_ptr<NodeRead>> fields_;
  SteppedReads steps_;
};

class StructNode : public Node {
 public:
  StructNode(const FieldTree& tree, std::vector<std::unique_ptr<Node>> fields)
      : tree_(tree), fields_(std::move(fields)) {}

  arrow::Result<std::unique_ptr<NodeRead>> Start(const std::vector<RowRange>& rows) override {
    std::vector<std::unique_ptr<NodeRead>> reads;
    for (const auto& field : fields_) {
      ARROW_ASSIGN_OR_RAISE(auto read, field->Start(rows));
      reads.push_back(std::move(read));
    }
    return std::make_unique<StructRead>(tree_, TotalLength(rows), std::move(reads));
  }

 private:
  const FieldTree& tree_;
  const std::vector<std::unique_ptr<Node>> fields_;
};

/// First the offsets of the rows are read, then the items between them.
class ListRead : public NodeRead {
 public:
  ListRead(const FieldTree& tree, std::vector<PageRows> pages, ArrayPages* lists, Node* items)
      : tree_(tree), pages_(std::move(pages)), lists_(lists), items_(items), layer_(true) {}

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    if (!is_planned_) {
      is_planned_ = true;
      return PlanOffsets();
    }
    if (item_read_ != nullptr) return item_read_->Next(bytes);
    ARROW_RETURN_NOT_OK(StartItems(bytes));
    return item_read_->Next({});
  }

  arrow::Result<std::shared_ptr<arrow::ArrayData>> Finish() override {
    ARROW_ASSIGN_OR_RAISE(auto items, item_read_->Finish());
    const auto length = static_cast<int64_t>(layer_.length());
    const int64_t nulls = layer_.validity().null_count();
    if (layer_.num_children() != static_cast<uint64_t>(items->length)) {
      return arrow::Status::Invalid("lists of ", layer_.num_children(), " items, but ", items->length, " values");
    }
    const bool large = tree_.kind == FieldTree::Kind::kLargeList;
    ARROW_ASSIGN_OR_RAISE(auto offsets, layer_.FinishOffsets(large));
    const auto item_field = tree_.children[0].field->WithType(items->type);
    return arrow::ArrayData::Make(NestedType(tree_, {item_field}), length,
                                  {layer_.validity().Finish(), std::move(offsets)}, {std::move(items)}, nulls);
  }

 private:
  arrow::Result<std::optional<std::vector<ByteRange>>> PlanOffsets() {
    std::vector<ByteRange> ranges;
    for (const PageRows& page : pages_) {
      ARROW_ASSIGN_OR_RAISE(const ListArray list, lists_->GetList(page.page));
      for (const RowRange& rows : page.ranges) {
        // A row begins where the one before it ends.
        const uint64_t before = rows.start > 0 ? 1 : 0;
        ranges.push_back(BytesOfValues(list.offsets, 64, {rows.start - before, rows.length + before}));
      }
    }
    return ranges;
  }

  arrow::Status StartItems(Buffers offsets) {
    std::vector<RowRange> ranges;
    uint64_t first_item = 0;
    size_t page = 0;
    size_t next = 0;
    for (const PageRows& of_page : pages_) {
      if (page > of_page.page) page = first_item = 0;
      for (; page < of_page.page; ++page) {
        ARROW_ASSIGN_OR_RAISE(const ListArray skipped, lists_->GetList(page));
        if (!CheckedAdd(first_item, skipped.num_items, &first_item)) return TooManyItems();
      }
      ARROW_ASSIGN_OR_RAISE(const ListArray list, lists_->GetList(page));
      for (const RowRange& rows : of_page.ranges) {
        ARROW_ASSIGN_OR_RAISE(RowRange items, AppendLists(list, rows, *offsets[next++]));
        if (items.length == 0) continue;
        if (!CheckedAdd(first_item, items.start, &items.start)) return TooManyItems();
        if (!ranges.empty() && ranges.back().end() == items.start) {
          ranges.back().length += items.length;
        } else {
          ranges.push_back(items);
        }
      }
    }
    ARROW_ASSIGN_OR_RAISE(item_read_, items_->Start(ranges));
    return arrow::Status::OK();
  }

  static arrow::Status TooManyItems() { return arrow::Status::Invalid("lists of more than 2^64 items"); }

  /// Appends the lists of some rows of a page, and returns which of the page's items they have.
  arrow::Result<RowRange> AppendLists(const ListArray& page, RowRange rows, const arrow::Buffer& offsets) {
    const uint64_t before = rows.start > 0 ? 1 : 0;
    uint64_t begin = 0;
    uint64_t end = 0;
    for (uint64_t i = 0; i < rows.length + before; ++i) {
      auto offset = LoadLittleEndian<uint64_t>(offsets.data() + i * sizeof(uint64_t));
      const bool is_null = offset >= page.null_offset_adjustment;
      if (is_null) offset -= page.null_offset_adjustment;
      if (offset < end || offset > page.num_items) {
        return arrow::Status::Invalid("a list that ends at item ", offset, " of ", page.num_items, ", after ", end);
      }
      if (i >= before) {
        layer_.AppendList(!is_null, offset - end);
      } else {
        begin = offset;
      }
      end = offset;
    }
    return RowRange{begin, end - begin};
  }

  const FieldTree& tree_;
  const std::vector<PageRows> pages_;
  ArrayPages* lists_;
  Node* items_;
  LayerBuilder layer_;
  bool is_planned_ = false;
  std::unique_ptr<NodeRead> item_read_;
};

class ListNode : public Node {
 public:
  ListNode(const FieldTree& tree, const ColumnMetadata& column, std::unique_ptr<Node> items)
      : tree_(tree), lists_(column), items_(std::move(items)) {}

  arrow::Result<std::unique_ptr<NodeRead>> Start(const std::vector<RowRange>& rows) override {
    ARROW_ASSIGN_OR_RAISE(auto pages, lists_.index().Divide(rows));
    return std::make_unique<ListRead>(tree_, std::move(pages), &lists_, items_.get());
  }

 private:
  const FieldTree& tree_;
  ArrayPages lists_;
  const std::unique_ptr<Node> items_;
};

arrow::Result<std::unique_ptr<Node>> MakeNode(const FileMetadata& metadata, const FieldTree& tree) {
  std::vector<std::unique_ptr<Node>> children;
  for (const FieldTree& child : tree.children) {
    ARROW_ASSIGN_OR_RAISE(auto node, MakeNode(metadata, child));
    children.push_back(std::move(node));
  }
  ARROW_ASSIGN_OR_RAISE(const ColumnMetadata* column, ColumnAt(metadata, tree.column));
  switch (tree.kind) {
    case FieldTree::Kind::kStruct:
      return std::make_unique<StructNode>(tree, std::move(children));
    case FieldTree::Kind::kList:
    case FieldTree::Kind::kLargeList:
      return std::make_unique<ListNode>(tree, *column, std::move(children[0]));
    case FieldTree::Kind::kValues:
      // Structs without fields are stored like those with some.
      if (tree.type.primitive->id() == arrow::Type::STRUCT && tree.type.members.empty()) {
        return std::make_unique<StructNode>(tree, std::move(children));
      }
      return std::make_unique<ValuesNode>(tree, *column);
    default:
      return arrow::Status::NotImplemented("the type ", tree.field->type()->ToString(), " in a file of version 2.0");
  }
}

class ArrayColumnRead : public ColumnRead {
 public:
  explicit ArrayColumnRead(std::unique_ptr<NodeRead> read) : read_(std::move(read)) {}

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override { return read_->Next(bytes); }
  arrow::Result<std::shared_ptr<arrow::Array>> Decode() override {
    ARROW_ASSIGN_OR_RAISE(const auto data, read_->Finish());
    return arrow::MakeArray(data);
  }

 private:
  const std::unique_ptr<NodeRead> read_;
};

class ArrayColumn : public ColumnReader {
 public:
  ArrayColumn(std::shared_ptr<const FileMetadata> metadata, FieldTree tree)
      : metadata_(std::move(metadata)), tree_(std::move(tree)) {}

  arrow::Status Init() {
    ARROW_ASSIGN_OR_RAISE(root_, MakeNode(*metadata_, tree_));
    return arrow::Status::OK();
  }

  const std::shared_ptr<arrow::Field>& field() const override { return tree_.field; }

  arrow::Result<std::unique_ptr<ColumnRead>> Start(const std::vector<RowRange>& rows, bool /*guesses*/) override {
    ARROW_ASSIGN_OR_RAISE(auto read, root_->Start(rows));
    return std::make_unique<ArrayColumnRead>(std::move(read));
  }

 private:
  const std::shared_ptr<const FileMetadata> metadata_;
  const FieldTree tree_;
  std::unique_ptr<Node> root_;
};

}  // namespace

arrow::Result<std::shared_ptr<ColumnReader>> MakeArrayColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                                   FieldTree tree) {
  auto column = std::make_shared<ArrayColumn>(std::move(metadata), std::move(tree));
  ARROW_RETURN_NOT_OK(column->Init());
  return column;
}

}  // namespace fewter::lance
