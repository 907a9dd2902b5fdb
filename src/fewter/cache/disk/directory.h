#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

#include "fewter/cache/disk/file_system.h"
#include "fewter/cache/disk/segment_format.h"
#include "fewter/cache/key.h"

/// A cache directory: what may be in it, and how files come into it.
///
///     FEWTER_CACHE          the marker: this is ours, in format 1
///     seg-….fwseg           sealed segments; never change, only come and go
///     heat                  how warm entries are
///     LOCK                  locked by who removes something
///     tmp-…                 being written, or left by a writer that died
///
/// Several processes use one directory. A file is written under a temporary name, synced and renamed, so nobody ever
/// sees a part of one.

namespace fewter::disk {

inline constexpr int kDirectoryVersion = 1;
inline constexpr std::string_view kMarkerName = "FEWTER_CACHE";
inline constexpr std::string_view kHeatName = "heat";
inline constexpr std::string_view kLockName = "LOCK";

/// An id that no other segment has; later than all that this process made before.
SegmentId NewSegmentId();
/// Tells of an id that is there: those of NewSegmentId will be later, also if the clock has been put back since.
void NoteSegmentId(const SegmentId& id);

/// Whether a directory is one of ours that this release can read. Otherwise an error says what it is: missing (for
/// which IsMissing holds), not a directory, not readable, of something else, or of a newer format.
arrow::Status CheckDirectory(FileSystem* files, const std::string& path);
/// The same, but makes a directory that is missing, and takes one that is empty.
arrow::Status PrepareDirectory(FileSystem* files, const std::string& path);

/// Writes a whole file and publishes it under `name`. After an error the name is as it was, except that an error of the
/// last step, syncing the directory, comes after the file is there. A directory that is gone is made again.
arrow::Status PublishFile(FileSystem* files, const std::string& directory, const std::string& name,
                          std::span<const std::string_view> pieces);

/// Removes what dead writers left. Those that cannot be removed now stay.
void RemoveAbandonedFiles(FileSystem* files, const std::string& directory, const std::vector<std::string>& names);

/// An entry that is to be written.
struct EntryToWrite {
  KeyDigest digest;
  std::string_view name_space;
  std::string_view type_id;
  std::string_view bytes;
  uint32_t uses = 0;
  uint32_t last_use = 0;
};

/// Publishes a segment of these entries, in their order; entries of at least `large_entry_bytes` begin at a page.
/// Returns its footer.
arrow::Result<SegmentFooter> PublishSegment(FileSystem* files, const std::string& directory,
                                            std::span<const EntryToWrite> entries, int64_t large_entry_bytes);

}  // namespace fewter::disk
