#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/vector/subindex/sub_index.h"

/// The graph of one partition, as a cache entry has it and as the search reads it.
///
/// All neighbour lists of all levels lie one after another in one array (compressed sparse rows):
///
///   neighbors      list 0 | list 1 | ... | list n-1 | lists of level 1 | lists of level 2 | ...
///   offsets        where each list starts, and the end of the last
///   nodes          of each list behind the n of level 0: the row it belongs to; ascending within a level
///   level_starts   where in `nodes` each upper level starts, and the end of the last
///
/// Row r's list on level 0 is list r. On an upper level it is found by binary search in `nodes`: a twentieth of the
/// rows are there, and a walk makes a handful of steps, so the search is lost beside the distances. (Lists of places
/// instead of rows would need none, but one more look-up for every neighbour that is scored.) A row that an upper level
/// does not have has no neighbours there; levels without rows are left out.

namespace fewter {

/// Of index.idx.
inline constexpr char kVectorIdColumn[] = "__vector_id";
inline constexpr char kNeighborListColumn[] = "__neighbors";

class HnswGraph final : public SubIndex {
 public:
  /// From a partition's rows of index.idx. Level L has the rows [level_offsets[L], level_offsets[L + 1]); the offsets
  /// ascend from 0, do not exceed the rows, and are none if there are no rows; the entry point is in level 0.
  static arrow::Result<std::shared_ptr<const HnswGraph>> FromRows(const arrow::RecordBatch& rows,
                                                                  std::span<const uint32_t> level_offsets,
                                                                  uint32_t entry_point, uint32_t storage_rows);

  /// As SubIndexKindEntry::from_batch. What it accepts can be walked from any row without leaving the arrays.
  static arrow::Result<std::shared_ptr<const HnswGraph>> FromBatch(const arrow::RecordBatch& batch,
                                                                   uint32_t storage_rows);

  SubIndexKind kind() const override { return SubIndexKind::kHnsw; }
  uint32_t num_rows() const override { return num_rows_; }
  int64_t SizeInBytes() const override;
  std::shared_ptr<arrow::RecordBatch> ToBatch() const override;
  bool IsBeatenByScan(const SubIndexSearchOptions& options, const TopK& top_k) const override;
  void Search(const SubIndexSearchOptions& options, size_t i, const PartitionStorage& storage, QueryScorer* scorer,
              TopK* top_k) const override;

  uint32_t entry_point() const { return shape_.entry_point; }
  uint32_t num_upper_levels() const { return shape_.num_upper_levels; }

  /// On level 0.
  std::span<const uint32_t> NeighborsOf(uint32_t row) const { return List(row); }
  /// On upper level `level`, from 0 for the one above level 0.
  std::span<const uint32_t> UpperNeighborsOf(uint32_t level, uint32_t row) const;
  /// Asks for a row's list on level 0.
  void PrefetchNeighborsOf(uint32_t row) const;

 private:
  /// The scalars of an entry.
  struct Shape {
    uint32_t entry_point = 0;
    uint32_t num_upper_levels = 0;
    /// Lists on upper levels.
    uint32_t num_upper_lists = 0;
    /// In all lists together.
    uint32_t num_neighbors = 0;
  };
  struct Buffers {
    std::shared_ptr<arrow::Buffer> level_starts;
    std::shared_ptr<arrow::Buffer> nodes;
    std::shared_ptr<arrow::Buffer> offsets;
    std::shared_ptr<arrow::Buffer> neighbors;
  };
  class FileRows;

  HnswGraph(uint32_t num_rows, const Shape& shape, Buffers buffers);

  std::span<const uint32_t> List(size_t list) const {
    return {neighbors_ + offsets_[list], neighbors_ + offsets_[list + 1]};
  }
  arrow::Status CheckUpperLevels() const;
  arrow::Status CheckLists() const;

  uint32_t num_rows_;
  Shape shape_;
  Buffers buffers_;
  /// Of the buffers.
  const uint32_t* level_starts_;
  const uint32_t* nodes_;
  const uint32_t* offsets_;
  const uint32_t* neighbors_;
};

}  // namespace fewter
