#include "fewter/lance/encoding/array_page_internal.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include <arrow/array/array_binary.h>

#include "fewter/lance/encoding/block_internal.h"
#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/lance/encoding/words_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// A page of nulls can claim any number of rows without a byte to back them; this is the most that one read of it
/// yields.
constexpr uint64_t kMaxNullBytes = uint64_t{256} << 20;

class PlainRead : public ArrayPageRead {
 public:
  /// `encoding` must outlive this.
  PlainRead(const PlainArray& encoding, std::vector<RowRange> rows) : encoding_(encoding), rows_(std::move(rows)) {}

  static arrow::Status Check(const PlainArray& encoding, const ValueType& type) {
    if (encoding.all_null) return arrow::Status::OK();
    const bool is_bits = !type.is_variable() && type.primitive->id() == arrow::Type::BOOL;
    const bool fits = !type.is_variable() &&
                      (encoding.bits == 0 || (encoding.bits == type.bits() && (encoding.element_bits == 1) == is_bits));
    uint64_t items = 1;
    bool same_lengths = encoding.dimensions.size() <= type.dimensions.size();
    for (size_t i = 0; same_lengths && i < encoding.dimensions.size(); ++i) {
      items *= static_cast<uint64_t>(type.dimensions[i]);
      same_lengths = encoding.dimensions[i].num_items == items;
    }
    if (fits && same_lengths) return arrow::Status::OK();
    return arrow::Status::Invalid("values of ", encoding.bits, " bits in a column of type ",
                                  type.ToArrow()->ToString());
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    if (is_planned_) {
      bytes_.assign(bytes.begin(), bytes.end());
      return std::nullopt;
    }
    is_planned_ = true;
    std::vector<ByteRange> ranges;
    for (size_t i = 0; i < rows_.size() && !encoding_.all_null; ++i) {
      const RowRange rows = rows_[i];
      if (encoding_.validity) ranges.push_back(BytesOfValues(*encoding_.validity, 1, rows));
      for (const auto& dimension : encoding_.dimensions) {
        if (!dimension.validity) continue;
        ranges.push_back(BytesOfValues(*dimension.validity, 1, ItemsOf(rows, dimension.num_items)));
      }
      if (encoding_.bits > 0) ranges.push_back(BytesOfValues(encoding_.values, encoding_.bits, rows));
    }
    return ranges;
  }

  arrow::Status Decode(ColumnBuilder* out) override {
    // A single range may not have to be copied at all.
    if (rows_.size() > 1 && encoding_.bits > 0) {
      ARROW_RETURN_NOT_OK(out->ReserveValues(TotalLength(rows_), TotalSize(bytes_)));
    }
    size_t next = 0;
    for (const RowRange& rows : rows_) {
      ARROW_RETURN_NOT_OK(encoding_.all_null ? AppendNulls(rows, out) : DecodeRange(rows, &next, out));
    }
    return arrow::Status::OK();
  }

 private:
  static RowRange ItemsOf(RowRange rows, uint64_t items) { return {rows.start * items, rows.length * items}; }

  /// `next` is the first of the bytes that have not been used.
  arrow::Status DecodeRange(RowRange rows, size_t* next, ColumnBuilder* out) const {
    if (encoding_.validity) {
      out->value_validity().AppendBits(bytes_[(*next)++]->data(), rows.start % 8, rows.length);
    } else {
      out->value_validity().Append(true, rows.length);
    }
    const size_t first_dimension = *next;
    for (const auto& dimension : encoding_.dimensions) *next += dimension.validity ? 1 : 0;
    ARROW_RETURN_NOT_OK(encoding_.bits == 0 ? AppendZeros(rows, out) : AppendValues(rows, bytes_[(*next)++], out));
    AppendItemValidity(rows, first_dimension, out);
    return arrow::Status::OK();
  }

  void AppendItemValidity(RowRange rows, size_t next, ColumnBuilder* out) const {
    for (size_t depth = 0; depth < encoding_.dimensions.size(); ++depth) {
      const auto& dimension = encoding_.dimensions[depth];
      if (dimension.all_null) {
        const std::vector<uint8_t> none(rows.length * dimension.num_items / 8 + 1, 0);
        out->AppendItemValidity(depth, none.data(), 0, rows.length);
      } else if (dimension.validity) {
        const uint64_t first_bit = ItemsOf(rows, dimension.num_items).start % 8;
        out->AppendItemValidity(depth, bytes_[next++]->data(), first_bit, rows.length);
      }
    }
  }

  static arrow::Status AppendNulls(RowRange rows, ColumnBuilder* out) {
    out->value_validity().Append(false, rows.length);
    if (out->type().is_empty()) return arrow::Status::OK();
    return AppendZeros(rows, out);
  }

  static arrow::Status AppendZeros(RowRange rows, ColumnBuilder* out) {
    if (rows.length > kMaxNullBytes / out->value_bytes()) {
      return arrow::Status::Invalid("a page of ", rows.length, " nulls of ", out->value_bytes(),
                                    " bytes, more than the ", kMaxNullBytes, " bytes allowed");
    }
    return out->AppendNothing(rows.length);
  }

  arrow::Status AppendValues(RowRange rows, const std::shared_ptr<arrow::Buffer>& values, ColumnBuilder* out) const {
    if (encoding_.element_bits != 1) return out->AppendValues(values);
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(rows.length));
    // The bytes begin with the one that the first bit is in.
    SpreadBits(values->data(), rows.start * encoding_.bits % 8, rows.length * encoding_.bits, to);
    return arrow::Status::OK();
  }

  const PlainArray& encoding_;
  const std::vector<RowRange> rows_;
  bool is_planned_ = false;
  std::vector<std::shared_ptr<arrow::Buffer>> bytes_;
};

/// First where the values end, then their bytes.
class BinaryRead : public ArrayPageRead {
 public:
  /// `encoding` must outlive this, and so must `page`, which may be null, if the values are all of it.
  BinaryRead(const BinaryArray& encoding, std::vector<RowRange> rows, const OpenArrayPage* page = nullptr)
      : encoding_(encoding), rows_(std::move(rows)), page_(page) {}

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    switch (step_++) {
      case 0:
        return PlanEnds();
      case 1:
        for (size_t i = 0; i < rows_.size(); ++i) ARROW_RETURN_NOT_OK(ParseEnds(rows_[i], *bytes[i]));
        return PlanBytes();
      default:
        bytes_.assign(bytes.begin(), bytes.end());
        return std::nullopt;
    }
  }

  arrow::Status Decode(ColumnBuilder* out) override {
    if (encoding_.compression && !rows_.empty()) {
      if (decompressed_ == nullptr) ARROW_RETURN_NOT_OK(DecompressAll());
      ARROW_RETURN_NOT_OK(CheckEnds(static_cast<uint64_t>(decompressed_->size())));
    }
    if (rows_.size() > 1) ARROW_RETURN_NOT_OK(out->ReserveValues(TotalLength(rows_), num_bytes_));
    std::span<uint64_t> starts(starts_);
    for (size_t i = 0; i < rows_.size(); ++i) {
      const std::span<uint64_t> own = starts.first(rows_[i].length + 1);
      ARROW_RETURN_NOT_OK(AppendValues(own, i, out));
      starts = starts.subspan(own.size());
    }
    if (valid_.empty()) {
      out->value_validity().Append(true, TotalLength(rows_));
    } else {
      valid_.resize(TotalLength(rows_), 1);
      out->value_validity().AppendEach(valid_.size(), [next = valid_.begin()]() mutable { return *next++ != 0; });
    }
    return arrow::Status::OK();
  }

 private:
  std::vector<ByteRange> PlanEnds() const {
    std::vector<ByteRange> ranges;
    for (const RowRange& rows : rows_) {
      // A value begins where the one before it ends.
      const uint64_t before = rows.start > 0 ? 1 : 0;
      ranges.push_back(BytesOfValues(encoding_.ends, 64, {rows.start - before, rows.length + before}));
    }
    return ranges;
  }

  /// The ends of the values of a range, and of the one before it.
  arrow::Status ParseEnds(RowRange rows, const arrow::Buffer& buffer) {
    const size_t before = starts_.size();
    starts_.resize(before + rows.length + 1, 0);
    const std::span<uint64_t> own = std::span(starts_).subspan(before);
    std::memcpy(own.data() + (rows.start == 0 ? 1 : 0), buffer.data(), static_cast<size_t>(buffer.size()));
    if (*std::max_element(own.begin(), own.end()) >= encoding_.null_adjustment) {
      valid_.resize(num_rows_, 1);
      for (size_t i = 0; i < own.size(); ++i) {
        const bool is_null = own[i] >= encoding_.null_adjustment;
        if (is_null) own[i] -= encoding_.null_adjustment;
        if (i > 0) valid_.push_back(is_null ? 0 : 1);
      }
    }
    num_rows_ += rows.length;
    if (!std::is_sorted(own.begin(), own.end())) return arrow::Status::Invalid("a value that ends before it begins");
    num_bytes_ += own.back() - own.front();
    return arrow::Status::OK();
  }

  arrow::Result<std::vector<ByteRange>> PlanBytes() {
    const ByteRange all = encoding_.bytes;
    std::vector<ByteRange> ranges;
    if (encoding_.compression) {
      if (page_ != nullptr) decompressed_ = page_->decompressed();
      if (decompressed_ == nullptr && !rows_.empty()) ranges.push_back(all);
      return ranges;
    }
    ARROW_RETURN_NOT_OK(CheckEnds(all.length));
    size_t first = 0;
    for (const RowRange& rows : rows_) {
      ranges.push_back({all.offset + starts_[first], starts_[first + rows.length] - starts_[first]});
      first += rows.length + 1;
    }
    return ranges;
  }

  /// Whether all values lie in so many bytes.
  arrow::Status CheckEnds(uint64_t size) const {
    const auto last = std::max_element(starts_.begin(), starts_.end());
    if (last == starts_.end() || *last <= size) return arrow::Status::OK();
    return arrow::Status::Invalid("a value that ends at byte ", *last, " of ", size);
  }

  arrow::Status DecompressAll() {
    ARROW_ASSIGN_OR_RAISE(decompressed_, Decompress(*encoding_.compression, BytesOf(*bytes_[0]), kMaxBlockBytes));
    if (page_ != nullptr) page_->ShareDecompressed(decompressed_);
    return arrow::Status::OK();
  }

  /// Of the range `i`, whose values lie between `starts`.
  arrow::Status AppendValues(std::span<uint64_t> starts, size_t i, ColumnBuilder* out) const {
    const uint64_t begin = starts.front();
    std::shared_ptr<arrow::Buffer> bytes;
    if (decompressed_ == nullptr) {
      bytes = bytes_[i];
    } else {
      bytes =
          arrow::SliceBuffer(decompressed_, static_cast<int64_t>(begin), static_cast<int64_t>(starts.back() - begin));
    }
    for (uint64_t& start : starts) start -= begin;
    if (encoding_.fsst != nullptr) return AppendFsstValues(*encoding_.fsst, BytesOf(*bytes), starts, out);
    return out->AppendBytes(starts.subspan(1), std::move(bytes));
  }

  const BinaryArray& encoding_;
  const std::vector<RowRange> rows_;
  const OpenArrayPage* const page_;
  int step_ = 0;
  /// Of each range where its values start and where the last ends, in the page's bytes.
  std::vector<uint64_t> starts_;
  /// A byte a row up to the last range with a null; 0 for null.
  std::vector<uint8_t> valid_;
  /// Of the ranges that have been parsed.
  uint64_t num_rows_ = 0;
  uint64_t num_bytes_ = 0;
  /// The bytes of each range, or of the compressed page.
  std::vector<std::shared_ptr<arrow::Buffer>> bytes_;
  std::shared_ptr<arrow::Buffer> decompressed_;
};

/// The bytes of the values of an array of strings, bytes, or a type of fixed width.
class ValueBytesOf {
 public:
  explicit ValueBytesOf(const arrow::Array& array) {
    if (arrow::is_binary_like(array.type_id())) {
      const auto& binary = static_cast<const arrow::BinaryArray&>(array);
      offsets_ = binary.raw_value_offsets();
      values_ = binary.raw_data();
    } else if (arrow::is_large_binary_like(array.type_id())) {
      const auto& binary = static_cast<const arrow::LargeBinaryArray&>(array);
      large_offsets_ = binary.raw_value_offsets();
      values_ = binary.raw_data();
    } else {
      width_ = static_cast<size_t>(array.type()->byte_width());
      values_ = array.data()->buffers[1]->data();
    }
  }

  Bytes operator[](uint64_t i) const {
    if (offsets_ != nullptr) return {values_ + offsets_[i], values_ + offsets_[i + 1]};
    if (large_offsets_ != nullptr) return {values_ + large_offsets_[i], values_ + large_offsets_[i + 1]};
    return {values_ + i * width_, width_};
  }

 private:
  const uint8_t* values_ = nullptr;
  const int32_t* offsets_ = nullptr;
  const int64_t* large_offsets_ = nullptr;
  size_t width_ = 0;
};

/// The indices, and the items if they are not at hand.
class DictionaryRead : public ArrayPageRead {
 public:
  DictionaryRead(std::shared_ptr<const OpenArrayPage> page, std::vector<RowRange> rows, const ValueType& type)
      : page_(std::move(page)),
        encoding_(std::get<DictionaryArray>(page_->encoding())),
        type_(type),
        indices_(encoding_.indices, std::move(rows)),
        dictionary_(page_->dictionary()) {
    // Text that was dictionary-encoded to be written has index 0 for null; dictionaries in memory are written as they
    // are.
    first_index_ = type_.dictionary == nullptr ? 1 : 0;
    type_.dictionary = nullptr;
    steps_.Add(&indices_);
    if (dictionary_ != nullptr) return;
    std::vector<RowRange> all;
    if (encoding_.num_items > 0) all.push_back({0, encoding_.num_items});
    if (const auto* binary = std::get_if<BinaryArray>(&encoding_.items)) {
      items_ = std::make_unique<BinaryRead>(*binary, std::move(all));
    } else {
      items_ = std::make_unique<PlainRead>(std::get<PlainArray>(encoding_.items), std::move(all));
    }
    steps_.Add(items_.get());
  }

  static arrow::Status Check(const DictionaryArray& encoding, const ValueType& type) {
    const bool is_plain = std::holds_alternative<PlainArray>(encoding.items);
    if (type.dimensions.empty() && type.members.empty() && !type.is_empty() &&
        type.primitive->id() != arrow::Type::BOOL) {
      if (is_plain) return PlainRead::Check(std::get<PlainArray>(encoding.items), type);
      if (type.is_variable()) return arrow::Status::OK();
    }
    return arrow::Status::Invalid("a dictionary in a column of type ", type.ToArrow()->ToString());
  }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override { return steps_.Next(bytes); }

  arrow::Status Decode(ColumnBuilder* out) override {
    if (dictionary_ == nullptr) {
      ColumnBuilder items(type_, {false});
      ARROW_RETURN_NOT_OK(items_->Decode(&items));
      ARROW_ASSIGN_OR_RAISE(dictionary_, items.FinishValues());
      page_->KeepDictionary(dictionary_);
    }
    ValueType index_type;
    index_type.primitive = arrow::fixed_size_binary(static_cast<int32_t>(encoding_.indices.bits / 8));
    ColumnBuilder indices(index_type, {false});
    ARROW_RETURN_NOT_OK(indices_.Decode(&indices));
    ARROW_ASSIGN_OR_RAISE(const auto decoded, indices.FinishValues());
    return WithWord(encoding_.indices.bits, [&](auto word) { return Gather<decltype(word)>(*decoded, out); });
  }

 private:
  template <typename Index>
  arrow::Status Gather(const arrow::Array& indices, ColumnBuilder* out) const {
    const uint8_t* const raw = indices.data()->buffers[1]->data();
    const auto count = static_cast<uint64_t>(indices.length());
    const ValueBytesOf items(*dictionary_);
    std::vector<Bytes> values(count);
    std::vector<uint8_t> valid(count);
    uint64_t size = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t index = LoadLittleEndian<Index>(raw + i * sizeof(Index));
      if (indices.IsNull(static_cast<int64_t>(i)) || index < first_index_) continue;
      const uint64_t item = index - first_index_;
      if (item >= encoding_.num_items) {
        return arrow::Status::Invalid("index ", index, " into ", encoding_.num_items, " items");
      }
      valid[i] = dictionary_->IsValid(static_cast<int64_t>(item)) ? 1 : 0;
      values[i] = items[item];
      size += values[i].size();
    }
    if (size > kMaxNullBytes) return arrow::Status::Invalid("rows of ", size, " bytes of dictionary items");
    out->value_validity().AppendEach(count, [next = valid.begin()]() mutable { return *next++ != 0; });
    return out->type().is_variable() ? AppendText(values, size, out) : AppendFixed(values, out);
  }

  static arrow::Status AppendText(const std::vector<Bytes>& values, uint64_t size, ColumnBuilder* out) {
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendBytes(size));
    std::vector<uint64_t> ends;
    ends.reserve(values.size());
    for (const Bytes value : values) {
      if (!value.empty()) std::memcpy(to, value.data(), value.size());
      to += value.size();
      ends.push_back((ends.empty() ? 0 : ends.back()) + value.size());
    }
    out->FinishBytes(ends);
    return arrow::Status::OK();
  }

  /// Zeros where there is no value.
  static arrow::Status AppendFixed(const std::vector<Bytes>& values, ColumnBuilder* out) {
    const uint64_t width = out->value_bytes();
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(values.size()));
    for (const Bytes value : values) {
      if (value.size() == width) {
        std::memcpy(to, value.data(), width);
      } else {
        std::memset(to, 0, width);
      }
      to += width;
    }
    return arrow::Status::OK();
  }

  const std::shared_ptr<const OpenArrayPage> page_;
  const DictionaryArray& encoding_;
  ValueType type_;
  uint64_t first_index_ = 0;
  PlainRead indices_;
  std::shared_ptr<arrow::Array> dictionary_;
  std::unique_ptr<ArrayPageRead> items_;
  SteppedReads steps_;
};

/// Keeps the page of a read that refers to it.
template <typename Read>
class ReadOfPage : public Read {
 public:
  template <typename... Arguments>
  explicit ReadOfPage(std::shared_ptr<const OpenArrayPage> page, Arguments&&... arguments)
      : Read(std::forward<Arguments>(arguments)...), page_(std::move(page)) {}

 private:
  const std::shared_ptr<const OpenArrayPage> page_;
};

}  // namespace

ByteRange BytesOfValues(ByteRange buffer, uint64_t bits, RowRange rows) {
  if (bits % 8 == 0) return {buffer.offset + rows.start * (bits / 8), rows.length * (bits / 8)};
  const uint64_t first = rows.start * bits / 8;
  return {buffer.offset + first, (rows.end() * bits + 7) / 8 - first};
}

arrow::Result<std::unique_ptr<ArrayPageRead>> MakeArrayPageRead(std::shared_ptr<const OpenArrayPage> page,
                                                                std::vector<RowRange> rows, const ValueType& type) {
  const ArrayPage& encoding = page->encoding();
  if (const auto* plain = std::get_if<PlainArray>(&encoding)) {
    ARROW_RETURN_NOT_OK(PlainRead::Check(*plain, type));
    return std::make_unique<ReadOfPage<PlainRead>>(std::move(page), *plain, std::move(rows));
  }
  if (const auto* dictionary = std::get_if<DictionaryArray>(&encoding)) {
    ARROW_RETURN_NOT_OK(DictionaryRead::Check(*dictionary, type));
    return std::make_unique<DictionaryRead>(std::move(page), std::move(rows), type);
  }
  const auto* binary = std::get_if<BinaryArray>(&encoding);
  if (binary == nullptr || !type.is_variable() || !type.members.empty()) {
    return arrow::Status::Invalid("a page whose encoding does not fit a column of type ", type.ToArrow()->ToString());
  }
  const OpenArrayPage* const opened = page.get();
  return std::make_unique<ReadOfPage<BinaryRead>>(std::move(page), *binary, std::move(rows), opened);
}

}  // namespace fewter::lance
