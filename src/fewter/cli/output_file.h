#pragma once

#include <memory>
#include <string>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

namespace fewter::cli {

/// A buffered stream to a descriptor: a file, a pipe, a terminal. To close it writes what is left, and leaves the
/// descriptor open; to destroy it does not even that. `name` is for messages.
std::shared_ptr<arrow::io::OutputStream> WriteToDescriptor(int descriptor, std::string name);

/// A file that is at its place once it is whole, never before: it is written beside its place under another name, which
/// is taken away again by the destructor, or by a signal that ends the process. What is at the place and no regular
/// file (/dev/null, a pipe) is written to as it is. One at a time in a process.
class OutputFile {
 public:
  static arrow::Result<std::unique_ptr<OutputFile>> Open(const std::string& path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  const std::shared_ptr<arrow::io::OutputStream>& stream() const { return stream_; }
  /// Puts the file at its place, instead of one that was there.
  arrow::Status Commit();

 private:
  OutputFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  const std::string path_;
  /// Empty if it is written where it is.
  std::string temporary_;
  const int descriptor_;
  std::shared_ptr<arrow::io::OutputStream> stream_;
};

}  // namespace fewter::cli
