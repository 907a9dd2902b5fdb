#pragma once

#include <cstdint>
#include <optional>

#include <arrow/result.h>

#include "fewter/lance/object_store.h"

namespace fewter::lance {

inline constexpr char kVersionsFolder[] = "_versions";

/// A manifest's file as the listing shows it.
struct ListedManifest {
  uint64_t version = 0;
  ObjectStore::Entry entry;
};

/// The manifest of a version, or of the latest, by one listing (of the newer naming scheme and for the latest by one
/// page of it). KeyError, saying which versions there are, if it is not there; NotImplemented for a dataset without
/// versions.
arrow::Result<ListedManifest> FindManifest(const ObjectStore& store, std::optional<uint64_t> version);

}  // namespace fewter::lance
