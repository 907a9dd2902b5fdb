#include "fewter/lance/encoding/column_builder_internal.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include "fewter/util/bytes.h"

namespace fewter::lance {

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

std::shared_ptr<arrow::Buffer> ValidityBuilder::Finish() {
  if (null_count_ == 0) return nullptr;
  return arrow::Buffer::FromVector(std::move(bits_));
}

ColumnBuilder::ColumnBuilder(uint64_t value_bytes, bool is_list) : value_bytes_(value_bytes), is_list_(is_list) {
  if (is_list_) offsets_.push_back(0);
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
  // 64-bit values packed to one bit.
  constexpr uint64_t kUsualExpansion = 64;
  if (shared_ != nullptr) return arrow::Status::OK();
  const uint64_t backed = bytes_read * kUsualExpansion / value_bytes_;
  return MakeOwned((num_values_ + std::min(count, backed)) * value_bytes_);
}

arrow::Result<uint8_t*> ColumnBuilder::ExtendValues(uint64_t count) {
  uint64_t size = 0;
  if (!CheckedAdd(num_values_, count, &size) || !CheckedMultiply(size, value_bytes_, &size) ||
      size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 2)) {
    return arrow::Status::Invalid(count, " values are too many for one array");
  }
  const uint64_t before = num_values_ * value_bytes_;
  ARROW_RETURN_NOT_OK(MakeOwned(size));
  ARROW_RETURN_NOT_OK(owned_->Resize(static_cast<int64_t>(size), false));
  num_values_ += count;
  return owned_->mutable_data() + before;
}

arrow::Status ColumnBuilder::AppendValues(std::shared_ptr<arrow::Buffer> values) {
  const uint64_t count = static_cast<uint64_t>(values->size()) / value_bytes_;
  if (num_values_ == 0 && owned_ == nullptr && shared_ == nullptr) {
    shared_ = std::move(values);
    num_values_ = count;
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(uint8_t * out, ExtendValues(count));
  if (count > 0) std::memcpy(out, values->data(), count * value_bytes_);
  return arrow::Status::OK();
}

void ColumnBuilder::AppendNullItems(uint64_t count, uint64_t items) {
  item_validity_.Append(true, (num_values_ - count) * items - item_validity_.length());
  item_validity_.Append(false, count * items);
}

void ColumnBuilder::AppendItemValidity(const uint8_t* bits, uint64_t first_bit, uint64_t count, uint64_t items) {
  item_validity_.Append(true, (num_values_ - count) * items - item_validity_.length());
  for (uint64_t i = first_bit; i < first_bit + count * items; ++i) {
    item_validity_.Append((bits[i / 8] >> (i % 8) & 1) != 0);
  }
}

arrow::Status ColumnBuilder::AppendList(uint64_t length, bool valid) {
  const auto last = static_cast<uint64_t>(offsets_.back());
  if (length > static_cast<uint64_t>(std::numeric_limits<int32_t>::max()) - last) {
    return arrow::Status::Invalid("lists of more than 2^31 items in one array");
  }
  offsets_.push_back(static_cast<int32_t>(last + length));
  list_validity_.Append(valid);
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ColumnBuilder::FinishValues(const ValueType& type) {
  std::shared_ptr<arrow::Buffer> values = owned_ != nullptr ? std::shared_ptr<arrow::Buffer>(owned_) : shared_;
  if (values == nullptr) return arrow::AllocateBuffer(0);
  if (type.primitive->id() == arrow::Type::BOOL) {
    ARROW_ASSIGN_OR_RAISE(auto bits, arrow::AllocateEmptyBitmap(static_cast<int64_t>(num_values_)));
    for (uint64_t i = 0; i < num_values_; ++i) {
      arrow::bit_util::SetBitTo(bits->mutable_data(), static_cast<int64_t>(i), values->data()[i] != 0);
    }
    return bits;
  }
  const auto natural = static_cast<uint64_t>(type.primitive->bit_width()) / 8;
  if (values->address() % natural == 0) return values;
  return EnsureAligned(std::move(values));
}

arrow::Result<std::shared_ptr<arrow::Array>> ColumnBuilder::Finish(const ValueType& type,
                                                                   const std::shared_ptr<arrow::Field>& item_field) {
  if (value_validity_.length() != num_values_) {
    return arrow::Status::Invalid(value_validity_.length(), " validity bits for ", num_values_, " values");
  }
  ARROW_ASSIGN_OR_RAISE(auto values, FinishValues(type));
  const int64_t value_nulls = value_validity_.null_count();
  std::shared_ptr<arrow::Buffer> value_validity = value_validity_.Finish();
  // From the primitives outwards: only they and the outermost vectors, which are the values, have nulls.
  auto length = static_cast<int64_t>(num_values_ * type.num_items());
  const bool is_vector = !type.dimensions.empty();
  item_validity_.Append(true, static_cast<uint64_t>(length) - item_validity_.length());
  const int64_t item_nulls = item_validity_.null_count();
  auto data = arrow::ArrayData::Make(type.primitive, length,
                                     {is_vector ? item_validity_.Finish() : value_validity, std::move(values)},
                                     is_vector ? item_nulls : value_nulls);
  std::shared_ptr<arrow::DataType> nested = type.primitive;
  for (size_t i = type.dimensions.size(); i-- > 0;) {
    length /= type.dimensions[i];
    nested = arrow::fixed_size_list(arrow::field("item", nested), type.dimensions[i]);
    data = arrow::ArrayData::Make(nested, length, {i == 0 ? value_validity : nullptr}, {std::move(data)},
                                  i == 0 ? value_nulls : 0);
  }
  if (is_list_) {
    const auto rows = static_cast<int64_t>(offsets_.size() - 1);
    const int64_t list_nulls = list_validity_.null_count();
    if (static_cast<uint64_t>(offsets_.back()) != num_values_) {
      return arrow::Status::Invalid("lists of ", offsets_.back(), " items, but ", num_values_, " values");
    }
    data = arrow::ArrayData::Make(arrow::list(item_field->WithType(nested)), rows,
                                  {list_validity_.Finish(), arrow::Buffer::FromVector(std::move(offsets_))},
                                  {std::move(data)}, list_nulls);
  }
  return arrow::MakeArray(data);
}

}  // namespace fewter::lance
