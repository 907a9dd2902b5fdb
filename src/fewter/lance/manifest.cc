#include "fewter/lance/manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_set>
#include <utility>

#include "fewter/lance/manifest_listing_internal.h"
#include "fewter/lance/proto/table.pb.h"
#include "fewter/lance/roaring_bitmap.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

std::map<std::string, std::string> TextMap(const google::protobuf::RepeatedPtrField<pb::Entry>& entries) {
  std::map<std::string, std::string> map;
  for (const pb::Entry& entry : entries) map[entry.key()] = entry.value();
  return map;
}

constexpr char kDataFolder[] = "data/";
constexpr char kIndicesFolder[] = "_indices/";
constexpr char kSystemIndexPrefix[] = "__lance_";
constexpr char kFragmentReuseIndex[] = "__lance_frag_reuse";
constexpr char kMemoryWalIndex[] = "__lance_mem_wal";

/// Of the manifest's end, read first; nearly always all of it.
constexpr uint64_t kTailSize = uint64_t{64} * 1024;
/// i64 position of the manifest | i16 major | i16 minor | "LANC"
constexpr uint64_t kTrailerSize = 16;
constexpr uint64_t kMagicOffset = 12;
constexpr std::string_view kMagic = "LANC";

constexpr uint64_t kStableRowIdsFlag = 2;
/// Deletion files, stable row ids, the v2 file format, a table config, base paths, no transaction files.
constexpr uint64_t kKnownReaderFlags = 1 | kStableRowIdsFlag | 4 | 8 | 16 | 32;
/// The next two that Lance has given out.
constexpr uint64_t kOverlaysFlag = 64;
constexpr uint64_t kMemoryWalFlag = 128;

/// What is not read, and what to do about it.
constexpr char kOverlays[] =
    "has overlay files, which replace values of its data files, and is not supported: compact the dataset with Lance";
constexpr char kMemoryWal[] =
    "has a memory write-ahead log (MemWAL), whose rows are not in its fragments, and is not supported: have Lance "
    "merge "
    "the log into the dataset and drop it";

/// Row addresses keep the fragment's id and the row's offset in 32 bits each.
constexpr uint64_t kMaxFragmentId = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMaxRowsOfFragment = uint64_t{1} << 32;
/// In the bitmaps of all indexes together. A bitmap of 4 KiB can hold as many, so only this limit bounds the memory.
constexpr uint64_t kMaxIndexedFragments = uint64_t{1} << 24;

/// The end of a manifest's file, which grows towards the file's start when a section lies before it.
class ManifestFile {
 public:
  /// `end` are the last bytes of a file of `size` bytes. `source` gives the rest; null if `end` is all of the file.
  ManifestFile(std::shared_ptr<arrow::Buffer> end, uint64_t size, ReadableFile* source)
      : bytes_(std::move(end)), size_(size), source_(source) {}

  /// Where the manifest's message starts, from the trailer.
  arrow::Result<uint64_t> ManifestPosition() const {
    const auto available = static_cast<uint64_t>(bytes_->size());
    if (available < kTrailerSize) return arrow::Status::Invalid("is too short for a manifest: ", available, " bytes");
    const uint8_t* trailer = bytes_->data() + available - kTrailerSize;
    if (std::string_view(reinterpret_cast<const char*>(trailer + kMagicOffset), kMagic.size()) != kMagic) {
      return arrow::Status::Invalid("does not end like a Lance manifest");
    }
    return LoadLittleEndian<uint64_t>(trailer);
  }

  /// The message at `position`, behind its length. Valid until the next call.
  arrow::Result<std::string_view> Message(uint64_t position, const char* what) {
    const uint64_t limit = size_ - kTrailerSize;
    if (!RangeIsInside(position, sizeof(uint32_t), limit)) {
      return arrow::Status::Invalid(what, ": its position lies outside the file: ", position);
    }
    RETURN_NOT_OK(GrowTo(position));
    const uint8_t* prefix = bytes_->data() + (position - start());
    const auto length = LoadLittleEndian<uint32_t>(prefix);
    if (!RangeIsInside(position + sizeof(uint32_t), length, limit)) {
      return arrow::Status::Invalid(what, ": its length goes past the file's end: ", length);
    }
    return std::string_view(reinterpret_cast<const char*>(prefix + sizeof(uint32_t)), length);
  }

  uint64_t size() const { return size_; }

 private:
  uint64_t start() const { return size_ - static_cast<uint64_t>(bytes_->size()); }

  arrow::Status GrowTo(uint64_t wanted) {
    if (wanted >= start()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(auto before, source_->Read({wanted, start() - wanted}));
    return arrow::ConcatenateBuffers({std::move(before), bytes_}).Value(&bytes_);
  }

  std::shared_ptr<arrow::Buffer> bytes_;
  const uint64_t size_;
  ReadableFile* const source_;
};

template <typename Message>
arrow::Status ParseMessage(std::string_view bytes, const char* what, Message* message) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return arrow::Status::Invalid(what, ": is too long for a message: ", bytes.size(), " bytes");
  }
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return arrow::Status::Invalid(what, ": is not a well-formed message");
  }
  return arrow::Status::OK();
}

arrow::Status CheckFeatures(const pb::Manifest& message) {
  const uint64_t unknown = message.reader_feature_flags() & ~kKnownReaderFlags;
  if ((unknown & kOverlaysFlag) != 0) return arrow::Status::NotImplemented("the dataset ", kOverlays);
  if ((unknown & kMemoryWalFlag) != 0) return arrow::Status::NotImplemented("the dataset ", kMemoryWal);
  if (unknown != 0) {
    return arrow::Status::NotImplemented("the dataset needs features newer than this reader, reader feature flags ",
                                         unknown, ": write it anew with a release of Lance that does without them");
  }
  const std::string& format = message.data_format().file_format();
  if (!format.empty() && format != "lance") {
    return arrow::Status::NotImplemented("its data files have the format \"", format, "\", not \"lance\"");
  }
  return arrow::Status::OK();
}

/// Files of a branch, a shallow clone or an import lie outside the dataset's folder.
template <typename Message>
arrow::Status CheckBase(const Message& message, const std::string& what) {
  if (!message.has_base_id()) return arrow::Status::OK();
  return arrow::Status::NotImplemented(what, " lies in another folder than the dataset, base path ", message.base_id());
}

/// Says of an error about a base path which folder it is, and how such a dataset comes about.
arrow::Status WithBasePaths(const arrow::Status& status, const pb::Manifest& message) {
  if (!status.IsNotImplemented() || message.base_paths_size() == 0) return status;
  std::string paths;
  for (const pb::BasePath& base : message.base_paths()) {
    paths += (paths.empty() ? "" : ", ") + std::to_string(base.id()) + " is \"" + base.path() + "\"";
  }
  return status.WithMessage(status.message(), " (", paths,
                            "): branches, shallow clones and files added from elsewhere are not supported; write the "
                            "rows to a dataset of their own, as a deep clone does");
}

arrow::Status CheckPath(const std::string& path, const std::string& what) {
  bool leaves = path.empty() || path.front() == '/' || path.find('\0') != std::string::npos;
  for (size_t start = 0; start <= path.size() && !leaves;) {
    const size_t end = std::min(path.find('/', start), path.size());
    leaves = path.compare(start, end - start, "..") == 0;
    start = end + 1;
  }
  if (!leaves) return arrow::Status::OK();
  return arrow::Status::Invalid(what, ": its path is empty or leads out of the dataset: \"", path, "\"");
}

arrow::Result<std::vector<Field>> DecodeFields(const pb::Manifest& message) {
  std::vector<Field> fields;
  std::unordered_set<int32_t> ids;
  fields.reserve(static_cast<size_t>(message.fields_size()));
  for (const pb::Field& from : message.fields()) {
    if (from.id() < 0 || !ids.insert(from.id()).second) {
      return arrow::Status::Invalid("field \"", from.name(), "\": its id is negative or used twice: ", from.id());
    }
    if (from.parent_id() != -1 && (from.parent_id() == from.id() || ids.count(from.parent_id()) == 0)) {
      return arrow::Status::Invalid("field \"", from.name(), "\": no field before it is its parent ", from.parent_id());
    }
    fields.push_back(
        {from.id(), from.parent_id(), from.name(), from.logical_type(), from.nullable(), TextMap(from.metadata())});
  }
  return fields;
}

arrow::Result<DataFile> DecodeDataFile(const pb::DataFile& from) {
  const std::string what = "data file \"" + from.path() + "\"";
  RETURN_NOT_OK(CheckBase(from, what));
  RETURN_NOT_OK(CheckPath(from.path(), what));
  DataFile file{.path = kDataFolder + from.path(),
                .fields = {from.fields().begin(), from.fields().end()},
                .column_indices = {from.column_indices().begin(), from.column_indices().end()},
                .major_version = from.file_major_version(),
                .minor_version = from.file_minor_version(),
                .size = from.file_size_bytes()};
  if (file.column_indices.size() != file.fields.size() && !(file.is_legacy() && file.column_indices.empty())) {
    return arrow::Status::Invalid(what, ": has ", file.fields.size(), " fields but ", file.column_indices.size(),
                                  " column indices");
  }
  if (std::any_of(file.column_indices.begin(), file.column_indices.end(), [](int32_t i) { return i < -1; })) {
    return arrow::Status::Invalid(what, ": has a negative column index");
  }
  return file;
}

arrow::Result<DeletionFile> DecodeDeletionFile(const pb::DeletionFile& from) {
  RETURN_NOT_OK(CheckBase(from, "deletion file"));
  if (from.file_type() < 0 || from.file_type() > static_cast<int32_t>(DeletionFileType::kBitmap)) {
    return arrow::Status::NotImplemented("deletion file of an unknown type: ", from.file_type());
  }
  return DeletionFile{.type = static_cast<DeletionFileType>(from.file_type()),
                      .read_version = from.read_version(),
                      .id = from.id(),
                      .num_deleted_rows = from.num_deleted_rows()};
}

arrow::Result<std::optional<MessageLocation>> DecodeRowIds(const pb::DataFragment& from) {
  if (from.has_inline_row_ids()) return MessageLocation{from.inline_row_ids(), "", {}};
  if (!from.has_external_row_ids()) return std::nullopt;
  const pb::ExternalFile& file = from.external_row_ids();
  RETURN_NOT_OK(CheckPath(file.path(), "row ids"));
  return MessageLocation{"", file.path(), {file.offset(), file.size()}};
}

arrow::Result<Fragment> DecodeFragment(const pb::DataFragment& from) {
  Fragment fragment{
      .id = from.id(), .files = {}, .deletion_file = {}, .physical_rows = from.physical_rows(), .row_ids = {}};
  if (fragment.id > kMaxFragmentId) return arrow::Status::Invalid("its id does not fit in 32 bits");
  if (fragment.physical_rows > kMaxRowsOfFragment) {
    return arrow::Status::Invalid("its rows cannot be counted in 32 bits: ", fragment.physical_rows);
  }
  if (from.overlays_size() > 0) return arrow::Status::NotImplemented(kOverlays);
  for (const pb::DataFile& file : from.files()) {
    ARROW_ASSIGN_OR_RAISE(fragment.files.emplace_back(), DecodeDataFile(file));
  }
  // Nobody writes files without rows, and nobody would look into these. Old releases did not count.
  const auto is_counted = [](const DataFile& file) { return !file.is_legacy(); };
  if (fragment.physical_rows == 0 && std::any_of(fragment.files.begin(), fragment.files.end(), is_counted)) {
    return arrow::Status::Invalid("has data files, but no rows");
  }
  if (from.has_deletion_file()) {
    ARROW_ASSIGN_OR_RAISE(fragment.deletion_file, DecodeDeletionFile(from.deletion_file()));
    if (fragment.deletion_file->num_deleted_rows > fragment.physical_rows) {
      return arrow::Status::Invalid("of its ", fragment.physical_rows,
                                    " rows more are deleted: ", fragment.deletion_file->num_deleted_rows);
    }
  }
  ARROW_ASSIGN_OR_RAISE(fragment.row_ids, DecodeRowIds(from));
  return fragment;
}

arrow::Result<std::vector<Fragment>> DecodeFragments(const pb::Manifest& message) {
  std::vector<Fragment> fragments;
  std::unordered_set<uint64_t> ids;
  fragments.reserve(static_cast<size_t>(message.fragments_size()));
  for (const pb::DataFragment& from : message.fragments()) {
    auto fragment = DecodeFragment(from);
    if (!fragment.ok()) {
      return fragment.status().WithMessage("fragment ", from.id(), ": ", fragment.status().message());
    }
    const auto& files = fragment->files;
    if (!message.has_writer_version() && std::any_of(files.begin(), files.end(), std::mem_fn(&DataFile::is_legacy))) {
      return arrow::Status::NotImplemented(
          "written by a release of Lance (up to 0.8) that did not record, or wrongly, ",
          "how many rows there are: write the dataset anew with a newer one");
    }
    if (!ids.insert(from.id()).second) return arrow::Status::Invalid("fragment ", from.id(), " occurs twice");
    fragments.push_back(std::move(*fragment));
  }
  return fragments;
}

arrow::Result<Uuid> DecodeUuid(const pb::UUID& from, const std::string& what) {
  Uuid uuid;
  if (from.uuid().size() != uuid.bytes.size()) {
    return arrow::Status::Invalid(what, ": its uuid has ", from.uuid().size(), " bytes, not 16");
  }
  std::copy(from.uuid().begin(), from.uuid().end(), uuid.bytes.begin());
  return uuid;
}

/// Takes the number of its fragments from `budget`.
arrow::Result<IndexMetadata> DecodeIndex(const pb::IndexMetadata& from, uint64_t* budget) {
  const std::string what = "index \"" + from.name() + "\"";
  RETURN_NOT_OK(CheckBase(from, what));
  IndexMetadata index;
  ARROW_ASSIGN_OR_RAISE(index.uuid, DecodeUuid(from.uuid(), what));
  index.name = from.name();
  index.fields.assign(from.fields().begin(), from.fields().end());
  index.dataset_version = from.dataset_version();
  index.details_type_url = from.index_details().type_url();
  index.index_version = from.index_version();
  if (!from.fragment_bitmap().empty()) {
    ARROW_ASSIGN_OR_RAISE(index.fragments,
                          ParseRoaringBitmap(from.fragment_bitmap(), *budget, what + ", its fragments"));
    *budget -= index.fragments->size();
  }
  for (const pb::IndexFile& file : from.files()) {
    RETURN_NOT_OK(CheckPath(file.path(), what));
    index.files.push_back({file.path(), file.size_bytes()});
  }
  return index;
}

arrow::Result<FragmentReuseIndex> DecodeFragmentReuse(const pb::IndexMetadata& from) {
  const std::string what = "index \"" + from.name() + "\"";
  RETURN_NOT_OK(CheckBase(from, what));
  FragmentReuseIndex index;
  ARROW_ASSIGN_OR_RAISE(index.uuid, DecodeUuid(from.uuid(), what));
  if (!from.index_details().type_url().ends_with("FragmentReuseIndexDetails")) {
    return arrow::Status::Invalid(what, ": its details are of type \"", from.index_details().type_url(), "\"");
  }
  pb::FragmentReuseIndexDetails details;
  RETURN_NOT_OK(ParseMessage(from.index_details().value(), "details of the fragment reuse index", &details));
  switch (details.content_case()) {
    case pb::FragmentReuseIndexDetails::kInline:
      index.details = {details.inline_(), "", {}};
      return index;
    case pb::FragmentReuseIndexDetails::kExternal: {
      const pb::ExternalFile& file = details.external();
      RETURN_NOT_OK(CheckPath(file.path(), what));
      const std::string path = kIndicesFolder + index.uuid.ToString() + "/" + file.path();
      index.details = {"", path, {file.offset(), file.size()}};
      return index;
    }
    case pb::FragmentReuseIndexDetails::CONTENT_NOT_SET:
      break;
  }
  return arrow::Status::Invalid(what, ": its details have no content, or one of an unknown kind");
}

arrow::Status DecodeIndexes(const pb::IndexSection& message, Manifest* manifest) {
  uint64_t budget = kMaxIndexedFragments;
  for (const pb::IndexMetadata& from : message.indices()) {
    if (from.name() == kMemoryWalIndex) {
      return arrow::Status::NotImplemented("index \"", from.name(), "\": the dataset ", kMemoryWal);
    }
    if (from.name().rfind(kSystemIndexPrefix, 0) == 0) {
      if (from.name() != kFragmentReuseIndex) {
        return arrow::Status::NotImplemented("index \"", from.name(),
                                             "\": one of Lance's own that is newer than this reader");
      }
      if (manifest->fragment_reuse) return arrow::Status::Invalid("index \"", from.name(), "\" occurs twice");
      ARROW_ASSIGN_OR_RAISE(manifest->fragment_reuse, DecodeFragmentReuse(from));
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(manifest->indices.emplace_back(), DecodeIndex(from, &budget));
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<Manifest>> Decode(ManifestFile* file) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t position, file->ManifestPosition());
  ARROW_ASSIGN_OR_RAISE(auto bytes, file->Message(position, "manifest"));
  if (position + sizeof(uint32_t) + bytes.size() + kTrailerSize != file->size()) {
    return arrow::Status::Invalid("manifest: it does not end where the trailer starts");
  }
  pb::Manifest message;
  RETURN_NOT_OK(ParseMessage(bytes, "manifest", &message));
  RETURN_NOT_OK(CheckFeatures(message));

  auto manifest = std::make_shared<Manifest>();
  manifest->version = message.version();
  manifest->reader_feature_flags = message.reader_feature_flags();
  manifest->next_row_id = message.next_row_id();
  manifest->data_storage_version = message.data_format().version();
  manifest->config = TextMap(message.config());
  manifest->schema_metadata = TextMap(message.schema_metadata());
  ARROW_ASSIGN_OR_RAISE(manifest->fields, DecodeFields(message));
  auto fragments = DecodeFragments(message);
  if (!fragments.ok()) return WithBasePaths(fragments.status(), message);
  manifest->fragments = std::move(*fragments);
  if (message.has_index_section()) {
    ARROW_ASSIGN_OR_RAISE(bytes, file->Message(message.index_section(), "index section"));
    pb::IndexSection section;
    RETURN_NOT_OK(ParseMessage(bytes, "index section", &section));
    RETURN_NOT_OK(WithBasePaths(DecodeIndexes(section, manifest.get()), message));
  }
  return manifest;
}

// ---- Versions that a byte cache knows, so that opening one of them again needs no request. ----

/// A manifest's file as it was when it was read.
struct KeptManifest {
  std::string path;
  int64_t modified = 0;
  std::shared_ptr<arrow::Buffer> file;
};

std::string KeptName(uint64_t version) {
  std::string name = kVersionsFolder;
  return name.append("/version ").append(std::to_string(version));
}

/// The path, the time and the file, with a line feed after the first two.
void Keep(const ObjectStore& store, uint64_t version, const KeptManifest& manifest) {
  std::string note;
  for (const std::string& line : {manifest.path, std::to_string(manifest.modified)}) note.append(line).append(1, '\n');
  note += std::string_view(*manifest.file);
  store.byte_cache()->Keep(KeptName(version), arrow::Buffer::FromString(std::move(note)));
}

/// Nothing if it is not there or makes no sense.
std::optional<KeptManifest> FindKept(const ObjectStore& store, uint64_t version) {
  const auto note = store.byte_cache() == nullptr ? nullptr : store.byte_cache()->Find(KeptName(version));
  if (note == nullptr) return std::nullopt;
  const std::string_view text(*note);
  const size_t path_end = text.find('\n');
  const size_t time_end = path_end == std::string_view::npos ? path_end : text.find('\n', path_end + 1);
  if (time_end == std::string_view::npos) return std::nullopt;
  KeptManifest kept{.path = std::string(text.substr(0, path_end)), .modified = 0, .file = nullptr};
  const auto [end, error] = std::from_chars(text.data() + path_end + 1, text.data() + time_end, kept.modified);
  if (error != std::errc() || end != text.data() + time_end) return std::nullopt;
  kept.file = arrow::SliceBuffer(note, static_cast<int64_t>(time_end + 1));
  return kept;
}

/// Null if there is none that can be read.
std::shared_ptr<const Manifest> ParseKept(const std::optional<KeptManifest>& kept, uint64_t version) {
  if (!kept) return nullptr;
  auto manifest = ParseManifest(kept->file, kept->path);
  return manifest.ok() && (*manifest)->version == version ? *manifest : nullptr;
}

arrow::Result<std::shared_ptr<const Manifest>> ReadListed(const ObjectStore& store, const ListedManifest& listed) {
  const std::string path = std::string(kVersionsFolder) + "/" + listed.entry.name;
  // A dataset may be dropped and made anew, and then has other versions of the same numbers.
  const auto kept = FindKept(store, listed.version);
  if (kept && kept->path == path && kept->modified == listed.entry.modified &&
      static_cast<uint64_t>(kept->file->size()) == listed.entry.size) {
    if (auto manifest = ParseKept(kept, listed.version)) return manifest;
  }
  auto source = store.OpenUncached(path, listed.entry.size, IoKind::kManifest);
  ARROW_ASSIGN_OR_RAISE(const uint64_t size, source->Size());
  const uint64_t tail_size = std::min(size, store.is_remote() ? ReadableFile::kReadWhole : kTailSize);
  ARROW_ASSIGN_OR_RAISE(auto tail, source->Read({size - tail_size, tail_size}));
  ManifestFile file(tail, size, source.get());
  auto decoded = Decode(&file);
  if (!decoded.ok()) {
    return decoded.status().WithMessage(store.name(), "/", path, ": ", decoded.status().message());
  }
  std::shared_ptr<Manifest> manifest = std::move(*decoded);
  if (manifest->version != listed.version) {
    return arrow::Status::Invalid(store.name(), "/", path, ": holds version ", manifest->version, ", not ",
                                  listed.version);
  }
  manifest->path = path;
  if (store.byte_cache() != nullptr && tail_size == size) {
    Keep(store, listed.version, {path, listed.entry.modified, std::move(tail)});
  }
  return manifest;
}

}  // namespace

std::string Uuid::ToString() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

uint64_t IndexMetadata::FileSize(std::string_view file_name) const {
  const auto file = std::find_if(files.begin(), files.end(), [&](const IndexFile& f) { return f.path == file_name; });
  return file == files.end() ? 0 : file->size;
}

uint64_t Manifest::live_rows() const {
  uint64_t rows = 0;
  for (const Fragment& fragment : fragments) rows += fragment.live_rows();
  return rows;
}

uint64_t Manifest::physical_rows() const {
  uint64_t rows = 0;
  for (const Fragment& fragment : fragments) rows += fragment.physical_rows;
  return rows;
}

bool Manifest::has_stable_row_ids() const {
  return (reader_feature_flags & kStableRowIdsFlag) != 0;
}

const Fragment* Manifest::FindFragment(uint64_t id) const {
  const auto found =
      std::find_if(fragments.begin(), fragments.end(), [id](const Fragment& one) { return one.id == id; });
  return found == fragments.end() ? nullptr : &*found;
}

arrow::Result<std::shared_ptr<const Manifest>> ParseManifest(const std::shared_ptr<arrow::Buffer>& file,
                                                             const std::string& path) {
  ManifestFile whole(file, static_cast<uint64_t>(file->size()), nullptr);
  auto manifest = Decode(&whole);
  if (!manifest.ok()) return manifest.status().WithMessage(path, ": ", manifest.status().message());
  (*manifest)->path = path;
  return *manifest;
}

arrow::Result<std::shared_ptr<const Manifest>> ReadManifest(const ObjectStore& store, std::optional<uint64_t> version) {
  if (version) {
    if (auto kept = ParseKept(FindKept(store, *version), *version)) return kept;
  }
  ARROW_ASSIGN_OR_RAISE(const ListedManifest listed, FindManifest(store, version));
  return ReadListed(store, listed);
}

arrow::Result<std::shared_ptr<const Manifest>> ReadManifestUnless(const ObjectStore& store, uint64_t known) {
  ARROW_ASSIGN_OR_RAISE(const ListedManifest listed, FindManifest(store, std::nullopt));
  if (listed.version == known) return nullptr;
  return ReadListed(store, listed);
}

}  // namespace fewter::lance
