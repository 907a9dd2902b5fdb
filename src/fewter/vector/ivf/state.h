#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>

#include "fewter/cache/key.h"
#include "fewter/vector/ivf/model.h"
#include "fewter/vector/metric.h"
#include "fewter/vector/partition.h"
#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/subindex/sub_index.h"

namespace fewter {

/// One of an index's files. Its path is relative to the dataset's root; the size is its length in bytes.
struct IndexFileReference {
  std::string path;
  uint64_t size = 0;
  bool operator==(const IndexFileReference&) const = default;
};

/// Everything that makes a live index without any IO: the IVF model, what its partitions share, and where its files
/// are. This, not the live index, is what the cache keeps. Immutable, thread safe.
///
/// Its bytes: docs/format/ivf_state.md.
struct IvfIndexState {
  /// Hyphenated lower-case hex.
  std::string uuid;
  /// As Lance calls it, e.g. "IVF_PQ".
  std::string index_type;
  Metric metric = Metric::kL2;
  /// Of the column.
  ElementType element_type = ElementType::kFloat32;
  std::shared_ptr<const IvfModel> model;
  std::shared_ptr<const Quantizer> quantizer;
  /// Null for a flat one.
  std::shared_ptr<const SubIndexModel> sub_index;
  IndexFileReference index_file;
  IndexFileReference storage_file;

  SubIndexKind sub_index_kind() const { return sub_index == nullptr ? SubIndexKind::kFlat : sub_index->kind(); }
  StorageLayout layout() const { return EntryOf(sub_index_kind()).layout; }

  int64_t SizeInBytes() const;
  /// For the cache; see CacheEntry.
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const;

  static constexpr std::string_view kCacheTypeId = "fewter.vector.IvfIndexState";
  static constexpr uint32_t kCacheTypeVersion = 2;
  arrow::Status Serialize(arrow::io::OutputStream* out) const;
  static arrow::Result<std::shared_ptr<const IvfIndexState>> Deserialize(const std::shared_ptr<arrow::Buffer>& body);
};

/// Names the state within an index segment's namespace.
struct IvfIndexStateKey {
  using Value = IvfIndexState;
  static constexpr std::string_view kTypeId = "fewter.vector.IvfIndexStateKey";
  static CacheCodec Codec() { return CacheCodec::For<IvfIndexState>(); }
  void AppendFields(KeyWriter&) const {}
};

}  // namespace fewter
