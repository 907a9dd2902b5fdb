#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/field.h"
#include "fewter/lance/object_store.h"

/// A version of a Lance table: its manifest, decoded.
///
/// Format: docs/format/manifest.md. Everything here is plain data, copied out of the protobuf messages and checked.

namespace fewter::lance {

/// One data file of a fragment; the field with id fields[i] is stored in file column column_indices[i].
struct DataFile {
  /// Relative to the dataset's root, "data/…".
  std::string path;
  /// A negative number stands for a field that has moved to another file.
  std::vector<int32_t> fields;
  /// As long as `fields`, -1 for a field that has no column of its own. Empty in files older than version 2.0.
  std::vector<int32_t> column_indices;
  uint32_t major_version = 0;
  uint32_t minor_version = 0;
  /// 0 if unknown.
  uint64_t size = 0;

  /// Older than version 2.0.
  bool is_legacy() const { return major_version == 0 && minor_version < 3; }
};

enum class DeletionFileType : uint8_t { kArrowArray = 0, kBitmap = 1 };

struct DeletionFile {
  DeletionFileType type = DeletionFileType::kArrowArray;
  uint64_t read_version = 0;
  uint64_t id = 0;
  uint64_t num_deleted_rows = 0;
};

/// Where a message is kept: in the manifest itself, or in a slice of another file.
struct MessageLocation {
  /// The encoded message, unless `path` names a file.
  std::string inline_bytes;
  /// Relative to the dataset's root; empty if the message is inline.
  std::string path;
  ByteRange range;

  /// As long as the file has to be taken for, so that nobody needs to ask how long it is; 0 if that is not known, since
  /// the message does not begin it or is a large one.
  uint64_t KnownSize() const {
    return range.offset == 0 && range.length <= ReadableFile::kReadWhole ? range.length : 0;
  }
};

/// A horizontal slice of the table. A row's address is `id << 32 | offset`, offsets counting deleted rows too, so both
/// the id and the offsets are below 2^32.
struct Fragment {
  uint64_t id = 0;
  std::vector<DataFile> files;
  std::optional<DeletionFile> deletion_file;
  /// Rows on disk, deleted ones included; never fewer than the deletion file deletes.
  uint64_t physical_rows = 0;
  /// Only in tables with stable row ids; decoded by ReadRowIds.
  std::optional<MessageLocation> row_ids;
  uint64_t live_rows() const { return physical_rows - (deletion_file ? deletion_file->num_deleted_rows : 0); }
};

struct IndexFile {
  /// Relative to the index's folder, e.g. "auxiliary.idx".
  std::string path;
  /// 0 if unknown.
  uint64_t size = 0;
};

/// The 16 bytes that name an index segment, and its folder under _indices/ in hyphenated lower-case hex.
struct Uuid {
  std::array<uint8_t, 16> bytes{};
  std::string ToString() const;
  bool operator==(const Uuid&) const = default;
  auto operator<=>(const Uuid&) const = default;
};

/// One segment of an index. Several segments may share a name; together they are the index.
///
/// A segment without files whose folder does not exist is legal: an index created when there was too little to index.
/// So is a fragment id that the table no longer has.
struct IndexMetadata {
  Uuid uuid;
  std::string name;
  std::vector<int32_t> fields;
  uint64_t dataset_version = 0;
  /// The ids of the fragments whose rows are indexed, ascending; absent in very old datasets.
  std::optional<std::vector<uint32_t>> fragments;
  /// The type URL of the details message, empty if there is none.
  std::string details_type_url;
  int32_t index_version = 0;
  std::vector<IndexFile> files;
  /// Rows were moved after it was written, so that the row ids in its files have to be translated (by FragmentReuse).
  /// Not in the manifest: Dataset sets it.
  bool row_ids_are_old = false;

  /// The size of one of its files in bytes, 0 if the manifest does not say.
  uint64_t FileSize(std::string_view file_name) const;
};

/// What compactions did that rewrote fragments and left the indexes as they were; decoded by ReadFragmentReuse. The
/// fragments and row addresses of the other indexes have to be translated by it.
struct FragmentReuseIndex {
  Uuid uuid;
  MessageLocation details;
};

struct Manifest {
  uint64_t version = 0;
  /// The file it was read from, relative to the dataset's root.
  std::string path;
  std::vector<Field> fields;
  std::vector<Fragment> fragments;
  /// All but the system's own, whose names start with "__lance_".
  std::vector<IndexMetadata> indices;
  std::optional<FragmentReuseIndex> fragment_reuse;
  uint64_t reader_feature_flags = 0;
  /// With stable row ids: all ids given so far are lower.
  uint64_t next_row_id = 0;
  /// As written, e.g. "2.2"; empty in old datasets.
  std::string data_storage_version;
  std::map<std::string, std::string> config;
  /// What the schema that the table was written with says of itself.
  std::map<std::string, std::string> schema_metadata;

  uint64_t live_rows() const;
  uint64_t physical_rows() const;
  bool has_stable_row_ids() const;
  /// Null if there is none.
  const Fragment* FindFragment(uint64_t id) const;
  /// As the function of that name.
  const Field* FindField(std::string_view column) const { return lance::FindField(fields, column); }
};

/// Reads the manifest of `version`, or of the latest version. One listing and, unless the manifest is larger than
/// 64 KiB (8 MiB in a remote store), one read; less what the store's byte cache knows: no read of a manifest that has
/// been read before, and no listing either if `version` is given. A version is taken to be what it was: where a dataset
/// was dropped and made anew at the same place, only the latest version is sure to be the new one's.
///
/// KeyError if there is no dataset, or not that version. NotImplemented, naming it, for what we cannot read: feature
/// flags that we do not know, overlays, files outside the dataset's folder. Invalid, naming the file and the field, for
/// anything malformed, such as an id that occurs twice or a path that leads out of the dataset.
arrow::Result<std::shared_ptr<const Manifest>> ReadManifest(const ObjectStore& store,
                                                            std::optional<uint64_t> version = std::nullopt);

/// The same for the latest version, but null, after the listing, if that is `known`.
arrow::Result<std::shared_ptr<const Manifest>> ReadManifestUnless(const ObjectStore& store, uint64_t known);

/// Decodes one manifest file's bytes (the whole file). Exposed for tests and fuzzing. `path` becomes Manifest::path and
/// names the file in messages.
arrow::Result<std::shared_ptr<const Manifest>> ParseManifest(const std::shared_ptr<arrow::Buffer>& file,
                                                             const std::string& path);

/// The version that a file in _versions/ holds, by its name in either naming scheme; nothing for other files and for
/// detached versions, which are not part of the table's history.
std::optional<uint64_t> ManifestVersion(std::string_view file_name);

}  // namespace fewter::lance
