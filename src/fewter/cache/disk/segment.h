#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/cache/disk/file_system.h"
#include "fewter/cache/disk/heat.h"
#include "fewter/cache/disk/segment_format.h"

/// A sealed segment that is open: its entry table in memory, its bytes mapped once they are needed.

namespace fewter::disk {

/// What the segments of one backend have mapped, all together. Mappings refer to it, and may outlive the backend.
struct MappingAccount {
  std::atomic<int64_t> mappings{0};
  /// Of segments that are in the directory.
  std::atomic<int64_t> mapped_bytes{0};
  /// Of segments that have left it, but whose bytes somebody still uses: the disk has not got them back.
  std::atomic<int64_t> pinned_bytes{0};
};

/// Linux allows a process 65,530 mappings. Beyond this many, entries are read instead.
inline constexpr int64_t kMaxMappings = 32'000;

/// The entry table is immutable; what changes is atomic, or under a lock that is taken for the first touch only.
class Segment : public std::enable_shared_from_this<Segment> {
 public:
  /// Reads the trailer and the footer, in one go unless the footer is large. Invalid for a file that is not a whole
  /// segment, NotImplemented for one of a newer version, IOError for one that cannot be read now.
  static arrow::Result<std::shared_ptr<Segment>> Open(std::shared_ptr<FileSystem> files, const std::string& directory,
                                                      const std::string& name, std::shared_ptr<MappingAccount> account);
  /// One that was just written.
  Segment(std::shared_ptr<FileSystem> files, const std::string& directory, SegmentFooter footer,
          const FileStatus& status, std::shared_ptr<MappingAccount> account);

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }
  const SegmentFooter& footer() const { return footer_; }
  const SegmentRecord& record(size_t entry) const { return footer_.records[entry]; }
  const std::string& NameSpaceOf(size_t entry) const { return footer_.name_spaces[record(entry).name_space]; }
  size_t size() const { return footer_.records.size(); }
  int64_t allocated_bytes() const { return status_.allocated_bytes; }

  /// The bytes of an entry. The first time they are brought into memory and their checksum is compared; from then on
  /// this is a few instructions. `*mapped` says whether they lie in the mapping or in a copy, which is made if `copy`
  /// is true or there are too many mappings, and verified each time.
  ///
  /// Invalid if they are not what was written; IOError if they cannot be read, which IsMissing tells from a removed
  /// file.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Bytes(size_t entry, bool copy, bool* mapped);
  /// Whether Bytes has nothing left to do but to point.
  bool IsTouched(size_t entry) const { return states_[entry].verified.load(std::memory_order_acquire); }

  /// True for one caller, once at least half of a mapped segment's bytes have been touched: then it pays to keep all of
  /// it in huge pages. Never for a segment that is smaller than one.
  bool ClaimCollapse();
  /// Whole ones that the segment could fill.
  size_t huge_pages() const { return status_.bytes / kHugePage; }
  /// Has one of them be one; see FileSystem::Collapse. Requires ClaimCollapse.
  arrow::Result<bool> Collapse(size_t huge_page);

  /// To be called once the file has left the directory, or is no longer looked for there.
  void MarkRemoved();
  /// True if somebody uses bytes of the mapping.
  bool InUse() const;

  void Use(size_t entry, uint32_t uses, uint32_t now);
  /// The heat that the disk knows of.
  void SetHeat(size_t entry, const Heat& heat);
  /// With the uses that it does not know of yet, which are counted in `*new_uses`.
  Heat HeatOf(size_t entry, uint32_t* new_uses = nullptr) const;
  /// To be called once the disk knows of what HeatOf gave.
  void Settle(size_t entry, const Heat& heat, uint32_t new_uses);
  /// For a copy of an entry in another segment.
  void CopyHeat(size_t entry, const Segment& from, size_t from_entry);

 private:
  class Mapping;
  struct State {
    std::atomic<bool> verified{false};
    std::atomic<uint32_t> new_uses{0};
    std::atomic<uint32_t> last_use{0};
    std::atomic<Heat> known{};
  };

  /// Null if there are too many mappings.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Map();
  arrow::Status Verify(size_t entry, const arrow::Buffer& bytes) const;

  const std::shared_ptr<FileSystem> files_;
  const std::shared_ptr<MappingAccount> account_;
  const SegmentFooter footer_;
  const std::string name_;
  const std::string path_;
  const FileStatus status_;
  const std::unique_ptr<State[]> states_;

  /// Of entries that were touched in the mapping.
  std::atomic<uint64_t> touched_bytes_{0};
  std::atomic<bool> collapse_claimed_{false};

  mutable std::mutex mutex_;
  bool removed_ = false;
  /// Written once, under the lock; read without it after is_mapped_.
  std::shared_ptr<Mapping> mapping_;
  std::atomic<bool> is_mapped_{false};
};

}  // namespace fewter::disk
