#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

#include "fewter/cache/cache.h"
#include "fewter/lance/file_reader.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"
#include "fewter/vector/element_type.h"

namespace fewter {

/// The vectors of one column as the data files hold them, for exact distances. One version of a dataset; thread safe.
class VectorColumn {
 public:
  /// No IO. NotImplemented, naming the type, for a column that does not hold one vector of float16, float32, float64 or
  /// uint8 a row. The manifest is one of its fields' owner, and must outlive this.
  static arrow::Result<std::shared_ptr<VectorColumn>> Make(std::shared_ptr<const lance::ObjectStore> store,
                                                           std::shared_ptr<const lance::Manifest> manifest,
                                                           const lance::Field& field, WeakCache cache);

  const std::string& name() const { return field_.name; }
  ElementType element_type() const { return element_type_; }
  uint32_t dimension() const { return dimension_; }

  /// Opens the file of a fragment, which Read does otherwise when it first comes to it.
  arrow::Status Prepare(const lance::Fragment& fragment) { return Open(fragment).status(); }

  /// The vectors at offsets [start, start + length) of a fragment, deleted rows included; null where a row has none.
  arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> Read(const lance::Fragment& fragment, uint64_t start,
                                                                 uint64_t length);

  /// The vectors at some row addresses (fragment << 32 | offset), in their order. What is read of one file is fetched
  /// together. KeyError for an address that the dataset does not have.
  arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> Take(std::span<const uint64_t> addresses);

 private:
  VectorColumn(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
               const lance::Field& field, WeakCache cache, ElementType element_type, uint32_t dimension)
      : store_(std::move(store)),
        manifest_(std::move(manifest)),
        field_(field),
        cache_(std::move(cache)),
        element_type_(element_type),
        dimension_(dimension) {}

  /// The data file of a fragment that has the column, and the column's name there; null if none has.
  struct OpenFile {
    std::shared_ptr<lance::FileReader> reader;
    std::string column;
  };
  arrow::Result<OpenFile> Open(const lance::Fragment& fragment);
  /// The column of what was read, if it is of the right type.
  arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> Checked(
      const OpenFile& file, const arrow::Result<std::shared_ptr<arrow::RecordBatch>>& rows) const;
  struct Share;
  arrow::Result<std::vector<Share>> Distribute(std::span<const uint64_t> addresses) const;
  arrow::Status TakeShare(const Share& share, arrow::ArrayVector* taken);
  arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> AllNull(uint64_t length) const;

  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
  const lance::Field& field_;
  const WeakCache cache_;
  const ElementType element_type_;
  const uint32_t dimension_;

  std::mutex mutex_;
  /// By fragment.
  std::unordered_map<uint64_t, OpenFile> files_;
};

}  // namespace fewter
