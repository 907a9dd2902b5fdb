#include "fewter/cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <utility>

#include <arrow/util/io_util.h>

#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

class DescriptorStream : public arrow::io::OutputStream {
 public:
  DescriptorStream(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  arrow::Status Close() override {
    is_closed_ = true;
    return Flush();
  }
  bool closed() const override { return is_closed_; }
  /// Counted: a pipe knows none.
  arrow::Result<int64_t> Tell() const override { return position_; }

  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, int64_t length) override {
    const std::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(length));
    if (buffer_.size() + bytes.size() > kBufferBytes) ARROW_RETURN_NOT_OK(Flush());
    position_ += length;
    if (bytes.size() > kBufferBytes) return WriteNow(bytes);
    buffer_ += bytes;
    return arrow::Status::OK();
  }
  arrow::Status Flush() override {
    // What could not be written is not tried again.
    const std::string bytes = std::exchange(buffer_, {});
    return WriteNow(bytes);
  }

 private:
  arrow::Status WriteNow(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return arrow::internal::IOErrorFromErrno(errno, "cannot write to ", name_);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return arrow::Status::OK();
  }

  const int descriptor_;
  const std::string name_;
  std::string buffer_;
  int64_t position_ = 0;
  bool is_closed_ = false;
};

/// What a signal takes away: the name of the file that is being written, if there is one.
std::array<char, 4096> g_unfinished = {};
std::atomic<bool> g_has_unfinished = false;

void RemoveUnfinished(int signal_number) {
  if (g_has_unfinished) unlink(g_unfinished.data());
  // The handler was for one time: now the signal does what it does.
  raise(signal_number);
}

arrow::Status WatchSignals(const std::string& temporary) {
  if (temporary.size() >= g_unfinished.size()) return ArgumentError("the name of the output file is too long");
  temporary.copy(g_unfinished.data(), temporary.size());
  g_unfinished[temporary.size()] = '\0';
  g_has_unfinished = true;
  struct sigaction action = {};
  action.sa_handler = RemoveUnfinished;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal_number : {SIGHUP, SIGINT, SIGTERM, SIGXFSZ}) {
    struct sigaction before = {};
    // What the parent wants to be ignored, as nohup does, stays so.
    if (sigaction(signal_number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(signal_number, &action, nullptr);
  }
  return arrow::Status::OK();
}

arrow::Status CannotWrite(const std::string& path) {
  return arrow::internal::IOErrorFromErrno(errno, "cannot write '", path, "'");
}

/// Where a link leads to, whether there is something or not: that file is written, as a shell's `>` does. The path
/// itself if it is none, or one of a circle of links.
std::filesystem::path BehindLinks(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;
  std::filesystem::path target = path;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code error;
    const auto next = std::filesystem::read_symlink(target, error);
    if (error) return target;
    target = target.parent_path() / next;
  }
  return path;
}

}  // namespace

std::shared_ptr<arrow::io::OutputStream> WriteToDescriptor(int descriptor, std::string name) {
  return std::make_shared<DescriptorStream>(descriptor, std::move(name));
}

arrow::Result<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (path.empty() || std::filesystem::is_directory(status)) {
    return ArgumentError("the output '", path, "' is a folder, not a file");
  }
  const bool is_there = std::filesystem::exists(status);
  const bool is_in_place = is_there && !std::filesystem::is_regular_file(status);
  // A file that may not be written to may still be replaced, but nobody expects that.
  if (is_there && access(path.c_str(), W_OK) != 0) return CannotWrite(path);
  const std::filesystem::path target = BehindLinks(path);
  std::string temporary;
  if (!is_in_place) {
    temporary = (target.parent_path() / fmt::format(".{}.{}.part", target.filename().string(), getpid())).string();
    ARROW_RETURN_NOT_OK(WatchSignals(temporary));
  }
  const int flags = O_WRONLY | O_CLOEXEC | (is_in_place ? 0 : O_CREAT | O_TRUNC);
  const int descriptor = open(is_in_place ? path.c_str() : temporary.c_str(), flags, 0666);
  if (descriptor < 0) {
    g_has_unfinished = false;
    return CannotWrite(path);
  }
  std::unique_ptr<OutputFile> file(new OutputFile(target.string(), std::move(temporary), descriptor));
  // Who may read the file that is replaced may read the new one, and nobody else.
  const auto mode = static_cast<mode_t>(status.permissions());
  if (is_there && !is_in_place && fchmod(descriptor, mode) != 0) return CannotWrite(path);
  file->stream_ = WriteToDescriptor(descriptor, "'" + path + "'");
  return file;
}

OutputFile::~OutputFile() {
  close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
  g_has_unfinished = false;
}

arrow::Status OutputFile::Commit() {
  ARROW_RETURN_NOT_OK(stream_->Close());
  if (temporary_.empty()) return arrow::Status::OK();
  // Otherwise a machine that stops might leave the name with nothing behind it.
  if (fsync(descriptor_) != 0) return CannotWrite(path_);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return CannotWrite(path_);
  g_has_unfinished = false;
  temporary_.clear();
  return arrow::Status::OK();
}

}  // namespace fewter::cli
