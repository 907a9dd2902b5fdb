#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/ipc/sections.h"
#include "fewter/vector/quantizer/quantizer.h"

/// The one list of storage kinds. To add one: a folder, a line in StorageKind, a line in the table of registry.cc.

namespace fewter {

/// What an index's files say of a quantizer, handed over by who reads files.
struct QuantizerSource {
  /// storage_metadata of auxiliary.idx, JSON.
  std::string_view metadata = {};
  /// Of the centroids.
  uint32_t dimension = 0;
  ElementType element_type = ElementType::kFloat32;
  /// A Tensor message as float32, aligned: one that lies in a global buffer of auxiliary.idx, or the bytes of one.
  std::function<arrow::Result<std::shared_ptr<arrow::FloatArray>>(uint32_t global_buffer)> read_tensor = {};
  std::function<arrow::Result<std::shared_ptr<arrow::FloatArray>>(const std::string& bytes)> parse_tensor = {};
  /// Whether auxiliary.idx has a column of that name, where releases differ.
  std::function<bool(std::string_view column)> has_column = {};
};

/// What the rest of the code needs to know about a kind without knowing the kind.
struct StorageKindEntry {
  StorageKind kind;
  /// For people.
  std::string_view name;
  /// In the names of index types: the "PQ" of IVF_PQ and IVF_HNSW_PQ.
  std::string_view lance_name;
  /// Whether scorers can score single rows, so that a graph may stand over it.
  bool has_random_access;
  /// From an index's files. Invalid, naming the field, for anything malformed.
  arrow::Result<std::shared_ptr<const Quantizer>> (*quantizer_from_file)(const QuantizerSource& source);
  /// The storage in a cache entry: what ToBatch and Parameters gave. Hostile input; points into the batch.
  arrow::Result<std::shared_ptr<const PartitionStorage>> (*storage_from_batch)(
      const std::shared_ptr<arrow::RecordBatch>& batch, uint32_t num_rows, const StorageParameters& parameters);
  /// The quantizer in an IvfIndexState: what Serialize wrote. Hostile input.
  arrow::Result<std::shared_ptr<const Quantizer>> (*quantizer_from_sections)(ipc::SectionReader* sections);
};

/// Invalid if there is no such kind.
arrow::Result<const StorageKindEntry*> FindStorageKind(uint32_t kind);

/// By the name in an index type; uint8 vectors under FLAT are a kind of their own. Null if there is none.
const StorageKindEntry* FindStorageKind(std::string_view lance_name, ElementType element_type);

}  // namespace fewter
