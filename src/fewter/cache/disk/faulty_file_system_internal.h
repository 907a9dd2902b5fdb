#pragma once

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/util/io_util.h>

#include "fewter/cache/disk/file_system.h"

/// A disk that can be told to fail, for tests.

namespace fewter::disk::testing {

/// Passes everything on to the real file system until one of its members says otherwise. Thread safe.
class FaultyFileSystem final : public FileSystem {
 public:
  /// The errno with which operations fail; 0: they do not.
  std::atomic<int> write_error{0};
  std::atomic<int> sync_error{0};
  /// Of syncing directories alone.
  std::atomic<int> directory_sync_error{0};
  std::atomic<int> rename_error{0};
  std::atomic<int> unlink_error{0};
  std::atomic<int> read_error{0};
  /// Of reading files whose name is a segment's.
  std::atomic<int> segment_read_error{0};
  std::atomic<int> map_error{0};
  std::atomic<int> populate_error{0};
  std::atomic<int> collapse_error{0};
  std::atomic<int> list_error{0};
  std::atomic<int> lock_error{0};
  /// The most that one write takes.
  std::atomic<size_t> longest_write{SIZE_MAX};
  /// After this many more bytes the disk is full.
  std::atomic<int64_t> room{INT64_MAX};
  /// A bit of each written byte at this distance from the beginning of a write is lost; negative: none.
  std::atomic<int64_t> flipped_byte{-1};
  /// How often mapped bytes were brought into memory, and files read.
  std::atomic<int> populates{0};
  /// How often mapped bytes were to be in a huge page, and whether they then are.
  std::atomic<int> collapses{0};
  std::atomic<bool> has_huge_pages{true};
  std::atomic<int> reads{0};

  /// What a loss of power would do: what was not synced is gone, and so are new names in directories not synced.
  void LosePower() {
    std::lock_guard lock(mutex_);
    for (const auto& [path, bytes] : unsynced_) {
      if (std::filesystem::exists(path)) std::filesystem::resize_file(path, bytes);
    }
    for (const auto& [from, to] : unsynced_names_) {
      if (std::filesystem::exists(to)) std::filesystem::rename(to, from);
    }
    unsynced_.clear();
    unsynced_names_.clear();
  }
  /// Syncing does nothing from now on.
  std::atomic<bool> sync_is_a_lie{false};

  arrow::Status MakeDirectory(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Fail(write_error));
    return real_->MakeDirectory(path);
  }
  arrow::Result<FileStatus> Stat(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Fail(list_error));
    return real_->Stat(path);
  }
  arrow::Result<std::vector<std::string>> List(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Fail(list_error));
    return real_->List(path);
  }
  arrow::Result<std::unique_ptr<NewFile>> Create(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(auto file, real_->Create(path));
    std::lock_guard lock(mutex_);
    unsynced_[path] = 0;
    return std::make_unique<FaultyFile>(this, path, std::move(file));
  }
  arrow::Status Rename(const std::string& from, const std::string& to) override {
    ARROW_RETURN_NOT_OK(Fail(rename_error));
    ARROW_RETURN_NOT_OK(real_->Rename(from, to));
    std::lock_guard lock(mutex_);
    unsynced_names_.emplace_back(from, to);
    if (const auto file = unsynced_.extract(from)) unsynced_[to] = file.mapped();
    return arrow::Status::OK();
  }
  arrow::Status Unlink(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Fail(unlink_error));
    return real_->Unlink(path);
  }
  arrow::Status SyncDirectory(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Fail(sync_error));
    ARROW_RETURN_NOT_OK(Fail(directory_sync_error));
    if (sync_is_a_lie) return arrow::Status::OK();
    std::lock_guard lock(mutex_);
    unsynced_names_.clear();
    return real_->SyncDirectory(path);
  }
  arrow::Result<bool> RemoveIfAbandoned(const std::string& path) override { return real_->RemoveIfAbandoned(path); }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(const std::string& path, uint64_t offset,
                                                     uint64_t length) override {
    ++reads;
    ARROW_RETURN_NOT_OK(Fail(read_error));
    if (path.ends_with(".fwseg")) ARROW_RETURN_NOT_OK(Fail(segment_read_error));
    return real_->Read(path, offset, length);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Map(const std::string& path, uint64_t bytes, MappedReads how) override {
    ARROW_RETURN_NOT_OK(Fail(map_error));
    return real_->Map(path, bytes, how);
  }
  arrow::Status Populate(const uint8_t* data, uint64_t length) override {
    ++populates;
    ARROW_RETURN_NOT_OK(Fail(populate_error));
    return real_->Populate(data, length);
  }
  arrow::Result<bool> Collapse(const std::string& path, const arrow::Buffer& mapping, uint64_t offset) override {
    ++collapses;
    ARROW_RETURN_NOT_OK(Fail(collapse_error));
    ARROW_RETURN_NOT_OK(real_->Collapse(path, mapping, offset).status());
    // Whether the kernel has huge pages must not decide what a test sees.
    return has_huge_pages.load();
  }
  arrow::Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    ARROW_RETURN_NOT_OK(Fail(lock_error));
    return real_->TryLock(path);
  }

 private:
  class FaultyFile final : public NewFile {
   public:
    FaultyFile(FaultyFileSystem* files, std::string path, std::unique_ptr<NewFile> real)
        : files_(files), path_(std::move(path)), real_(std::move(real)) {}

    arrow::Result<size_t> Write(std::string_view bytes) override {
      ARROW_RETURN_NOT_OK(Fail(files_->write_error));
      std::string written(bytes.substr(0, files_->longest_write));
      if (files_->room.fetch_sub(static_cast<int64_t>(written.size())) < static_cast<int64_t>(written.size())) {
        return arrow::internal::IOErrorFromErrno(ENOSPC, "the disk is full");
      }
      const int64_t flipped = files_->flipped_byte;
      if (flipped >= 0 && flipped < static_cast<int64_t>(written.size())) written[static_cast<size_t>(flipped)] ^= 4;
      return real_->Write(written);
    }

    arrow::Status Sync() override {
      ARROW_RETURN_NOT_OK(Fail(files_->sync_error));
      if (files_->sync_is_a_lie) return arrow::Status::OK();
      std::lock_guard lock(files_->mutex_);
      files_->unsynced_.erase(path_);
      return real_->Sync();
    }

   private:
    FaultyFileSystem* const files_;
    const std::string path_;
    const std::unique_ptr<NewFile> real_;
  };

  static arrow::Status Fail(int error) {
    return error == 0 ? arrow::Status::OK() : arrow::internal::IOErrorFromErrno(error, "a fault for the test");
  }

  const std::shared_ptr<FileSystem> real_ = LocalFileSystem();
  std::mutex mutex_;
  /// What would remain of files whose bytes are not synced.
  std::map<std::string, uintmax_t> unsynced_;
  std::vector<std::pair<std::string, std::string>> unsynced_names_;
};

}  // namespace fewter::disk::testing
