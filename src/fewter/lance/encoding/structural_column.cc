#include <mutex>
#include <optional>
#include <utility>

#include "fewter/lance/encoding/column_reader_internal.h"

/// Columns of version 2.1 and later: pages with a layout, whose levels say where lists and nulls are.

namespace fewter::lance {
namespace {

class StructuralColumn : public ColumnReader {
 public:
  StructuralColumn(std::shared_ptr<const FileMetadata> metadata, ColumnLocation location)
      : metadata_(std::move(metadata)),
        location_(std::move(location)),
        index_(*location_.column),
        pages_(location_.column->pages.size()) {}

  const Field& field() const override { return location_.field; }
  arrow::Result<std::unique_ptr<ColumnRead>> Start(RowRange rows) override;

  const ColumnLocation& location() const { return location_; }
  const PageMetadata& page_metadata(size_t page) const { return location_.column->pages[page]; }
  arrow::Result<PageLayout> ParseLayout(size_t page) const {
    return CheckedLayout(ParsePageLayout(page_metadata(page), metadata_->version()));
  }

  /// The type of the values, as the first page that says their width has them.
  arrow::Result<ValueType> Type() {
    {
      const std::lock_guard lock(mutex_);
      if (type_) return *type_;
    }
    ValueType type = location_.type;
    for (size_t page = 0; page < pages_.size(); ++page) {
      ARROW_ASSIGN_OR_RAISE(const PageLayout layout, ParseLayout(page));
      const std::optional<uint64_t> bits = ValueBits(layout);
      if (!bits) continue;
      ARROW_ASSIGN_OR_RAISE(type, MatchPageWidth(location_.type, *bits));
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
  /// The schema and the layers must agree on whether the column holds lists.
  arrow::Result<PageLayout> CheckedLayout(arrow::Result<PageLayout> layout) const {
    if (!layout.ok()) return layout;
    const bool is_list = std::visit([](const auto& kind) { return kind.levels.is_list; }, *layout);
    if (is_list != (location_.item_field != nullptr)) {
      return arrow::Status::Invalid("a page ", is_list ? "with" : "without", " lists in a column of type '",
                                    location_.field.logical_type, "'");
    }
    return layout;
  }

  const std::shared_ptr<const FileMetadata> metadata_;
  const ColumnLocation location_;
  const PageIndex index_;
  std::mutex mutex_;
  // Guarded by mutex_, which is held only to look at them.
  std::optional<ValueType> type_;
  std::vector<std::shared_ptr<const PageReader>> pages_;
};

class StructuralRead : public ColumnRead {
 public:
  StructuralRead(StructuralColumn* column, ValueType type, std::vector<PageSlice> slices)
      : column_(column), type_(std::move(type)), slices_(std::move(slices)) {}

  arrow::Result<std::vector<ByteRange>> Prepare() override {
    std::vector<ByteRange> ranges;
    readers_.resize(slices_.size());
    for (size_t i = 0; i < slices_.size(); ++i) {
      readers_[i] = column_->FindPage(slices_[i].page);
      if (readers_[i] != nullptr) continue;
      Unopened page{i, {}, ranges.size(), 0};
      ARROW_ASSIGN_OR_RAISE(page.layout, column_->ParseLayout(slices_[i].page));
      const std::vector<ByteRange> needed = OpeningRanges(page.layout, column_->page_metadata(slices_[i].page));
      page.num_ranges = needed.size();
      ranges.insert(ranges.end(), needed.begin(), needed.end());
      unopened_.push_back(std::move(page));
    }
    return ranges;
  }

  arrow::Result<std::vector<ByteRange>> Plan(Buffers prepared) override {
    for (const Unopened& page : unopened_) {
      const size_t number = slices_[page.slice].page;
      ARROW_ASSIGN_OR_RAISE(auto reader, OpenPage(page.layout, column_->page_metadata(number), type_,
                                                  prepared.subspan(page.first_range, page.num_ranges)));
      readers_[page.slice] = column_->KeepPage(number, std::move(reader));
    }
    std::vector<ByteRange> ranges;
    for (size_t i = 0; i < slices_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(const auto needed, readers_[i]->Plan(slices_[i].rows));
      num_ranges_.push_back(needed.size());
      ranges.insert(ranges.end(), needed.begin(), needed.end());
    }
    return ranges;
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Decode(Buffers bytes) override {
    const bool is_list = column_->location().item_field != nullptr;
    ColumnBuilder builder(type_.bytes(), is_list);
    // The values of a single page may not have to be copied at all.
    if (slices_.size() > 1) ARROW_RETURN_NOT_OK(builder.ReserveValues(NumRows(), TotalSize(bytes)));
    size_t position = 0;
    for (size_t i = 0; i < slices_.size(); ++i) {
      ARROW_RETURN_NOT_OK(readers_[i]->Decode(slices_[i].rows, bytes.subspan(position, num_ranges_[i]), &builder));
      position += num_ranges_[i];
    }
    return builder.Finish(type_, column_->location().item_field);
  }

 private:
  uint64_t NumRows() const {
    uint64_t rows = 0;
    for (const PageSlice& slice : slices_) rows += slice.rows.length;
    return rows;
  }

  /// A page that is opened by this read.
  struct Unopened {
    size_t slice;
    PageLayout layout;
    size_t first_range;
    size_t num_ranges;
  };

  StructuralColumn* column_;
  const ValueType type_;
  const std::vector<PageSlice> slices_;
  std::vector<Unopened> unopened_;
  /// One for each slice, as is num_ranges_.
  std::vector<std::shared_ptr<const PageReader>> readers_;
  std::vector<size_t> num_ranges_;
};

arrow::Result<std::unique_ptr<ColumnRead>> StructuralColumn::Start(RowRange rows) {
  ARROW_ASSIGN_OR_RAISE(auto slices, index_.Slices(rows));
  ARROW_ASSIGN_OR_RAISE(ValueType type, Type());
  return std::make_unique<StructuralRead>(this, std::move(type), std::move(slices));
}

}  // namespace

std::shared_ptr<ColumnReader> MakeStructuralColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                         ColumnLocation location) {
  return std::make_shared<StructuralColumn>(std::move(metadata), std::move(location));
}

}  // namespace fewter::lance
