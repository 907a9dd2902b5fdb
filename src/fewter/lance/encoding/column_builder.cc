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

#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// Offsets as an array of this type has them; `too_many` says what is wrong if they do not fit.
arrow::Result<std::shared_ptr<arrow::Buffer>> OffsetsOf(std::vector<int64_t> offsets, bool large,
                                                        const char* too_many) {
  if (large) return arrow::Buffer::FromVector(std::move(offsets));
  if (offsets.back() > std::numeric_limits<int32_t>::max()) return arrow::Status::Invalid(too_many);
  std::vector<int32_t> narrow(offsets.size());
  std::transform(offsets.begin(), offsets.end(), narrow.begin(), [](int64_t o) { return static_cast<int32_t>(o); });
  return arrow::Buffer::FromVector(std::move(narrow));
}

}  // namespace

void ValidityBuilder::Append(bool valid, uint64_t count) {
  if (valid && bits_.empty()) {
    length_ += count;
    return;
  }
  const bool is_first_null = bits_.empty();
  bits_.resize((length_ + count + 7) / 8);
  if (is_first_null) arrow::bit_util::SetBitsTo(bits_.data(), 0, static_cast<int64_t>(length_), true);
  arrow::bit_util::SetBitsTo(bits_.data(), static_cast<int64_t>(length_), static_cast<int64_t>(count), valid);
  length_ += count;
  if (!valid) null_count_ += static_cast<int64_t>(count);
}

void ValidityBuilder::AppendBits(const uint8_t* bits, uint64_t first, uint64_t count) {
  for (uint64_t i = first; i < first + count; ++i) Append(arrow::bit_util::GetBit(bits, i));
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
    ends_.reserve(ends_.size() + std::min(count, bytes_read));
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
  const uint64_t used = ends_.empty() ? 0 : ends_.back();
  uint64_t size = 0;
  if (!is_variable_ || !CheckedAdd(used, count, &size) ||
      size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 2)) {
    return arrow::Status::Invalid(count, " bytes of values of varying length are too many for one array");
  }
  ARROW_RETURN_NOT_OK(MakeOwned(size));
  ARROW_RETURN_NOT_OK(owned_->Resize(static_cast<int64_t>(size), false));
  return owned_->mutable_data() + used;
}

void ColumnBuilder::FinishBytes(uint64_t count) {
  ends_.push_back((ends_.empty() ? 0 : ends_.back()) + count);
  ++num_values_;
}

arrow::Status ColumnBuilder::AppendNothing(uint64_t count) {
  if (is_variable_) {
    const uint64_t end = ends_.empty() ? 0 : ends_.back();
    ends_.insert(ends_.end(), count, end);
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
  FinishBytes(value.size());
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::AppendBytes(std::span<const uint64_t> ends, std::span<const uint8_t> bytes) {
  const uint64_t used = ends_.empty() ? 0 : ends_.back();
  ARROW_ASSIGN_OR_RAISE(uint8_t * out, ExtendBytes(bytes.size()));
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  const size_t before = ends_.size();
  ends_.resize(before + ends.size());
  std::transform(ends.begin(), ends.end(), ends_.begin() + static_cast<std::ptrdiff_t>(before),
                 [used](uint64_t end) { return used + end; });
  num_values_ += ends.size();
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
    for (uint64_t i = 0; i < count; ++i) {
      arrow::bit_util::SetBitTo(bits->mutable_data(), static_cast<int64_t>(i), values->data()[i] != 0);
    }
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
  std::shared_ptr<arrow::Buffer> bytes = owned_;
  if (bytes == nullptr) {
    ARROW_ASSIGN_OR_RAISE(bytes, arrow::AllocateBuffer(0));
  }
  std::vector<int64_t> starts(ends_.size() + 1);
  std::transform(ends_.begin(), ends_.end(), starts.begin() + 1,
                 [](uint64_t end) { return static_cast<int64_t>(end); });
  const auto id = type_.primitive->id();
  const bool large = !type_.members.empty() || arrow::is_large_binary_like(id);
  ARROW_ASSIGN_OR_RAISE(auto offsets,
                        OffsetsOf(std::move(starts), large, "values of more than 2^31 bytes in one array"));
  const int64_t nulls = value_validity().null_count();
  auto validity = value_validity().Finish();
  auto data = arrow::ArrayData::Make(type_.members.empty() ? type_.primitive : arrow::large_binary(),
                                     static_cast<int64_t>(num_values_),
                                     {std::move(validity), std::move(offsets), std::move(bytes)}, nulls);
  if (id == arrow::Type::STRING) ARROW_RETURN_NOT_OK(arrow::StringArray(data).ValidateUTF8());
  if (id == arrow::Type::LARGE_STRING) ARROW_RETURN_NOT_OK(arrow::LargeStringArray(data).ValidateUTF8());
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
