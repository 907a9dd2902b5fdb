#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

#include "fewter/vector/metric.h"

namespace fewter {

/// A partition and how far its centroid is from a query.
struct RankedPartition {
  float distance = 0;
  uint32_t partition = 0;
  bool operator==(const RankedPartition&) const = default;
};

/// The coarse quantizer of an inverted file (IVF): one centroid a partition, and where each partition's rows lie in
/// auxiliary.idx. Immutable, thread safe.
class IvfModel {
 public:
  /// `centroids` holds num_partitions x dimension floats, or bytes for Hamming; row i of the other two says where
  /// partition i's rows start and how many they are. `total_rows` is the number of rows in auxiliary.idx. No copy.
  /// Invalid if the lengths do not agree, a partition lies outside the rows, or the centroids are of another type.
  static arrow::Result<std::shared_ptr<const IvfModel>> Make(uint32_t dimension,
                                                             std::shared_ptr<arrow::Array> centroids,
                                                             std::shared_ptr<arrow::UInt64Array> offsets,
                                                             std::shared_ptr<arrow::UInt32Array> lengths,
                                                             uint64_t total_rows);

  uint32_t dimension() const { return dimension_; }
  uint32_t num_partitions() const { return static_cast<uint32_t>(lengths_->length()); }
  uint64_t total_rows() const { return total_rows_; }
  int64_t SizeInBytes() const;

  /// True if the centroids are bytes, for Hamming.
  bool is_binary() const { return centroids_->type_id() == arrow::Type::UINT8; }
  /// dimension() floats; null if they are bytes.
  const float* centroid(uint32_t partition) const {
    return is_binary() ? nullptr : Values<float>() + static_cast<size_t>(partition) * dimension_;
  }
  uint64_t first_row(uint32_t partition) const { return offsets_->Value(partition); }
  uint32_t num_rows(uint32_t partition) const { return lengths_->Value(partition); }

  const std::shared_ptr<arrow::Array>& centroids() const { return centroids_; }
  const std::shared_ptr<arrow::UInt64Array>& offsets() const { return offsets_; }
  const std::shared_ptr<arrow::UInt32Array>& lengths() const { return lengths_; }

  /// The min(nprobes, num_partitions()) partitions whose centroids are nearest to `query` (dimension() floats,
  /// normalised for cosine), nearest first, ties to the lower number. L2 and cosine rank by squared L2 distance, dot by
  /// 1 - <q, c>, Hamming by differing bits (of elements that are whole numbers from 0 to 255), as Lance does.
  std::vector<RankedPartition> SelectPartitions(const float* query, Metric metric, uint32_t nprobes) const;

  /// The same of each of `num_queries` queries, which follow one another. Each centroid is fetched from memory once for
  /// many of them.
  std::vector<std::vector<RankedPartition>> SelectPartitionsMany(const float* queries, size_t num_queries,
                                                                 Metric metric, uint32_t nprobes) const;

 private:
  IvfModel() = default;

  template <typename T>
  const T* Values() const {
    return centroids_->data()->GetValues<T>(1);
  }
  /// out[i] = the distance from the query to centroid first + i, for i below `count`.
  void ComputeDistances(const float* query, Metric metric, uint32_t first, uint32_t count, float* out) const;

  uint32_t dimension_ = 0;
  uint64_t total_rows_ = 0;
  std::shared_ptr<arrow::Array> centroids_;
  std::shared_ptr<arrow::UInt64Array> offsets_;
  std::shared_ptr<arrow::UInt32Array> lengths_;
};

}  // namespace fewter
