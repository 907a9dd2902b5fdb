#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/result.h>

#include "fewter/lance/encoding/array_encoding_internal.h"
#include "fewter/lance/encoding/column_builder_internal.h"
#include "fewter/lance/encoding/column_reader_internal.h"
#include "fewter/lance/encoding/stepped_read_internal.h"

/// Reading some rows of one page of version 2.0.

namespace fewter::lance {

/// A page whose encoding has been decoded. Thread safe.
class OpenArrayPage {
 public:
  explicit OpenArrayPage(ArrayPage encoding) : encoding_(std::move(encoding)) {}

  const ArrayPage& encoding() const { return encoding_; }

  /// The items of the page's dictionary, or null if nobody has read them yet.
  std::shared_ptr<arrow::Array> dictionary() const {
    const std::lock_guard lock(mutex_);
    return dictionary_;
  }
  void KeepDictionary(std::shared_ptr<arrow::Array> items) const {
    const std::lock_guard lock(mutex_);
    dictionary_ = std::move(items);
  }

  /// The bytes of a page that is compressed as a whole, while some read or array has them; or null.
  std::shared_ptr<arrow::Buffer> decompressed() const {
    const std::lock_guard lock(mutex_);
    return decompressed_.lock();
  }
  void ShareDecompressed(const std::shared_ptr<arrow::Buffer>& bytes) const {
    const std::lock_guard lock(mutex_);
    decompressed_ = bytes;
  }

 private:
  const ArrayPage encoding_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<arrow::Array> dictionary_;
  mutable std::weak_ptr<arrow::Buffer> decompressed_;
};

/// A read of some rows of a page of values.
class ArrayPageRead : public SteppedRead {
 public:
  /// Appends the rows, once all steps have been taken.
  virtual arrow::Status Decode(ColumnBuilder* out) = 0;
};

/// Starts a read of ranges of the page's rows, one after the other. The page is kept by the read. Invalid if it is not
/// one of values of this type.
arrow::Result<std::unique_ptr<ArrayPageRead>> MakeArrayPageRead(std::shared_ptr<const OpenArrayPage> page,
                                                                std::vector<RowRange> rows, const ValueType& type);

/// The bytes that hold values or bits of `bits` bits each.
ByteRange BytesOfValues(ByteRange buffer, uint64_t bits, RowRange rows);

}  // namespace fewter::lance
