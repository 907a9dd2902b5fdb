#pragma once

#include <memory>
#include <string>

#include <arrow/filesystem/filesystem.h>
#include <arrow/filesystem/s3fs.h>

namespace fewter::lance {

/// How long S3's client waits, in seconds.
struct S3Timeouts {
  double connect = 5;
  /// For a byte, be it the first of an answer or a later one.
  double stall = 10;
};

/// Makes an S3 file system of an s3:// URI as arrow::fs::FileSystemFromUriAndOptions does, which has no words for
/// timeouts. Null if Arrow's S3 is not to be found, or of a release that makes it in another way: then that function is
/// what is left, and Amazon's defaults (a second to connect, three for a byte).
///
/// pyarrow has S3 in a library that is loaded only by who needs it, so nothing can be linked with it: its functions are
/// looked up. It must have been loaded by then. Thread safe.
arrow::Result<std::shared_ptr<arrow::fs::FileSystem>> MakeS3WithTimeouts(
    const std::string& uri, const arrow::fs::FileSystemFactoryOptions& options, const S3Timeouts& timeouts,
    const std::string& library, std::string* root);

}  // namespace fewter::lance
