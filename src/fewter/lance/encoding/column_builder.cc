#include "fewter/lance/encoding/column_builder_internal.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/utf8.h>

#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// Offsets as an array of this type has them; `too_many` says what is wrong if they do not fit.
arrow::Result<std::shared_ptr<arrow::Buffer>> OffsetsOf(std::vector<int64_t> offsets, bool large,
                                                        const char* too_many) {
  if (large) return arrow::Buffer::FromVector(std::move(offsets));
  if (offsets.back() > std::numeric_limits<int32_t>::max()) return arrow::Status::Invalid(too_many);
  ARROW_ASSIGN_OR_RAISE(auto narrow, arrow::AllocateBuffer(static_cast<int64_t>(offsets.size() * sizeof(int32_t))));
  std::transform(offsets.begin(), offsets.end(), narrow->mutable_data_as<int32_t>(),
                 [](int64_t offset) { return static_cast<int32_t>(offset); });
  return std::shared_ptr<arrow::Buffer>(std::move(narrow));
}

bool IsAscii(std::span<const uint8_t> bytes) {
  uint64_t all = 0;
  size_t i = 0;
  for (; i + sizeof(all) <= bytes.size(); i += sizeof(all)) all |= LoadLittleEndian<uint64_t>(bytes.data() + i);
  for (; i < bytes.size(); ++i) all |= bytes[i];
  return (all & 0x8080808080808080) == 0;
}

/// Whether the bytes are UTF-8, and no offset is inside a character.
bool IsText(std::span<const uint8_t> bytes, std::span<const int64_t> offsets) {
  if (IsAscii(bytes)) return true;
  arrow::util::InitializeUTF8();
  if (!arrow::util::ValidateUTF8(bytes.data(), static_cast<int64_t>(bytes.size()))) return false;
  return std::all_of(offsets.begin(), offsets.end(), [&](int64_t offset) {
    return static_cast<size_t>(offset) == bytes.size() || (bytes[static_cast<size_t>(offset)] & 0xC0) != 0x80;
  });
}

}  // namespace

void ValidityBuilder::MakeBits(uint64_t count) {
  const bool is_first = bits_.empty();
  bits_.resize((length_ + count + 7) / 8);
  if (is_first) arrow::bit_util::SetBitsTo(bits_.data(), 0, static_cast<int64_t>(length_), true);
}

void ValidityBuilder::CountBits(uint64_t count) {
  const auto bits = static_cast<int64_t>(count);
  null_count_ += bits - arrow::internal::CountSetBits(bits_.data(), static_cast<int64_t>(length_), bits);
  length_ += count;
}

void ValidityBuilder::Append(bool valid, uint64_t count) {
  if (!valid || !bits_.empty()) {
    MakeBits(count);
    arrow::bit_util::SetBitsTo(bits_.data(), static_cast<int64_t>(length_), static_cast<int64_t>(count), valid);
  }
  length_ += count;
  if (!valid) null_count_ += static_cast<int64_t>(count);
}

void ValidityBuilder::AppendBits(const uint8_t* bits, uint64_t first, uint64_t count) {
  MakeBits(count);
  arrow::internal::CopyBitmap(bits, static_cast<int64_t>(first), static_cast<int64_t>(count), bits_.data(),
                              static_cast<int64_t>(length_));
  CountBits(count);
}

std::shared_ptr<arrow::Buffer> ValidityBuilder::Finish() {
  if (null_count_ == 0) return nullptr;
  return arrow::Buffer::FromVector(std::move(bits_));
}

arrow::Result<std::shared_ptr<arrow::Buffer>> LayerBuilder::FinishOffsets(bool large) {
  return OffsetsOf(std::move(offsets_), large, "lists of more than 2^31 items in one array");
}

ColumnBuilder::ColumnBuilder(ValueType type, const std::vector<bool>& lists)
    : type_(std::move(type)),
      is_variable_(type_.is_variable()),
      value_bytes_(is_variable_ ? 1 : type_.bytes()),
      item_validity_(type_.dimensions.size()) {
  for (const bool is_list : lists) layers_.emplace_back(is_list);
}

arrow::Status ColumnBuilder::MakeOwned(uint64_t capacity) {
  if (owned_ == nullptr) {
    ARROW_ASSIGN_OR_RAISE(owned_, arrow::AllocateResizableBuffer(0));
    ARROW_RETURN_NOT_OK(owned_->Reserve(static_cast<int64_t>(capacity)));
    if (shared_ != nullptr) {
      ARROW_RETURN_NOT_OK(owned_->Resize(shared_->size(), false));
      std::memcpy(owned_->mutable_data(), shared_->data(), static_cast<size_t>(shared_->size()));
      shared_ = nullptr;
    }
    return arrow::Status::OK();
  }
  if (capacity <= static_cast<uint64_t>(owned_->capacity())) return arrow::Status::OK();
  return owned_->Reserve(std::max(static_cast<int64_t>(capacity), 2 * owned_->capacity()));
}

arrow::Status ColumnBuilder::ReserveValues(uint64_t count, uint64_t bytes_read) {
  if (is_variable_) {
    // Most text is not compressed, or to no less than a half.
    offsets_.reserve(offsets_.size() + std::min(count, bytes_read));
    const uint64_t used = owned_ == nullptr ? 0 : static_cast<uint64_t>(owned_->size());
    return MakeOwned(used + bytes_read);
  }
  // 64-bit values packed to one bit.
  constexpr uint64_t kUsualExpansion = 64;
  if (shared_ != nullptr) return arrow::Status::OK();
  const uint64_t backed = bytes_read * kUsualExpansion / value_bytes_;
  return MakeOwned((num_values_ + std::min(count, backed)) * value_bytes_);
}

arrow::Result<uint8_t*> ColumnBuilder::ExtendValues(uint64_t count) {
  uint64_t size = 0;
  if (is_variable_ || !CheckedAdd(num_values_, count, &size) || !CheckedMultiply(size, value_bytes_, &size) ||
      size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 2)) {
    return arrow::Status::Invalid(count, " values of fixed width are too many for one array");
  }
  const uint64_t before = num_values_ * value_bytes_;
  ARROW_RETURN_NOT_OK(MakeOwned(size));
  ARROW_RETURN_NOT_OK(owned_->Resize(static_cast<int64_t>(size), false));
  num_values_ += count;
  return owned_->mutable_data() + before;
}

arrow::Status ColumnBuilder::AppendValues(std::shared_ptr<arrow::Buffer> values) {
  const uint64_t count = static_cast<uint64_t>(values->size()) / value_bytes_;
  if (num_values_ == 0 && owned_ == nullptr && shared_ == nullptr && !is_variable_) {
    shared_ = std::move(values);
    num_values_ = count;
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(uint8_t * out, ExtendValues(count));
  if (count > 0) std::memcpy(out, values->data(), count * value_bytes_);
  return arrow::Status::OK();
}

arrow::Result<uint8_t*> ColumnBuilder::ExtendBytes(uint64_t count) {
  const uint64_t used = num_bytes();
  uint64_t size = 0;
  if (!is_variable_ || !CheckedAdd(used, count, &size) ||
      size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 2)) {
    return arrow::Status::Invalid(count, " bytes of values of varying length are too many for one array");
  }
  ARROW_RETURN_NOT_OK(MakeOwned(size));
  ARROW_RETURN_NOT_OK(owned_->Resize(static_cast<int64_t>(size), false));
  return owned_->mutable_data() + used;
}

void ColumnBuilder::FinishBytes(std::span<const uint64_t> ends) {
  const auto used = offsets_.back();
  const size_t before = offsets_.size();
  offsets_.resize(before + ends.size());
  std::transform(ends.begin(), ends.end(), offsets_.begin() + static_cast<std::ptrdiff_t>(before),
                 [used](uint64_t end) { return used + static_cast<int64_t>(end); });
  num_values_ += ends.size();
}

arrow::Status ColumnBuilder::AppendNothing(uint64_t count) {
  if (is_variable_) {
    offsets_.resize(offsets_.size() + count, offsets_.back());
    num_values_ += count;
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(uint8_t * out, ExtendValues(count));
  if (count > 0) std::memset(out, 0, count * value_bytes_);
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendBytes(std::span<const uint8_t> value) {
  if (!is_variable_) {
    if (value.size() != value_bytes_) {
      return arrow::Status::Invalid("a value of ", value.size(), " bytes where all have ", value_bytes_);
    }
    ARROW_ASSIGN_OR_RAISE(uint8_t * fixed, ExtendValues(1));
    std::memcpy(fixed, value.data(), value.size());
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(uint8_t * out, ExtendBytes(value.size()));
  if (!value.empty()) std::memcpy(out, value.data(), value.size());
  const uint64_t end = value.size();
  FinishBytes({&end, 1});
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendBytes(std::span<const uint64_t> ends, std::span<const uint8_t> bytes) {
  ARROW_ASSIGN_OR_RAISE(uint8_t * out, ExtendBytes(bytes.size()));
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  FinishBytes(ends);
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendBytes(std::span<const uint64_t> ends, std::shared_ptr<arrow::Buffer> bytes) {
  if (num_values_ > 0 || owned_ != nullptr || shared_ != nullptr || !is_variable_ || bytes->size() == 0) {
    return AppendBytes(ends, BytesOf(*bytes));
  }
  shared_ = std::move(bytes);
  FinishBytes(ends);
  return arrow::Status::OK();
}

void ColumnBuilder::AppendItemValidity(size_t depth, const uint8_t* bits, uint64_t first_bit, uint64_t count) {
  uint64_t items = 1;
  for (size_t i = 0; i <= depth; ++i) items *= static_cast<uint64_t>(type_.dimensions[i]);
  ValidityBuilder& validity = item_validity_[depth];
  validity.Append(true, (num_values_ - count) * items - validity.length());
  validity.AppendBits(bits, first_bit, count * items);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ColumnBuilder::FinishFixed() {
  std::shared_ptr<arrow::Buffer> values = owned_ != nullptr ? std::shared_ptr<arrow::Buffer>(owned_) : shared_;
  if (values == nullptr) return arrow::AllocateBuffer(0);
  if (type_.primitive->id() == arrow::Type::BOOL) {
    const uint64_t count = num_values_ * type_.num_items();
    ARROW_ASSIGN_OR_RAISE(auto bits, arrow::AllocateEmptyBitmap(static_cast<int64_t>(count)));
    arrow::internal::GenerateBitsUnrolled(bits->mutable_data(), 0, static_cast<int64_t>(count),
                                          [byte = values->data()]() mutable { return *byte++ != 0; });
    return bits;
  }
  const auto natural = static_cast<uint64_t>(type_.primitive->bit_width()) / 8;
  const bool is_number = arrow::is_primitive(type_.primitive->id()) || arrow::is_decimal(type_.primitive->id());
  if (!is_number || values->address() % natural == 0) return values;
  return EnsureAligned(std::move(values));
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> ColumnBuilder::FinishVectors() {
  ARROW_ASSIGN_OR_RAISE(auto values, FinishFixed());
  const int64_t value_nulls = value_validity().null_count();
  std::shared_ptr<arrow::Buffer> value_validity = this->value_validity().Finish();
  // From the primitives outwards. The outermost vectors are the values.
  auto length = static_cast<int64_t>(num_values_ * type_.num_items());
  const size_t depth = type_.dimensions.size();
  const auto validity_at = [&](size_t i) -> std::pair<std::shared_ptr<arrow::Buffer>, int64_t> {
    if (i == 0) return {value_validity, value_nulls};
    ValidityBuilder& items = item_validity_[i - 1];
    items.Append(true, static_cast<uint64_t>(length) - items.length());
    const int64_t nulls = items.null_count();
    return {items.Finish(), nulls};
  };
  auto [validity, nulls] = validity_at(depth);
  auto data = arrow::ArrayData::Make(type_.primitive, length, {std::move(validity), std::move(values)}, nulls);
  std::shared_ptr<arrow::DataType> nested = type_.primitive;
  for (size_t i = depth; i-- > 0;) {
    length /= type_.dimensions[i];
    nested = arrow::fixed_size_list(arrow::field("item", nested), type_.dimensions[i]);
    auto [outer_validity, outer_nulls] = validity_at(i);
    data = arrow::ArrayData::Make(nested, length, {std::move(outer_validity)}, {std::move(data)}, outer_nulls);
  }
  return data;
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> ColumnBuilder::FinishVariable() {
  std::shared_ptr<arrow::Buffer> bytes = shared_;
  if (owned_ != nullptr) {
    // Some of it may have been asked for in vain.
    ARROW_RETURN_NOT_OK(owned_->Resize(offsets_.back(), false));
    bytes = owned_;
  } else if (bytes == nullptr) {
    ARROW_ASSIGN_OR_RAISE(bytes, arrow::AllocateBuffer(0));
  }
  const auto id = type_.primitive->id();
  const bool large = !type_.members.empty() || arrow::is_large_binary_like(id);
  const bool is_text = !arrow::is_string(id) || IsText(BytesOf(*bytes), offsets_);
  ARROW_ASSIGN_OR_RAISE(auto offsets,
                        OffsetsOf(std::move(offsets_), large, "values of more than 2^31 bytes in one array"));
  const int64_t nulls = value_validity().null_count();
  auto validity = value_validity().Finish();
  auto data = arrow::ArrayData::Make(type_.members.empty() ? type_.primitive : arrow::large_binary(),
                                     static_cast<int64_t>(num_values_),
                                     {std::move(validity), std::move(offsets), std::move(bytes)}, nulls);
  if (is_text) return data;
  // Bytes below nulls may be anything.
  ARROW_RETURN_NOT_OK(large ? arrow::LargeStringArray(data).ValidateUTF8() : arrow::StringArray(data).ValidateUTF8());
  return data;
}

arrow::Result<std::shared_ptr<arrow::Array>> ColumnBuilder::FinishValues() {
  if (type_.is_empty()) {
    const auto length = static_cast<int64_t>(value_validity().length());
    if (type_.primitive->id() == arrow::Type::NA) return std::make_shared<arrow::NullArray>(length);
    // Structs without fields are written as if all were null, and Lance reads them as if none was.
    return arrow::MakeArray(arrow::ArrayData::Make(type_.primitive, length, {nullptr}, 0));
  }
  if (value_validity().length() != num_values_) {
    return arrow::Status::Invalid(value_validity().length(), " validity bits for ", num_values_, " values");
  }
  std::shared_ptr<arrow::ArrayData> data;
  if (is_variable_) {
    ARROW_ASSIGN_OR_RAISE(data, FinishVariable());
  } else if (type_.members.empty()) {
    ARROW_ASSIGN_OR_RAISE(data, FinishVectors());
  } else {
    const int64_t nulls = value_validity().null_count();
    ARROW_ASSIGN_OR_RAISE(auto rows, FinishFixed());
    data = arrow::ArrayData::Make(arrow::fixed_size_binary(static_cast<int32_t>(value_bytes_)),
                                  static_cast<int64_t>(num_values_), {value_validity().Finish(), rows}, nulls);
  }
  if (!type_.members.empty()) {
    ARROW_ASSIGN_OR_RAISE(data, UnpackStructs(type_, *data));
  }
  auto array = arrow::MakeArray(data);
  if (type_.dictionary == nullptr) return array;
  ARROW_ASSIGN_OR_RAISE(data, EncodeDictionary(type_.dictionary, array));
  return arrow::MakeArray(data);
}

}  // namespace fewter::lance
