#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/ipc/sections.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/top_k.h"

/// How the rows of a partition are searched: all of them in turn (flat), or along a graph (HNSW). Two roles:
///
///   SubIndexModel   what an index says of the sub-indexes of all its partitions; part of IvfIndexState
///   SubIndex        that of one partition, laid out as the search reads it; part of a cache entry
///
/// Flat has neither: where one of these may be null, null means flat. A new kind implements the two in a folder of its
/// own and adds a line to sub_index.cc.

namespace fewter {

/// The numbers are written into cache entries and never change.
enum class SubIndexKind : uint32_t { kFlat = 0, kHnsw = 1 };
std::string_view ToString(SubIndexKind kind);

struct SubIndexSearchOptions {
  /// HNSW: how many candidates are kept on the way; 0 for one and a half times k. At least k.
  uint32_t ef = 0;
  ApproxMode approx_mode = ApproxMode::kNormal;
};

/// Of one partition. Immutable, thread safe.
class SubIndex {
 public:
  virtual ~SubIndex() = default;

  virtual SubIndexKind kind() const = 0;
  /// Rows of the storage that it stands over.
  virtual uint32_t num_rows() const = 0;
  virtual int64_t SizeInBytes() const = 0;
  /// As PartitionStorage::ToBatch.
  virtual std::shared_ptr<arrow::RecordBatch> ToBatch() const = 0;

  /// Whether it costs less to compare every row than to search: then nobody does, since no row is missed that way.
  virtual bool IsBeatenByScan(const SubIndexSearchOptions& options, const TopK& top_k) const = 0;

  /// Pushes the nearest rows of the i-th of the partitions that `scorer` is turned to, as far as the search finds them:
  /// at most top_k->k(), of those that its filter and bounds let pass.
  virtual void Search(const SubIndexSearchOptions& options, size_t i, const PartitionStorage& storage,
                      QueryScorer* scorer, TopK* top_k) const = 0;
};

/// Of all partitions. Immutable, thread safe.
class SubIndexModel {
 public:
  virtual ~SubIndexModel() = default;

  virtual SubIndexKind kind() const = 0;
  virtual int64_t SizeInBytes() const = 0;
  virtual void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const = 0;

  /// The columns of index.idx that a sub-index is made of, and the rows of a partition there.
  virtual const std::vector<std::string>& columns() const = 0;
  virtual uint32_t num_partitions() const = 0;
  virtual uint64_t first_row(uint32_t partition) const = 0;
  virtual uint64_t num_rows(uint32_t partition) const = 0;

  /// Makes the sub-index of a partition of `storage_rows` rows from its rows of index.idx. Invalid, naming the column,
  /// if they do not fit.
  virtual arrow::Result<std::shared_ptr<const SubIndex>> Make(uint32_t partition, const arrow::RecordBatch& rows,
                                                              uint32_t storage_rows) const = 0;

  /// For IvfIndexState: writes what the kind's model_from_sections reads back.
  virtual arrow::Status Serialize(arrow::io::OutputStream* out) const = 0;
};

/// What the files say of an index's sub-indexes, handed over by who reads files.
struct SubIndexSource {
  /// Of index.idx: the schema metadata `lance:hnsw`, a JSON array of one JSON text a partition.
  std::string metadata = {};
  /// Of index.idx: rows of each partition's sub-index, and where they start.
  std::vector<uint64_t> offsets = {};
  std::vector<uint32_t> lengths = {};
  /// In index.idx altogether.
  uint64_t total_rows = 0;
};

/// What the rest of the code needs to know about a kind without knowing the kind. The functions are null for flat.
struct SubIndexKindEntry {
  SubIndexKind kind;
  /// For people.
  std::string_view name;
  /// In the names of index types, with what follows: the "HNSW_" of IVF_HNSW_PQ.
  std::string_view lance_prefix;
  StorageLayout layout;
  /// The schema metadata of index.idx that SubIndexSource wants.
  const char* metadata_name;
  arrow::Result<std::shared_ptr<const SubIndexModel>> (*model_from_file)(const SubIndexSource& source);
  /// Hostile input, as the next; the batch is what ToBatch gave, and is pointed into.
  arrow::Result<std::shared_ptr<const SubIndex>> (*from_batch)(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                               uint32_t storage_rows);
  arrow::Result<std::shared_ptr<const SubIndexModel>> (*model_from_sections)(ipc::SectionReader* sections);
};

/// Invalid if there is no such kind.
arrow::Result<const SubIndexKindEntry*> FindSubIndexKind(uint32_t kind);
const SubIndexKindEntry& EntryOf(SubIndexKind kind);
/// The kind that the rest of an index type's name, behind "IVF_", begins with.
const SubIndexKindEntry& FindSubIndexKind(std::string_view index_type);

}  // namespace fewter
