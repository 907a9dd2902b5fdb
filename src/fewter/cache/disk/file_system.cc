#include "fewter/cache/disk/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include <arrow/util/io_util.h>

#include "fewter/util/signal_guard_internal.h"

namespace fewter::disk {
namespace {

arrow::Status Failed(const char* what, const std::string& path) {
  return arrow::internal::IOErrorFromErrno(errno, what, " '", path, "'");
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Repeats a call that a signal interrupted.
template <typename Call>
auto Retry(const Call& call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

Descriptor Open(const std::string& path, int flags, mode_t mode = 0) {
  return Descriptor(Retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

/// For reading. Something that is no file, such as a pipe, is not waited for.
arrow::Result<Descriptor> OpenFile(const std::string& path) {
  Descriptor fd = Open(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return Failed("cannot open", path);
  struct stat found;
  if (::fstat(fd.get(), &found) != 0) return Failed("cannot look at", path);
  if (!S_ISREG(found.st_mode)) return arrow::Status::Invalid("'", path, "' is not a file");
  return fd;
}

FileStatus ToStatus(const struct stat& found) {
  return {.bytes = static_cast<uint64_t>(found.st_size),
          .allocated_bytes = static_cast<int64_t>(found.st_blocks) * 512,
          .modified = static_cast<int64_t>(found.st_mtim.tv_sec) * 1'000'000'000 + found.st_mtim.tv_nsec,
          .is_directory = S_ISDIR(found.st_mode)};
}

/// A descriptor that holds a flock.
class Locked {
 public:
  explicit Locked(Descriptor fd) : fd_(std::move(fd)) {}
  Locked(Locked&&) = default;
  Locked& operator=(Locked&&) = delete;
  ~Locked() {
    // Closing would leave the lock to a forked child, which has the same open file.
    if (fd_) ::flock(fd_.get(), LOCK_UN);
  }
  int get() const { return fd_.get(); }

 private:
  Descriptor fd_;
};

class LocalNewFile final : public NewFile {
 public:
  LocalNewFile(Locked fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  arrow::Result<size_t> Write(std::string_view bytes) override {
    // Beyond a limit on the size of files; EFBIG will do.
    const SignalGuard guard(SIGXFSZ);
    const ssize_t written = Retry([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
    if (written < 0) return Failed("cannot write", path_);
    return static_cast<size_t>(written);
  }

  arrow::Status Sync() override {
    if (Retry([&] { return ::fdatasync(fd_.get()); }) != 0) return Failed("cannot sync", path_);
    return arrow::Status::OK();
  }

 private:
  Locked fd_;
  const std::string path_;
};

class LocalFileLock final : public FileLock {
 public:
  explicit LocalFileLock(Locked fd) : fd_(std::move(fd)) {}

 private:
  Locked fd_;
};

class Mapping final : public arrow::Buffer {
 public:
  Mapping(const void* data, uint64_t bytes)
      : Buffer(static_cast<const uint8_t*>(data), static_cast<int64_t>(bytes)), bytes_(bytes) {}
  ~Mapping() override { ::munmap(const_cast<uint8_t*>(data()), bytes_); }

 private:
  const uint64_t bytes_;
};

class RealFileSystem final : public FileSystem {
 public:
  arrow::Status MakeDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Failed("cannot make the directory", path);
    return arrow::Status::OK();
  }

  arrow::Result<FileStatus> Stat(const std::string& path) override {
    struct stat found;
    if (::stat(path.c_str(), &found) != 0) return Failed("cannot look at", path);
    return ToStatus(found);
  }

  arrow::Result<std::vector<std::string>> List(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (directory == nullptr) return Failed("cannot list", path);
    std::vector<std::string> names;
    for (errno = 0; const dirent* entry = ::readdir(directory.get()); errno = 0) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return Failed("cannot list", path);
    return names;
  }

  arrow::Result<std::unique_ptr<NewFile>> Create(const std::string& path) override {
    for (;;) {
      Descriptor fd = Open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
      if (!fd) return Failed("cannot create", path);
      struct stat found;
      // A file system without locks only means that what a dead writer leaves stays.
      if (Retry([&] { return ::flock(fd.get(), LOCK_EX); }) != 0 || ::fstat(fd.get(), &found) != 0) {
        return std::make_unique<LocalNewFile>(Locked(std::move(fd)), path);
      }
      // Another process may have taken it for abandoned before it was locked.
      if (found.st_nlink > 0) return std::make_unique<LocalNewFile>(Locked(std::move(fd)), path);
    }
  }

  arrow::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return Failed("cannot rename to", to);
    return arrow::Status::OK();
  }

  arrow::Status Unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return Failed("cannot remove", path);
    return arrow::Status::OK();
  }

  arrow::Status SyncDirectory(const std::string& path) override {
    const Descriptor fd = Open(path, O_RDONLY | O_DIRECTORY);
    // A file system that knows no such thing says EINVAL.
    if (fd && (Retry([&] { return ::fsync(fd.get()); }) == 0 || errno == EINVAL)) return arrow::Status::OK();
    return Failed("cannot sync the directory", path);
  }

  arrow::Result<bool> RemoveIfAbandoned(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(Descriptor fd, OpenFile(path));
    if (Retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) return false;
    const Locked locked(std::move(fd));
    ARROW_RETURN_NOT_OK(Unlink(path));
    return true;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(const std::string& path, uint64_t offset,
                                                     uint64_t length) override {
    ARROW_ASSIGN_OR_RAISE(const Descriptor fd, OpenFile(path));
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bytes, arrow::AllocateBuffer(static_cast<int64_t>(length)));
    for (uint64_t done = 0; done < length;) {
      const ssize_t count = Retry([&] {
        return ::pread(fd.get(), bytes->mutable_data() + done, length - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return Failed("cannot read", path);
      if (count == 0) return arrow::Status::Invalid("'", path, "' ends before byte ", offset + length);
      done += static_cast<uint64_t>(count);
    }
    return bytes;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Map(const std::string& path, uint64_t bytes,
                                                    MappedReads reads) override {
    ARROW_ASSIGN_OR_RAISE(const Descriptor fd, OpenFile(path));
    struct stat found;
    if (::fstat(fd.get(), &found) != 0) return Failed("cannot look at", path);
    if (static_cast<uint64_t>(found.st_size) != bytes) {
      return arrow::Status::Invalid("'", path, "' has ", found.st_size, " bytes instead of ", bytes);
    }
    void* const data = MapFile(fd.get(), 0, bytes, reads);
    if (data == MAP_FAILED) return Failed("cannot map", path);
    return std::make_shared<Mapping>(data, bytes);
  }

  arrow::Status Populate(const uint8_t* data, uint64_t length) override { return PopulateMapped(data, length); }

  arrow::Result<bool> Collapse(const std::string& path, const arrow::Buffer& mapping, uint64_t offset) override {
    ARROW_ASSIGN_OR_RAISE(const Descriptor fd, OpenFile(path));
    return CollapseMapped(fd.get(), const_cast<uint8_t*>(mapping.data()) + offset, offset);
  }

  arrow::Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    for (;;) {
      Descriptor fd = Open(path, O_CREAT | O_RDWR, 0600);
      if (!fd) return Failed("cannot open", path);
      if (Retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
        if (errno == EWOULDBLOCK) return nullptr;
        return Failed("cannot lock", path);
      }
      Locked locked(std::move(fd));
      // Whoever removed the directory and made it again made another file to lock.
      struct stat mine;
      struct stat named;
      if (::fstat(locked.get(), &mine) != 0) return Failed("cannot look at", path);
      if (::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev) {
        return std::make_unique<LocalFileLock>(std::move(locked));
      }
    }
  }
};

}  // namespace

std::shared_ptr<FileSystem> LocalFileSystem() {
  static const auto* const real = new std::shared_ptr<FileSystem>(std::make_shared<RealFileSystem>());
  return *real;
}

arrow::Status WriteAll(NewFile* file, std::string_view bytes) {
  // Large pieces let the file system lay the file out in large extents and folios; a bound lets a crash fall between.
  while (!bytes.empty()) {
    ARROW_ASSIGN_OR_RAISE(const size_t written, file->Write(bytes.substr(0, kHugePage)));
    if (written == 0) return arrow::internal::IOErrorFromErrno(EIO, "a write made no progress");
    bytes.remove_prefix(std::min(written, bytes.size()));
  }
  return arrow::Status::OK();
}

bool HasErrno(const arrow::Status& status, int error) {
  return arrow::internal::ErrnoFromStatus(status) == error;
}

bool IsMissing(const arrow::Status& status) {
  return HasErrno(status, ENOENT) || HasErrno(status, ENOTDIR);
}

TierFault FaultOf(const arrow::Status& status) {
  switch (arrow::internal::ErrnoFromStatus(status)) {
    case ENOSPC:
    case EDQUOT:
      return TierFault::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return TierFault::kRefused;
    default:
      return TierFault::kIo;
  }
}

}  // namespace fewter::disk
