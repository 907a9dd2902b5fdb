#include "fewter/lance/encoding/array_slice_internal.h"

#include <cstring>
#include <utility>

#include <arrow/array/array_binary.h>

#include "fewter/lance/encoding/block_internal.h"
#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/lance/encoding/words_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// A page of nulls can claim any number of rows without a byte to back them; this is the most that one read of it
/// yields.
constexpr uint64_t kMaxNullBytes = uint64_t{256} << 20;

class PlainRead : public SliceRead {
 public:
  /// `encoding` must outlive this.
  PlainRead(const PlainArray& encoding, RowRange rows) : encoding_(encoding), rows_(rows) {}

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
    if (encoding_.all_null) return ranges;
    if (encoding_.validity) ranges.push_back(BytesOfValues(*encoding_.validity, 1, rows_));
    for (const auto& dimension : encoding_.dimensions) {
      if (dimension.validity) ranges.push_back(BytesOfValues(*dimension.validity, 1, ItemsOf(dimension.num_items)));
    }
    if (encoding_.bits > 0) ranges.push_back(BytesOfValues(encoding_.values, encoding_.bits, rows_));
    return ranges;
  }

  arrow::Status Decode(ColumnBuilder* out) override {
    if (encoding_.all_null) return AppendNulls(out);
    size_t next = 0;
    if (encoding_.validity) {
      out->value_validity().AppendBits(bytes_[next++]->data(), rows_.start % 8, rows_.length);
    } else {
      out->value_validity().Append(true, rows_.length);
    }
    ARROW_RETURN_NOT_OK(AppendValues(out));
    for (size_t depth = 0; depth < encoding_.dimensions.size(); ++depth) {
      const auto& dimension = encoding_.dimensions[depth];
      if (dimension.all_null) {
        const std::vector<uint8_t> none(rows_.length * dimension.num_items / 8 + 1, 0);
        out->AppendItemValidity(depth, none.data(), 0, rows_.length);
      } else if (dimension.validity) {
        const uint64_t first_bit = ItemsOf(dimension.num_items).start % 8;
        out->AppendItemValidity(depth, bytes_[next++]->data(), first_bit, rows_.length);
      }
    }
    return arrow::Status::OK();
  }

 private:
  RowRange ItemsOf(uint64_t items) const { return {rows_.start * items, rows_.length * items}; }

  arrow::Status AppendNulls(ColumnBuilder* out) const {
    out->value_validity().Append(false, rows_.length);
    if (out->type().is_empty()) return arrow::Status::OK();
    return AppendZeros(out);
  }

  arrow::Status AppendZeros(ColumnBuilder* out) const {
    if (rows_.length > kMaxNullBytes / out->value_bytes()) {
      return arrow::Status::Invalid("a page of ", rows_.length, " nulls of ", out->value_bytes(),
                                    " bytes, more than the ", kMaxNullBytes, " bytes allowed");
    }
    return out->AppendNothing(rows_.length);
  }

  arrow::Status AppendValues(ColumnBuilder* out) const {
    if (encoding_.bits == 0) return AppendZeros(out);
    const std::shared_ptr<arrow::Buffer>& values = bytes_.back();
    if (encoding_.element_bits != 1) return out->AppendValues(values);
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(rows_.length));
    // The bytes begin with the one that the first bit is in.
    SpreadBits(values->data(), rows_.start * encoding_.bits % 8, rows_.length * encoding_.bits, to);
    return arrow::Status::OK();
  }

  const PlainArray& encoding_;
  const RowRange rows_;
  bool is_planned_ = false;
  std::vector<std::shared_ptr<arrow::Buffer>> bytes_;
};

/// First where the values end, then their bytes.
class BinaryRead : public SliceRead {
 public:
  /// `encoding` must outlive this.
  BinaryRead(const BinaryArray& encoding, RowRange rows) : encoding_(encoding), rows_(rows) {}

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    switch (step_++) {
      case 0: {
        // A value begins where the one before it ends.
        const uint64_t before = rows_.start > 0 ? 1 : 0;
        return std::vector<ByteRange>{BytesOfValues(encoding_.ends, 64, {rows_.start - before, rows_.length + before})};
      }
      case 1: {
        ARROW_RETURN_NOT_OK(ParseEnds(*bytes[0]));
        const ByteRange all = encoding_.bytes;
        if (encoding_.compression) return std::vector<ByteRange>{rows_.length > 0 ? all : ByteRange{all.offset, 0}};
        if (ends_.back() > all.length) return TooFar(all.length);
        return std::vector<ByteRange>{{all.offset + ends_.front(), ends_.back() - ends_.front()}};
      }
      default:
        bytes_ = bytes[0];
        return std::nullopt;
    }
  }

  arrow::Status Decode(ColumnBuilder* out) override {
    uint64_t start = ends_.front();
    if (encoding_.compression && rows_.length > 0) {
      ARROW_ASSIGN_OR_RAISE(bytes_, Decompress(*encoding_.compression, BytesOf(*bytes_), kMaxBlockBytes));
      start = 0;
      if (ends_.back() > static_cast<uint64_t>(bytes_->size())) return TooFar(static_cast<uint64_t>(bytes_->size()));
    }
    ARROW_RETURN_NOT_OK(out->ReserveValues(rows_.length, ends_.back() - ends_.front()));
    const Compression compression =
        encoding_.fsst ? Compression{FsstCompression{encoding_.fsst, 64}} : Compression{VariableCompression{64}};
    for (uint64_t i = 0; i < rows_.length; ++i) {
      const Bytes value = BytesOf(*bytes_).subspan(ends_[i] - start, ends_[i + 1] - ends_[i]);
      ARROW_RETURN_NOT_OK(AppendZippedValue(compression, value, out));
      out->value_validity().Append(valid_[i]);
    }
    return arrow::Status::OK();
  }

 private:
  arrow::Status TooFar(uint64_t size) const {
    return arrow::Status::Invalid("a value that ends at byte ", ends_.back(), " of ", size);
  }

  arrow::Status ParseEnds(const arrow::Buffer& buffer) {
    if (rows_.start == 0) ends_.push_back(0);
    for (int64_t i = 0; i < buffer.size() / static_cast<int64_t>(sizeof(uint64_t)); ++i) {
      auto end = LoadLittleEndian<uint64_t>(buffer.data() + i * static_cast<int64_t>(sizeof(uint64_t)));
      const bool is_null = end >= encoding_.null_adjustment;
      if (is_null) end -= encoding_.null_adjustment;
      if (!ends_.empty()) {
        if (end < ends_.back()) return arrow::Status::Invalid("a value that ends at ", end, " after ", ends_.back());
        valid_.push_back(!is_null);
      }
      ends_.push_back(end);
    }
    return arrow::Status::OK();
  }

  const BinaryArray& encoding_;
  const RowRange rows_;
  int step_ = 0;
  /// Where the first value starts and where each ends.
  std::vector<uint64_t> ends_;
  std::vector<bool> valid_;
  std::shared_ptr<arrow::Buffer> bytes_;
};

/// Bytes of a value of an array of strings, bytes, or a type of fixed width.
Bytes ValueAt(const arrow::Array& array, int64_t i) {
  std::string_view view;
  if (arrow::is_binary_like(array.type_id())) {
    view = static_cast<const arrow::BinaryArray&>(array).GetView(i);
  } else if (arrow::is_large_binary_like(array.type_id())) {
    view = static_cast<const arrow::LargeBinaryArray&>(array).GetView(i);
  } else {
    const auto width = static_cast<size_t>(array.type()->byte_width());
    return {array.data()->buffers[1]->data() + static_cast<size_t>(i) * width, width};
  }
  return {reinterpret_cast<const uint8_t*>(view.data()), view.size()};
}

/// The indices, and the items if they are not at hand.
class DictionaryRead : public SliceRead {
 public:
  DictionaryRead(std::shared_ptr<const OpenArrayPage> page, RowRange rows, const ValueType& type)
      : page_(std::move(page)),
        encoding_(std::get<DictionaryArray>(page_->encoding())),
        rows_(rows),
        type_(type),
        indices_(encoding_.indices, rows),
        dictionary_(page_->dictionary()) {
    // Text that was dictionary-encoded to be written has index 0 for null; dictionaries in memory are written as they
    // are.
    first_index_ = type_.dictionary == nullptr ? 1 : 0;
    type_.dictionary = nullptr;
    steps_.Add(&indices_);
    if (dictionary_ != nullptr) return;
    const RowRange all{0, encoding_.num_items};
    if (const auto* binary = std::get_if<BinaryArray>(&encoding_.items)) {
      items_ = std::make_unique<BinaryRead>(*binary, all);
    } else {
      items_ = std::make_unique<PlainRead>(std::get<PlainArray>(encoding_.items), all);
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
    uint64_t size = 0;
    for (int64_t i = 0; i < indices.length(); ++i) {
      const uint64_t index = LoadLittleEndian<Index>(ValueAt(indices, i).data());
      const uint64_t item = index - first_index_;
      if (indices.IsNull(i) || index < first_index_) {
        out->value_validity().Append(false);
        ARROW_RETURN_NOT_OK(out->AppendNothing());
        continue;
      }
      if (item >= encoding_.num_items) {
        return arrow::Status::Invalid("index ", index, " into ", encoding_.num_items, " items");
      }
      const Bytes value = ValueAt(*dictionary_, static_cast<int64_t>(item));
      size += value.size();
      if (size > kMaxNullBytes) return arrow::Status::Invalid("rows of ", size, " bytes of dictionary items");
      out->value_validity().Append(dictionary_->IsValid(static_cast<int64_t>(item)));
      ARROW_RETURN_NOT_OK(out->AppendBytes(value));
    }
    return arrow::Status::OK();
  }

  const std::shared_ptr<const OpenArrayPage> page_;
  const DictionaryArray& encoding_;
  const RowRange rows_;
  ValueType type_;
  uint64_t first_index_ = 0;
  PlainRead indices_;
  std::shared_ptr<arrow::Array> dictionary_;
  std::unique_ptr<SliceRead> items_;
  SteppedReads steps_;
};

/// Keeps the page of a read that refers to it.
template <typename Read>
class ReadOfPage : public Read {
 public:
  template <typename Encoding>
  ReadOfPage(std::shared_ptr<const OpenArrayPage> page, const Encoding& encoding, RowRange rows)
      : Read(encoding, rows), page_(std::move(page)) {}

 private:
  const std::shared_ptr<const OpenArrayPage> page_;
};

}  // namespace

ByteRange BytesOfValues(ByteRange buffer, uint64_t bits, RowRange rows) {
  if (bits % 8 == 0) return {buffer.offset + rows.start * (bits / 8), rows.length * (bits / 8)};
  const uint64_t first = rows.start * bits / 8;
  return {buffer.offset + first, (rows.end() * bits + 7) / 8 - first};
}

arrow::Result<std::unique_ptr<SliceRead>> MakeSliceRead(std::shared_ptr<const OpenArrayPage> page, RowRange rows,
                                                        const ValueType& type) {
  const ArrayPage& encoding = page->encoding();
  if (const auto* plain = std::get_if<PlainArray>(&encoding)) {
    ARROW_RETURN_NOT_OK(PlainRead::Check(*plain, type));
    return std::make_unique<ReadOfPage<PlainRead>>(std::move(page), *plain, rows);
  }
  if (const auto* dictionary = std::get_if<DictionaryArray>(&encoding)) {
    ARROW_RETURN_NOT_OK(DictionaryRead::Check(*dictionary, type));
    return std::make_unique<DictionaryRead>(std::move(page), rows, type);
  }
  const auto* binary = std::get_if<BinaryArray>(&encoding);
  if (binary == nullptr || !type.is_variable() || !type.members.empty()) {
    return arrow::Status::Invalid("a page whose encoding does not fit a column of type ", type.ToArrow()->ToString());
  }
  return std::make_unique<ReadOfPage<BinaryRead>>(std::move(page), *binary, rows);
}

}  // namespace fewter::lance
