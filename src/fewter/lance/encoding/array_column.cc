#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "fewter/lance/encoding/array_encoding_internal.h"
#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/util/bytes.h"

/// Columns of version 2.0: pages of plain values. Lists are a column of offsets, with their items in the next column.

namespace fewter::lance {
namespace {

/// A page of nulls can claim any number of rows without a byte to back them; this is the most that one read of it
/// yields.
constexpr uint64_t kMaxNullBytes = uint64_t{256} << 20;

/// The pages of one file column. Encodings are decoded when first needed. Thread safe.
class ArrayPages {
 public:
  explicit ArrayPages(const ColumnMetadata& column) : column_(column), index_(column), pages_(column.pages.size()) {}

  size_t size() const { return pages_.size(); }
  const PageIndex& index() const { return index_; }
  uint64_t num_rows(size_t page) const { return column_.pages[page].num_rows; }

  arrow::Result<ArrayPage> Get(size_t page) {
    {
      const std::lock_guard lock(mutex_);
      if (pages_[page]) return *pages_[page];
    }
    ARROW_ASSIGN_OR_RAISE(const ArrayPage parsed, ParseArrayPage(column_.pages[page]));
    const std::lock_guard lock(mutex_);
    pages_[page] = parsed;
    return parsed;
  }

  template <typename Kind>
  arrow::Result<Kind> GetAs(size_t page) {
    ARROW_ASSIGN_OR_RAISE(const ArrayPage parsed, Get(page));
    if (const Kind* kind = std::get_if<Kind>(&parsed)) return *kind;
    return arrow::Status::Invalid("a page whose encoding does not fit the type of its column");
  }

 private:
  const ColumnMetadata& column_;
  const PageIndex index_;
  std::mutex mutex_;
  std::vector<std::optional<ArrayPage>> pages_;
};

/// The bytes that hold bits or values [start, start + length) of `bits` bits each.
ByteRange BytesOfValues(ByteRange buffer, uint64_t bits, RowRange rows) {
  if (bits % 8 == 0) return {buffer.offset + rows.start * (bits / 8), rows.length * (bits / 8)};
  const uint64_t first = rows.start * bits / 8;
  return {buffer.offset + first, (rows.end() * bits + 7) / 8 - first};
}

/// The items of some vectors of a page; as many as the page has bits for them.
RowRange ItemsOf(const PlainArray& page, RowRange rows) {
  return {rows.start * page.items, rows.length * page.items};
}

bool BitAt(const arrow::Buffer& bytes, uint64_t first_bit, uint64_t i) {
  // `bytes` begins with the byte that first_bit is in.
  const uint64_t bit = first_bit % 8 + i;
  return (bytes.data()[bit / 8] >> (bit % 8) & 1) != 0;
}

/// Reads slices of plain pages.
class PlainRead {
 public:
  explicit PlainRead(ArrayPages* pages) : pages_(pages) {}

  arrow::Result<std::vector<ByteRange>> Plan(std::vector<PageSlice> slices) {
    slices_ = std::move(slices);
    std::vector<ByteRange> ranges;
    for (const PageSlice& slice : slices_) {
      ARROW_ASSIGN_OR_RAISE(const PlainArray page, pages_->GetAs<PlainArray>(slice.page));
      if (page.bits != 0) ranges.push_back(BytesOfValues(page.values, page.bits, slice.rows));
      if (page.validity) ranges.push_back(BytesOfValues(*page.validity, 1, slice.rows));
      if (page.item_validity) ranges.push_back(BytesOfValues(*page.item_validity, 1, ItemsOf(page, slice.rows)));
    }
    return ranges;
  }

  arrow::Status Decode(const ValueType& type, Buffers bytes, ColumnBuilder* out) const {
    const uint64_t size = TotalSize(bytes);
    // The values of a single page may not have to be copied at all.
    if (slices_.size() > 1) ARROW_RETURN_NOT_OK(out->ReserveValues(size / out->value_bytes(), size));
    size_t position = 0;
    for (const PageSlice& slice : slices_) {
      ARROW_ASSIGN_OR_RAISE(const PlainArray page, pages_->GetAs<PlainArray>(slice.page));
      ARROW_RETURN_NOT_OK(CheckType(page, type));
      if (page.bits == 0) {
        ARROW_RETURN_NOT_OK(AppendZeros(slice.rows.length, out));
      } else {
        ARROW_RETURN_NOT_OK(AppendValues(page.bits, slice.rows, bytes[position++], out));
      }
      if (page.validity) {
        AppendValidity(slice.rows, *bytes[position++], out);
      } else {
        out->value_validity().Append(page.bits != 0 || page.only_items_are_null, slice.rows.length);
      }
      if (page.only_items_are_null) out->AppendNullItems(slice.rows.length, page.items);
      if (!page.item_validity) continue;
      const uint64_t first_bit = ItemsOf(page, slice.rows).start % 8;
      out->AppendItemValidity(bytes[position++]->data(), first_bit, slice.rows.length, page.items);
    }
    return arrow::Status::OK();
  }

 private:
  static arrow::Status CheckType(const PlainArray& page, const ValueType& type) {
    if (page.bits != 0 && page.bits != type.bits()) {
      return arrow::Status::Invalid("pages of one column with values of ", page.bits, " and of ", type.bits(), " bits");
    }
    if ((page.item_validity || page.only_items_are_null) && page.items != type.num_items()) {
      return arrow::Status::Invalid("pages of one column with values of ", page.items, " and of ", type.num_items(),
                                    " items");
    }
    return arrow::Status::OK();
  }

  static arrow::Status AppendZeros(uint64_t count, ColumnBuilder* out) {
    if (count > kMaxNullBytes / out->value_bytes()) {
      return arrow::Status::Invalid("a page of ", count, " nulls of ", out->value_bytes(), " bytes, more than the ",
                                    kMaxNullBytes, " bytes allowed");
    }
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(count));
    std::memset(to, 0, count * out->value_bytes());
    return arrow::Status::OK();
  }

  static arrow::Status AppendValues(uint64_t bits, RowRange rows, const std::shared_ptr<arrow::Buffer>& bytes,
                                    ColumnBuilder* out) {
    if (bits != 1) return out->AppendValues(bytes);
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(rows.length));
    for (uint64_t i = 0; i < rows.length; ++i) to[i] = BitAt(*bytes, rows.start, i) ? 1 : 0;
    return arrow::Status::OK();
  }

  static void AppendValidity(RowRange rows, const arrow::Buffer& bytes, ColumnBuilder* out) {
    for (uint64_t i = 0; i < rows.length; ++i) out->value_validity().Append(BitAt(bytes, rows.start, i));
  }

  ArrayPages* pages_;
  std::vector<PageSlice> slices_;
};

/// The type of the values, as the first page that says their width has them.
arrow::Result<ValueType> TypeOfPages(const ValueType& declared, ArrayPages* pages) {
  for (size_t page = 0; page < pages->size(); ++page) {
    ARROW_ASSIGN_OR_RAISE(const PlainArray array, pages->GetAs<PlainArray>(page));
    if (array.bits != 0) return MatchPageWidth(declared, array.bits);
  }
  return declared;
}

class PlainColumnRead : public ColumnRead {
 public:
  PlainColumnRead(ValueType type, std::vector<PageSlice> slices, ArrayPages* pages)
      : type_(std::move(type)), slices_(std::move(slices)), values_(pages) {}

  arrow::Result<std::vector<ByteRange>> Prepare() override { return std::vector<ByteRange>(); }
  arrow::Result<std::vector<ByteRange>> Plan(Buffers) override { return values_.Plan(std::move(slices_)); }
  arrow::Result<std::shared_ptr<arrow::Array>> Decode(Buffers bytes) override {
    ColumnBuilder builder(type_.bytes(), false);
    ARROW_RETURN_NOT_OK(values_.Decode(type_, bytes, &builder));
    return builder.Finish(type_, nullptr);
  }

 private:
  const ValueType type_;
  std::vector<PageSlice> slices_;
  PlainRead values_;
};

/// First the offsets of the rows are read, then the items between them.
class ListColumnRead : public ColumnRead {
 public:
  ListColumnRead(const ColumnLocation& location, ValueType type, std::vector<PageSlice> slices, ArrayPages* lists,
                 ArrayPages* items)
      : location_(location),
        type_(std::move(type)),
        slices_(std::move(slices)),
        lists_(lists),
        items_(items),
        item_read_(items),
        builder_(type_.bytes(), true) {}

  arrow::Result<std::vector<ByteRange>> Prepare() override {
    std::vector<ByteRange> ranges;
    for (const PageSlice& slice : slices_) {
      ARROW_ASSIGN_OR_RAISE(const ListArray page, lists_->GetAs<ListArray>(slice.page));
      // A row begins where the one before it ends.
      const uint64_t before = slice.rows.start > 0 ? 1 : 0;
      ranges.push_back(BytesOfValues(page.offsets, 64, {slice.rows.start - before, slice.rows.length + before}));
    }
    return ranges;
  }

  arrow::Result<std::vector<ByteRange>> Plan(Buffers prepared) override {
    std::vector<PageSlice> item_slices;
    uint64_t first_item = 0;
    size_t page = 0;
    for (size_t i = 0; i < slices_.size(); ++i) {
      for (; page < slices_[i].page; ++page) {
        ARROW_ASSIGN_OR_RAISE(const ListArray skipped, lists_->GetAs<ListArray>(page));
        if (!CheckedAdd(first_item, skipped.num_items, &first_item)) return TooManyItems();
      }
      ARROW_ASSIGN_OR_RAISE(const ListArray list, lists_->GetAs<ListArray>(page));
      ARROW_ASSIGN_OR_RAISE(RowRange items, AppendLists(list, slices_[i].rows, *prepared[i]));
      if (!CheckedAdd(first_item, items.start, &items.start)) return TooManyItems();
      ARROW_ASSIGN_OR_RAISE(const auto slices, items_->index().Slices(items));
      item_slices.insert(item_slices.end(), slices.begin(), slices.end());
    }
    return item_read_.Plan(std::move(item_slices));
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Decode(Buffers bytes) override {
    ARROW_RETURN_NOT_OK(item_read_.Decode(type_, bytes, &builder_));
    return builder_.Finish(type_, location_.item_field);
  }

 private:
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
        ARROW_RETURN_NOT_OK(builder_.AppendList(offset - end, !is_null));
      } else {
        begin = offset;
      }
      end = offset;
    }
    return RowRange{begin, end - begin};
  }

  const ColumnLocation& location_;
  const ValueType type_;
  const std::vector<PageSlice> slices_;
  ArrayPages* lists_;
  ArrayPages* items_;
  PlainRead item_read_;
  ColumnBuilder builder_;
};

class ArrayColumn : public ColumnReader {
 public:
  ArrayColumn(std::shared_ptr<const FileMetadata> metadata, ColumnLocation location)
      : metadata_(std::move(metadata)), location_(std::move(location)), pages_(*location_.column) {
    if (location_.item_column != nullptr) items_.emplace(*location_.item_column);
  }

  const Field& field() const override { return location_.field; }

  arrow::Result<std::unique_ptr<ColumnRead>> Start(RowRange rows) override {
    ARROW_ASSIGN_OR_RAISE(auto slices, pages_.index().Slices(rows));
    ARROW_ASSIGN_OR_RAISE(ValueType type, TypeOfPages(location_.type, items_ ? &*items_ : &pages_));
    if (!items_) return std::make_unique<PlainColumnRead>(std::move(type), std::move(slices), &pages_);
    return std::make_unique<ListColumnRead>(location_, std::move(type), std::move(slices), &pages_, &*items_);
  }

 private:
  const std::shared_ptr<const FileMetadata> metadata_;
  const ColumnLocation location_;
  ArrayPages pages_;
  std::optional<ArrayPages> items_;
};

}  // namespace

std::shared_ptr<ColumnReader> MakeArrayColumnReader(std::shared_ptr<const FileMetadata> metadata,
                                                    ColumnLocation location) {
  return std::make_shared<ArrayColumn>(std::move(metadata), std::move(location));
}

}  // namespace fewter::lance
