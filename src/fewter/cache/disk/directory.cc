#include "fewter/cache/disk/directory.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <utility>

#include <arrow/util/io_util.h>
#include <fmt/format.h>

#include "fewter/cache/disk/crash_point.h"
#include "fewter/util/bytes.h"

namespace fewter::disk {
namespace {

constexpr std::string_view kTemporaryPrefix = "tmp-";
constexpr std::string_view kMarkerText = "fewter index cache, format ";

std::string Join(const std::string& directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}

std::string MarkerText() {
  return fmt::format("{}{}\n", kMarkerText, kDirectoryVersion);
}

arrow::Status CheckMarker(FileSystem* files, const std::string& path) {
  const std::string marker = Join(path, kMarkerName);
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files->Stat(marker));
  if (status.bytes == 0)
    return arrow::internal::IOErrorFromErrno(ENOENT, "'", marker,
                                             "' is empty; the next process that caches there writes it again");
  constexpr uint64_t kLongest = 100;
  ARROW_ASSIGN_OR_RAISE(const auto bytes, files->Read(marker, 0, std::min(status.bytes, kLongest)));
  const std::string text = bytes->ToString();
  int version = 0;
  if (text.starts_with(kMarkerText)) {
    std::from_chars(text.data() + kMarkerText.size(), text.data() + text.size(), version);
  }
  if (version > kDirectoryVersion) {
    return arrow::Status::Invalid("disk cache '", path, "': the directory has format ", version,
                                  ", of a newer release; this one knows format ", kDirectoryVersion,
                                  ": choose another folder, or remove this one");
  }
  if (text != MarkerText()) {
    return arrow::Status::Invalid(
        "disk cache '", path, "': ", kMarkerName,
        " does not say which format this is; if nothing else is in the folder, remove it, and it is made anew");
  }
  return arrow::Status::OK();
}

arrow::Status NotOurs(const std::string& path, const std::string& found) {
  return arrow::Status::Invalid("disk cache '", path, "': the directory holds other things, such as '", found,
                                "', and no ", kMarkerName, ", which a cache would have");
}

arrow::Status MakeWithParents(FileSystem* files, const std::string& path) {
  arrow::Status made = files->MakeDirectory(path);
  const size_t slash = path.find_last_of('/');
  if (!IsMissing(made) || slash == std::string::npos) return made;
  const size_t parent = path.find_last_not_of('/', slash);
  if (parent == std::string::npos) return made;
  ARROW_RETURN_NOT_OK(MakeWithParents(files, path.substr(0, parent + 1)));
  return files->MakeDirectory(path);
}

/// Gathers small pieces, so that the file is written a huge page at a time and from multiples of one on: only then does
/// the page cache take huge pages for it (ext4 of Linux 6.18; with smaller writes searches of mapped entries wait for
/// address translation, 4 to 7 % of their time).
class PieceWriter {
 public:
  explicit PieceWriter(NewFile* file) : file_(file) {}

  arrow::Status Append(std::string_view piece) {
    while (!piece.empty()) {
      const size_t whole = gathered_.empty() ? piece.size() - piece.size() % kHugePage : 0;
      if (whole > 0) ARROW_RETURN_NOT_OK(WriteAll(file_, piece.substr(0, whole)));
      piece.remove_prefix(whole);
      const std::string_view part = piece.substr(0, kHugePage - gathered_.size());
      gathered_.append(part);
      piece.remove_prefix(part.size());
      if (gathered_.size() == kHugePage) ARROW_RETURN_NOT_OK(Flush());
    }
    return arrow::Status::OK();
  }

  arrow::Status Flush() {
    std::string_view bytes = gathered_;
    if (internal::crash_hook.load(std::memory_order_relaxed) != nullptr) {
      ARROW_RETURN_NOT_OK(WriteAll(file_, bytes.substr(0, bytes.size() / 2)));
      internal::CrashPoint("mid-write");
      bytes.remove_prefix(bytes.size() / 2);
    }
    ARROW_RETURN_NOT_OK(WriteAll(file_, bytes));
    gathered_.clear();
    return arrow::Status::OK();
  }

 private:
  NewFile* const file_;
  std::string gathered_;
};

arrow::Status WriteAndRename(FileSystem* files, const std::string& temporary, const std::string& path,
                             std::span<const std::string_view> pieces) {
  // Lives until the file has its name: until then it is known as one with a living writer.
  ARROW_ASSIGN_OR_RAISE(const std::unique_ptr<NewFile> file, files->Create(temporary));
  PieceWriter writer(file.get());
  for (const std::string_view piece : pieces) ARROW_RETURN_NOT_OK(writer.Append(piece));
  ARROW_RETURN_NOT_OK(writer.Flush());
  internal::CrashPoint("before-sync");
  ARROW_RETURN_NOT_OK(file->Sync());
  internal::CrashPoint("after-sync");
  internal::CrashPoint("before-rename");
  ARROW_RETURN_NOT_OK(files->Rename(temporary, path));
  internal::CrashPoint("after-rename");
  return arrow::Status::OK();
}

arrow::Status PublishOnce(FileSystem* files, const std::string& directory, const std::string& name,
                          std::span<const std::string_view> pieces) {
  const SegmentId id = NewSegmentId();
  const std::string temporary = fmt::format("{}/{}{:016x}{:016x}", directory, kTemporaryPrefix, id.time, id.random);
  internal::CrashPoint("before-write");
  arrow::Status written = WriteAndRename(files, temporary, Join(directory, name), pieces);
  if (!written.ok()) {
    // Best effort: what cannot be removed now is, as an abandoned file, later.
    (void)files->Unlink(temporary);
    return written;
  }
  arrow::Status synced = files->SyncDirectory(directory);
  // Not published: a name that a loss of power may take back must not be counted on, nor seen by others.
  if (!synced.ok()) (void)files->Unlink(Join(directory, name));
  return synced;
}

/// Numbers the different texts among those of the entries.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string>* texts) : texts_(texts) {}

  uint32_t IndexOf(std::string_view text) {
    const auto [place, is_new] = known_.try_emplace(text, static_cast<uint32_t>(texts_->size()));
    if (is_new) texts_->emplace_back(text);
    return place->second;
  }

 private:
  std::vector<std::string>* const texts_;
  std::unordered_map<std::string_view, uint32_t> known_;
};

/// Of the latest segment id that this process knows.
std::atomic<uint64_t> last_time{0};

uint64_t NanosecondsNow() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace

SegmentId NewSegmentId() {
  const uint64_t now = NanosecondsNow();
  uint64_t last = last_time.load();
  while (!last_time.compare_exchange_weak(last, std::max(now, last + 1))) {
  }
  // From the system each time: a forked child must not draw the numbers that its parent draws.
  std::random_device random;
  return {.time = std::max(now, last + 1), .random = (static_cast<uint64_t>(random()) << 32) | random()};
}

void NoteSegmentId(const SegmentId& id) {
  // A time beyond any wrong clock is damage or malice, and would leave no room for later ones.
  constexpr uint64_t kWrongClock = uint64_t{366} * 24 * 3600 * 1'000'000'000;
  if (id.time > NanosecondsNow() + kWrongClock) return;
  uint64_t last = last_time.load();
  while (last < id.time && !last_time.compare_exchange_weak(last, id.time)) {
  }
}

arrow::Status CheckDirectory(FileSystem* files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files->Stat(path));
  if (!status.is_directory) return arrow::Status::Invalid("disk cache '", path, "': not a directory");
  arrow::Status checked = CheckMarker(files, path);
  if (!IsMissing(checked)) return checked;
  ARROW_ASSIGN_OR_RAISE(const std::vector<std::string> names, files->List(path));
  for (const std::string& name : names) {
    // The marker may have come just now.
    if (name == kMarkerName) return CheckMarker(files, path);
  }
  // A loss of power may take the marker and leave the rest.
  const auto is_ours = [](const std::string& name) {
    return name.starts_with(kTemporaryPrefix) || name == kLockName || name == kHeatName ||
           // What a new file system has at its top.
           name == "lost+found" || ParseSegmentFileName(name);
  };
  for (const std::string& name : names) {
    if (!is_ours(name)) return NotOurs(path, name);
  }
  return checked;
}

arrow::Status PrepareDirectory(FileSystem* files, const std::string& path) {
  arrow::Status checked = CheckDirectory(files, path);
  if (!IsMissing(checked)) return checked;
  ARROW_RETURN_NOT_OK(MakeWithParents(files, path));
  const std::string text = MarkerText();
  const std::string_view piece = text;
  return PublishOnce(files, path, std::string(kMarkerName), {&piece, 1});
}

arrow::Status PublishFile(FileSystem* files, const std::string& directory, const std::string& name,
                          std::span<const std::string_view> pieces) {
  arrow::Status published = PublishOnce(files, directory, name, pieces);
  if (!IsMissing(published)) return published;
  ARROW_RETURN_NOT_OK(PrepareDirectory(files, directory));
  return PublishOnce(files, directory, name, pieces);
}

void RemoveAbandonedFiles(FileSystem* files, const std::string& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name.starts_with(kTemporaryPrefix)) (void)files->RemoveIfAbandoned(Join(directory, name));
  }
}

arrow::Result<SegmentFooter> PublishSegment(FileSystem* files, const std::string& directory,
                                            std::span<const EntryToWrite> entries, int64_t large_entry_bytes) {
  static const std::string zeros(kLargeEntryAlignment, '\0');
  SegmentFooter footer{.id = NewSegmentId(), .name_spaces = {}, .type_ids = {}, .records = {}};
  TextTable name_spaces(&footer.name_spaces);
  TextTable type_ids(&footer.type_ids);
  const std::string header = EncodeSegmentHeader(footer.id);
  std::vector<std::string_view> pieces = {header};
  uint64_t end = header.size();
  const auto pad = [&](uint64_t alignment) {
    const uint64_t begin = RoundUp(end, alignment);
    pieces.push_back(std::string_view(zeros).substr(0, begin - end));
    end = begin;
  };
  for (const EntryToWrite& entry : entries) {
    pad(static_cast<int64_t>(entry.bytes.size()) >= large_entry_bytes ? kLargeEntryAlignment : kEntryAlignment);
    footer.records.push_back({.digest = entry.digest,
                              .offset = end,
                              .length = entry.bytes.size(),
                              .checksum = SegmentChecksum(entry.bytes),
                              .name_space = name_spaces.IndexOf(entry.name_space),
                              .type_id = type_ids.IndexOf(entry.type_id),
                              .uses = entry.uses,
                              .last_use = entry.last_use});
    pieces.push_back(entry.bytes);
    end += entry.bytes.size();
  }
  pad(kEntryAlignment);
  const std::string footer_bytes = EncodeSegmentEnd(footer, end);
  pieces.push_back(footer_bytes);
  ARROW_RETURN_NOT_OK(PublishFile(files, directory, SegmentFileName(footer.id), pieces));
  return footer;
}

}  // namespace fewter::disk
