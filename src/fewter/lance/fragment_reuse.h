#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

/// Where rows went when a compaction rewrote fragments and left the indexes as they were ("deferred remapping").
/// Format: docs/format/fragment_reuse.md.

namespace fewter::lance {

/// What the compactions of a table did to its rows, one version a compaction. Immutable, thread safe.
class FragmentReuse {
 public:
  ~FragmentReuse();

  /// Decodes a FragmentReuse message, which stays in memory. Invalid, naming the version, if it contradicts itself: an
  /// old fragment occurs twice in a version, rows that it does not have were rewritten, or the new fragments do not
  /// have as many rows as were rewritten.
  static arrow::Result<std::shared_ptr<const FragmentReuse>> Parse(std::shared_ptr<arrow::Buffer> message);

  /// Where the row at an address went; nothing if it has been deleted. An address in a fragment that was never
  /// rewritten stays as it is.
  std::optional<uint64_t> NewAddress(uint64_t address) const;

  /// The fragments that an index covers now, ascending, given those that it covered when it was written. Where only
  /// some of the fragments that were rewritten together are covered, none of the new ones is.
  std::vector<uint32_t> NewFragments(const std::vector<uint32_t>& fragments) const;

  /// Whether an index that covers these fragments may hold rows that were moved.
  bool Concerns(const std::vector<uint32_t>& fragments) const;

  int64_t SizeInBytes() const;
  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const { buffers->push_back(message_); }

  /// For the cache: the message as it is.
  static constexpr std::string_view kCacheTypeId = "fewter.lance.FragmentReuse";
  static constexpr uint32_t kCacheTypeVersion = 1;
  arrow::Status Serialize(arrow::io::OutputStream* out) const;
  static arrow::Result<std::shared_ptr<const FragmentReuse>> Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
    return Parse(body);
  }

 private:
  struct Version;
  class Parser;

  FragmentReuse();

  std::shared_ptr<arrow::Buffer> message_;
  std::vector<Version> versions_;
  /// Every fragment that was rewritten or written.
  std::unordered_set<uint32_t> concerned_;
};

/// Reads nothing if the manifest has the message itself, otherwise a slice of a file; errors name the table or the
/// file.
arrow::Result<std::shared_ptr<const FragmentReuse>> ReadFragmentReuse(const ObjectStore& store,
                                                                      const FragmentReuseIndex& index);

}  // namespace fewter::lance
