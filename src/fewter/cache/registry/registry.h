#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "fewter/cache/backend.h"

/// Caches by URI, the way they are named on command lines and in configuration.
///
///     memory://?capacity=512MiB                    live values in this process (1 GiB if not said)
///     disk:///var/cache/fewter?capacity=20GiB      mapped files that survive a restart; see disk/disk_backend.h
///     redis://host:6379/0?ttl=7d                   a server or cluster that many machines share; see redis/
///     none                                         keeps nothing
///     memory://?capacity=2GiB,disk:///var/cache/fewter,redis://host
///                                                  tiers, nearest first, separated by commas
///
/// A program may add kinds of its own:
///
///     RegisterCacheKind("floppy", [](const std::string& uri) -> arrow::Result<std::shared_ptr<CacheBackend>> {…});
///     auto cache = OpenCacheBackend("memory://,floppy:///dev/fd0");

namespace fewter {

/// Makes a backend from a URI whose scheme is the kind's. Names what is wrong in an argument error
/// (util/argument_error.h), without repeating secrets.
using CacheOpener = std::function<arrow::Result<std::shared_ptr<CacheBackend>>(const std::string& uri)>;

/// Adds a kind, e.g. "disk". A kind: a lower-case letter, then lower-case letters, digits, '+', '-' and '.'. An
/// argument error if it is not, or is there already. Thread safe.
arrow::Status RegisterCacheKind(const std::string& kind, CacheOpener opener);

/// The kinds that there are, in order.
std::vector<std::string> CacheKinds();

/// Makes a backend, or tiers of them. An argument error that names what was wrong with the URI, or what the backend
/// says of its place: a disk cache of a newer format, say.
arrow::Result<std::shared_ptr<CacheBackend>> OpenCacheBackend(const std::string& uri);

/// The URIs of the tiers in one URI: cut at each comma that a "kind://" follows.
std::vector<std::string> SplitTiers(std::string_view uri);

}  // namespace fewter
