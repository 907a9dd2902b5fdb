#pragma once

#include <map>
#include <memory>
#include <string>

#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

#include "fewter/lance/retry.h"

/// Where a dataset lies, and how its store is talked to.

namespace fewter::lance {

/// Options by the names that pylance gives them (`storage_options`), in any case; docs/object_stores.md lists them.
/// Their values may be secrets: none is ever part of a message, an identity or a cache key.
using StorageOptions = std::map<std::string, std::string>;

struct OpenedFileSystem {
  std::shared_ptr<arrow::fs::FileSystem> fs;
  /// The folder, as a path of that file system.
  std::string root;
  RetryPolicy retry;
};

/// Makes the file system of a URI: s3://, gs://, az://, file://, and whatever else Arrow knows. No request is made, but
/// for an s3:// URI without a region and an endpoint, whose bucket's region Arrow looks up.
///
/// An argument error for an option that the store does not have, or whose value makes no sense; NotImplemented for a
/// store or an option that this Arrow, or this program, was built without.
arrow::Result<OpenedFileSystem> OpenFileSystem(const std::string& uri, const StorageOptions& options);

}  // namespace fewter::lance
