#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/util/bitmap_generate.h>

#include "fewter/lance/encoding/value_type_internal.h"

namespace fewter::lance {

/// A bitmap that exists only once it may have a null.
class ValidityBuilder {
 public:
  void Append(bool valid, uint64_t count = 1);
  /// `count` more, as is_valid() says of each in turn.
  template <typename IsValid>
  void AppendEach(uint64_t count, IsValid&& is_valid) {
    MakeBits(count);
    arrow::internal::GenerateBitsUnrolled(bits_.data(), static_cast<int64_t>(length_), static_cast<int64_t>(count),
                                          std::forward<IsValid>(is_valid));
    CountBits(count);
  }
  /// The bits [first, first + count).
  void AppendBits(const uint8_t* bits, uint64_t first, uint64_t count);
  uint64_t length() const { return length_; }
  int64_t null_count() const { return null_count_; }
  /// The bitmap, or null if all are valid.
  std::shared_ptr<arrow::Buffer> Finish();

 private:
  /// Room for `count` more bits.
  void MakeBits(uint64_t count);
  /// Takes in `count` bits that have been written.
  void CountBits(uint64_t count);

  std::vector<uint8_t> bits_;
  uint64_t length_ = 0;
  int64_t null_count_ = 0;
};

/// One layer of a column's nesting: the values themselves, or the structs or lists around them. Has a slot for each of
/// them that exists; a null or empty list has nothing in the layers inside it.
class LayerBuilder {
 public:
  explicit LayerBuilder(bool is_list) : is_list_(is_list) {}

  bool is_list() const { return is_list_; }
  uint64_t length() const { return validity_.length(); }
  /// Slots of the next layer inside that all lists have together.
  uint64_t num_children() const { return static_cast<uint64_t>(offsets_.back()); }

  ValidityBuilder& validity() { return validity_; }
  void AppendList(bool valid, uint64_t length) {
    offsets_.push_back(offsets_.back() + static_cast<int64_t>(length));
    validity_.Append(valid);
  }
  /// Makes the last list longer by one.
  void ExtendList() { ++offsets_.back(); }

  /// The offsets as a list array of this type has them. Invalid if there are more children than it can hold.
  arrow::Result<std::shared_ptr<arrow::Buffer>> FinishOffsets(bool large);

 private:
  const bool is_list_;
  ValidityBuilder validity_;
  std::vector<int64_t> offsets_ = {0};
};

/// The rows of one file column as its pages are decoded, one page after the other.
///
/// Values are appended in one of two ways: as a buffer, which is not copied if it stays the only one, or by writing
/// into space asked for. Everything appended has been backed by bytes that were read, or by a limit, so growing it is
/// safe.
class ColumnBuilder {
 public:
  /// `lists` says for each layer, from the values outwards, whether it is one of lists. The first never is.
  ColumnBuilder(ValueType type, const std::vector<bool>& lists);

  const ValueType& type() const { return type_; }
  uint64_t value_bytes() const { return value_bytes_; }
  uint64_t num_values() const { return num_values_; }

  /// Makes room for `count` values at once, so that they need not be moved later; but for no more than `bytes_read`
  /// bytes of a file can reasonably stand for, since nobody has checked `count` yet.
  arrow::Status ReserveValues(uint64_t count, uint64_t bytes_read);
  /// Space for `count` more values, not initialised; valid until the next call.
  arrow::Result<uint8_t*> ExtendValues(uint64_t count);
  /// Appends a whole number of values.
  arrow::Status AppendValues(std::shared_ptr<arrow::Buffer> values);

  /// For values of varying length: space for `count` bytes, not initialised and valid until the next call. FinishBytes
  /// says where in them the next values end; what is behind the last of them does not count.
  arrow::Result<uint8_t*> ExtendBytes(uint64_t count);
  void FinishBytes(std::span<const uint64_t> ends);
  /// The next value as it is; it may have a fixed width, too. Invalid if it does not have this width.
  arrow::Status AppendBytes(std::span<const uint8_t> value);
  /// Values for where there are none: no bytes, or zeros.
  arrow::Status AppendNothing(uint64_t count = 1);
  /// The next values, whose bytes follow one another: `ends` are where each ends in `bytes`, and they have been
  /// checked.
  arrow::Status AppendBytes(std::span<const uint64_t> ends, std::span<const uint8_t> bytes);
  /// The same for a buffer, which is not copied if it stays the only one.
  arrow::Status AppendBytes(std::span<const uint64_t> ends, std::shared_ptr<arrow::Buffer> bytes);

  /// Of the values, and of what is around them, from the inside out. A value that is null has one all the same.
  std::vector<LayerBuilder>& layers() { return layers_; }
  ValidityBuilder& value_validity() { return layers_[0].validity(); }
  /// Whether the elements of the last `count` vectors are valid: bits from `first_bit` of `bits` on. `depth` says which
  /// elements: those of the vector itself for 0, those of the vectors in it for 1. Elements for which this is not
  /// called are valid. Their values are kept as the file has them, null or not.
  void AppendItemValidity(size_t depth, const uint8_t* bits, uint64_t first_bit, uint64_t count);

  /// The values, as an array of the type's Arrow type; the layers around them are left to the caller.
  arrow::Result<std::shared_ptr<arrow::Array>> FinishValues();

 private:
  /// Of values of varying length.
  uint64_t num_bytes() const { return static_cast<uint64_t>(offsets_.back()); }
  arrow::Status MakeOwned(uint64_t capacity);
  arrow::Result<std::shared_ptr<arrow::Buffer>> FinishFixed();
  arrow::Result<std::shared_ptr<arrow::ArrayData>> FinishVectors();
  arrow::Result<std::shared_ptr<arrow::ArrayData>> FinishVariable();

  const ValueType type_;
  const bool is_variable_;
  const uint64_t value_bytes_;
  uint64_t num_values_ = 0;
  /// The values are either one buffer of somebody else's or our own.
  std::shared_ptr<arrow::Buffer> shared_;
  std::shared_ptr<arrow::ResizableBuffer> owned_;
  /// Where values of varying length start, and where the last ends.
  std::vector<int64_t> offsets_ = {0};
  std::vector<LayerBuilder> layers_;
  /// Of the elements of vectors, one for each dimension, up to the last of which it was said.
  std::vector<ValidityBuilder> item_validity_;
};

/// Takes packed structs apart: `rows` has one value in each valid row, the fields one after the other. A field of
/// varying length stands behind its length (u64).
arrow::Result<std::shared_ptr<arrow::ArrayData>> UnpackStructs(const ValueType& type, const arrow::ArrayData& rows);

/// Dictionary-encodes an array of plain values.
arrow::Result<std::shared_ptr<arrow::ArrayData>> EncodeDictionary(const std::shared_ptr<arrow::DataType>& type,
                                                                  const std::shared_ptr<arrow::Array>& values);

}  // namespace fewter::lance
