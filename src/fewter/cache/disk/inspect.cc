#include "fewter/cache/disk/inspect.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "fewter/cache/disk/directory.h"
#include "fewter/cache/disk/file_system.h"
#include "fewter/cache/disk/heat.h"
#include "fewter/cache/disk/segment.h"
#include "fewter/cache/disk/segment_index.h"
#include "fewter/cache/envelope.h"

namespace fewter {
namespace {

using disk::Segment;
using disk::SegmentRecord;

/// All segments of a directory.
struct OpenedDirectory {
  std::vector<std::shared_ptr<Segment>> segments;
  std::vector<DiskCacheProblem> unreadable;
  int64_t allocated_bytes = 0;
};

std::string_view AsText(const arrow::Buffer& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(bytes.size())};
}

arrow::Result<OpenedDirectory> OpenAll(const std::string& directory) {
  const auto files = disk::LocalFileSystem();
  ARROW_RETURN_NOT_OK(disk::CheckDirectory(files.get(), directory));
  ARROW_ASSIGN_OR_RAISE(std::vector<std::string> names, files->List(directory));
  std::sort(names.begin(), names.end());
  const auto account = std::make_shared<disk::MappingAccount>();
  OpenedDirectory opened;
  for (const std::string& name : names) {
    if (const auto status = files->Stat(fmt::format("{}/{}", directory, name)); status.ok()) {
      opened.allocated_bytes += status->allocated_bytes;
    }
    if (!disk::ParseSegmentFileName(name)) continue;
    auto segment = Segment::Open(files, directory, name, account);
    if (segment.ok()) {
      opened.segments.push_back(*std::move(segment));
    } else if (!disk::IsMissing(segment.status())) {
      opened.unreadable.push_back({.file = name, .offset = 0, .what = segment.status().message()});
    }
  }
  return opened;
}

arrow::Result<disk::HeatTable> ReadHeatFile(const std::string& directory) {
  const auto files = disk::LocalFileSystem();
  const std::string path = directory + "/" + std::string(disk::kHeatName);
  const auto status = files->Stat(path);
  if (!status.ok() && disk::IsMissing(status.status())) return disk::HeatTable();
  ARROW_RETURN_NOT_OK(status);
  ARROW_ASSIGN_OR_RAISE(const auto bytes, files->Read(path, 0, status->bytes));
  return disk::DecodeHeat(AsText(*bytes));
}

/// Empty if the entry is what the segment's table and its own envelope say, or has been removed meanwhile.
std::string ProblemOf(Segment* segment, size_t entry) {
  bool mapped;
  const auto bytes = segment->Bytes(entry, /*copy=*/true, &mapped);
  if (!bytes.ok()) return disk::IsMissing(bytes.status()) ? std::string() : bytes.status().message();
  const InspectedEntry inspected = InspectEntry(AsText(**bytes));
  if (inspected.header != EnvelopeVerdict::kHit) {
    return fmt::format("the entry's envelope is {}", ToString(inspected.header));
  }
  if (!inspected.body_is_intact) return "the entry's body does not agree with its checksum";
  if (inspected.name_space != segment->NameSpaceOf(entry) ||
      inspected.type_id != segment->footer().type_ids[segment->record(entry).type_id]) {
    return "the entry is not the one that the table names";
  }
  return {};
}

void VerifySegment(const std::string& directory, Segment* segment, DiskCacheVerification* result) {
  const auto header = disk::LocalFileSystem()->Read(directory + "/" + segment->name(), 0, sizeof(disk::SegmentHeader));
  if (!header.ok() && disk::IsMissing(header.status())) return;
  ++result->segments;
  if (!header.ok() || !disk::IsSegmentHeader(AsText(**header), segment->footer().id)) {
    result->problems.push_back({.file = segment->name(), .offset = 0, .what = "the segment's header is damaged"});
  }
  for (size_t i = 0; i < segment->size(); ++i) {
    std::string problem = ProblemOf(segment, i);
    ++(problem.empty() ? result->intact_entries : result->corrupt_entries);
    if (problem.empty()) continue;
    result->problems.push_back(
        {.file = segment->name(), .offset = segment->record(i).offset, .what = std::move(problem)});
  }
}

}  // namespace

arrow::Result<std::vector<DiskCacheEntry>> ListDiskCache(const std::string& directory) {
  ARROW_ASSIGN_OR_RAISE(const OpenedDirectory opened, OpenAll(directory));
  // A damaged heat file only means that nothing is known of what it held.
  const disk::HeatTable heat = ReadHeatFile(directory).ValueOr({});
  disk::SegmentIndex index;
  for (const auto& segment : opened.segments) index.Add(segment);
  std::vector<DiskCacheEntry> entries;
  const uint32_t now = disk::SecondsNow();
  for (const auto& segment : opened.segments) {
    for (size_t i = 0; i < segment->size(); ++i) {
      if (!index.IsLive(*segment, i)) continue;
      const SegmentRecord& record = segment->record(i);
      const auto known = heat.find(record.digest);
      entries.push_back({.name_space = CacheNamespace::ToString(segment->NameSpaceOf(i)),
                         .type_id = segment->footer().type_ids[record.type_id],
                         .bytes = static_cast<int64_t>(record.length),
                         .segment = segment->name(),
                         .offset = record.offset,
                         .heat = (known == heat.end() ? segment->HeatOf(i) : known->second).At(now)});
    }
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const DiskCacheEntry& a, const DiskCacheEntry& b) { return a.heat > b.heat; });
  return entries;
}

arrow::Result<DiskCacheVerification> VerifyDiskCache(const std::string& directory) {
  ARROW_ASSIGN_OR_RAISE(OpenedDirectory opened, OpenAll(directory));
  DiskCacheVerification result;
  result.problems = std::move(opened.unreadable);
  for (const auto& segment : opened.segments) VerifySegment(directory, segment.get(), &result);
  if (const auto heat = ReadHeatFile(directory); !heat.ok()) {
    result.problems.push_back({.file = std::string(disk::kHeatName), .offset = 0, .what = heat.status().message()});
  }
  return result;
}

arrow::Result<DiskCacheSummary> SummariseDiskCache(const std::string& directory) {
  ARROW_ASSIGN_OR_RAISE(const OpenedDirectory opened, OpenAll(directory));
  disk::SegmentIndex index;
  for (const auto& segment : opened.segments) index.Add(segment);
  const disk::SegmentIndex::Totals totals = index.totals();
  return DiskCacheSummary{.segments = totals.segments,
                          .unreadable_segments = opened.unreadable.size(),
                          .entries = totals.entries,
                          .allocated_bytes = opened.allocated_bytes};
}

}  // namespace fewter
