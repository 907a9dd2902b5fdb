#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

/// Where the rows of an index of a single file lie (releases up to 0.24; docs/format/single_file_index.md): row i of
/// the model's takes code_bytes + 8 bytes, row 0 begins at first_byte.
struct SingleFileRows {
  uint64_t first_byte = 0;
  uint32_t code_bytes = 0;
  /// Codes of 4 bits have a byte each.
  bool is_unpacked = false;
  bool operator==(const SingleFileRows&) const = default;
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
  /// The same as the other in an index of a single file.
  IndexFileReference storage_file;
  /// Absent in all but those.
  std::optional<SingleFileRows> single_file_rows;

  SubIndexKind sub_index_kind() const { return sub_index == nullptr ? SubIndexKind::kFlat : sub_index->kind(); }
  StorageLayout layout() const { return EntryOf(sub_index_kind()).layout; }

  int64_t SizeInBytes() const;
  /// For the cache; see CacheEntry.
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const;

  static constexpr std::string_view kCacheTypeId = "fewter.vector.IvfIndexState";
  static constexpr uint32_t kCacheTypeVersion = 3;
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
