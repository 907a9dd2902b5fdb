#include "fewter/lance/manifest_listing_internal.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fewter/lance/manifest.h"

namespace fewter::lance {

namespace {

constexpr std::string_view kExtension = ".manifest";
/// The digits of 2^64 - 1, and of every name in the newer scheme.
constexpr size_t kInvertedDigits = 20;
std::vector<ListedManifest> ManifestsIn(const std::vector<ObjectStore::Entry>& entries) {
  std::vector<ListedManifest> manifests;
  for (const ObjectStore::Entry& entry : entries) {
    if (const auto version = ManifestVersion(entry.name)) manifests.push_back({*version, entry});
  }
  return manifests;
}

/// Object stores list by name, and in the newer scheme the latest version has the smallest: the first page is enough.
bool BeginsWithLatest(const std::vector<ObjectStore::Entry>& entries) {
  const auto manifests = ManifestsIn(entries);
  return !manifests.empty() && std::all_of(manifests.begin(), manifests.end(), [](const ListedManifest& one) {
    return one.entry.name.size() == kInvertedDigits + kExtension.size();
  });
}

arrow::Status NoManifests(const ObjectStore& store) {
  ARROW_ASSIGN_OR_RAISE(auto old, store.FileSize("_latest.manifest", IoKind::kManifest));
  if (old) {
    return arrow::Status::NotImplemented(store.name(), ": keeps its only manifest in _latest.manifest, as Lance ",
                                         "did before it had versions");
  }
  return arrow::Status::KeyError(
      store.name(), ": is not a Lance dataset: there is no such folder, or it has no manifests in ", kVersionsFolder);
}

/// "1, 4 to 9 and 12"; no more than so many parts.
std::string RangesOf(std::vector<uint64_t> versions) {
  constexpr size_t kMostParts = 10;
  std::sort(versions.begin(), versions.end());
  std::vector<std::string> parts;
  for (size_t first = 0; first < versions.size();) {
    size_t last = first;
    while (last + 1 < versions.size() && versions[last + 1] - versions[last] <= 1) ++last;
    parts.push_back(std::to_string(versions[first]));
    if (last > first) parts.back() += " to " + std::to_string(versions[last]);
    first = last + 1;
  }
  // The newest are those that one would open instead.
  std::string text = parts.size() > kMostParts ? "…, " : "";
  const size_t begin = parts.size() - std::min(parts.size(), kMostParts);
  for (size_t i = begin; i < parts.size(); ++i) {
    if (i > begin) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

arrow::Status NoSuchVersion(const ObjectStore& store, uint64_t version, const std::vector<ListedManifest>& manifests) {
  std::vector<uint64_t> there;
  there.reserve(manifests.size());
  for (const ListedManifest& manifest : manifests) there.push_back(manifest.version);
  const bool is_old = version != 0 && version < *std::max_element(there.begin(), there.end());
  const char* verb = there.size() == 1 ? "is " : "are ";
  return arrow::Status::KeyError(store.name(), ": has no version ", version,
                                 is_old ? " any more, which a cleanup of old versions has removed" : "", "; there ",
                                 verb, RangesOf(std::move(there)));
}

}  // namespace

std::optional<uint64_t> ManifestVersion(std::string_view file_name) {
  if (!file_name.ends_with(kExtension)) return std::nullopt;
  const std::string_view digits = file_name.substr(0, file_name.size() - kExtension.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return digits.size() == kInvertedDigits ? std::numeric_limits<uint64_t>::max() - number : number;
}

arrow::Result<ListedManifest> FindManifest(const ObjectStore& store, std::optional<uint64_t> version) {
  ObjectStore::EnoughListed first_page;
  if (!version) first_page = BeginsWithLatest;
  ARROW_ASSIGN_OR_RAISE(const auto entries, store.List(kVersionsFolder, IoKind::kManifest, first_page));
  const std::vector<ListedManifest> manifests = ManifestsIn(entries);
  if (manifests.empty()) return NoManifests(store);
  const auto by_version = [](const ListedManifest& a, const ListedManifest& b) { return a.version < b.version; };
  if (!version) return *std::max_element(manifests.begin(), manifests.end(), by_version);
  const auto wanted = std::find_if(manifests.begin(), manifests.end(),
                                   [&](const ListedManifest& manifest) { return manifest.version == *version; });
  if (wanted != manifests.end()) return *wanted;
  return NoSuchVersion(store, *version, manifests);
}

}  // namespace fewter::lance
