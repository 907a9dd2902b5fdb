#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/encoding/value_type_internal.h"

namespace fewter::lance {

/// A bitmap that exists only once there is a null.
class ValidityBuilder {
 public:
  void Append(bool valid, uint64_t count = 1);
  uint64_t length() const { return length_; }
  int64_t null_count() const { return null_count_; }
  /// The bitmap, or null if all are valid.
  std::shared_ptr<arrow::Buffer> Finish();

 private:
  std::vector<uint8_t> bits_;
  uint64_t length_ = 0;
  int64_t null_count_ = 0;
};

/// The rows of a column as its pages are decoded, one page after the other.
///
/// Values are appended in one of two ways: as a buffer, which is not copied if it stays the only one, or by writing
/// into space asked for. Everything appended has been backed by bytes that were read, or by a limit, so growing it is
/// safe.
class ColumnBuilder {
 public:
  /// `value_bytes` as ValueType::bytes. With `is_list`, rows are lists of values.
  ColumnBuilder(uint64_t value_bytes, bool is_list);

  uint64_t value_bytes() const { return value_bytes_; }
  uint64_t num_values() const { return num_values_; }

  /// Makes room for `count` values at once, so that they need not be moved later; but for no more than `bytes_read`
  /// bytes of a file can reasonably stand for, since nobody has checked `count` yet.
  arrow::Status ReserveValues(uint64_t count, uint64_t bytes_read);
  /// Space for `count` more values, not initialised; valid until the next call.
  arrow::Result<uint8_t*> ExtendValues(uint64_t count);
  /// Appends a whole number of values.
  arrow::Status AppendValues(std::shared_ptr<arrow::Buffer> values);
  /// Whether each value, or item of a list, is valid; to be called for every value.
  ValidityBuilder& value_validity() { return value_validity_; }
  /// Whether the items of the last `count` vectors are valid: `items` bits a vector, from bit `first_bit` of `bits` on.
  /// Items for which this is not called are valid. Their values are kept as the file has them, null or not.
  void AppendItemValidity(const uint8_t* bits, uint64_t first_bit, uint64_t count, uint64_t items);
  /// The same where none is valid.
  void AppendNullItems(uint64_t count, uint64_t items);

  /// A row of the next `length` values. Invalid if an Arrow list array cannot hold them all.
  arrow::Status AppendList(uint64_t length, bool valid);

  /// The array: values of `type`, or lists of them with `item_field` as their item.
  arrow::Result<std::shared_ptr<arrow::Array>> Finish(const ValueType& type,
                                                      const std::shared_ptr<arrow::Field>& item_field);

 private:
  arrow::Status MakeOwned(uint64_t capacity);
  arrow::Result<std::shared_ptr<arrow::Buffer>> FinishValues(const ValueType& type);

  const uint64_t value_bytes_;
  const bool is_list_;
  uint64_t num_values_ = 0;
  /// The values are either one buffer of somebody else's or our own.
  std::shared_ptr<arrow::Buffer> shared_;
  std::shared_ptr<arrow::ResizableBuffer> owned_;
  ValidityBuilder value_validity_;
  /// Of the items of vectors, up to the last of which it was said.
  ValidityBuilder item_validity_;
  std::vector<int32_t> offsets_;
  ValidityBuilder list_validity_;
};

}  // namespace fewter::lance
