#pragma once

#include <string>

#include <arrow/filesystem/filesystem.h>

/// What a folder of a file system is called, and by what it is told from others.

namespace fewter::lance {

/// For people: the path of a local folder, otherwise a URI of scheme and path alone.
std::string NameOfStore(const arrow::fs::FileSystem& fs, const std::string& root);

/// The server, if it is not the store's own, and of Azure the account, with '?' before it. No credentials.
std::string ServerOfStore(const arrow::fs::FileSystem& fs, const std::string& root);

}  // namespace fewter::lance
