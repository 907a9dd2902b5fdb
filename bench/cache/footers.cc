/// How long opening a disk cache of many segments takes: 64 entries of 1 MiB each, so that 1,600 segments stand for
/// 100 GiB. Their footers are real, their entries holes in sparse files: opening reads footers only. All of it is in
/// the page cache when it is measured.
///
///     footers write DIR SEGMENTS
///     footers open DIR SEGMENTS

#include <fmt/core.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "bench/cache/store_workload_internal.h"
#include "fewter/cache/disk/directory.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/segment_format.h"
#include "fewter/cache/key.h"

namespace fewter::bench {
namespace {

constexpr uint32_t kEntriesPerSegment = 64;
constexpr uint64_t kEntryBytes = uint64_t{1} << 20;
constexpr uint64_t kSegmentsPerIndex = 100;
constexpr std::string_view kTypeId = "fewter.vector.Partition";

KeyDigest DigestOf(const CacheNamespace& name_space, uint64_t entry) {
  KeyWriter fields(kTypeId);
  fields.U64(entry);
  return EncodedKey(name_space, fields).digest();
}

std::shared_ptr<const CacheNamespace> NamespaceOf(uint64_t segment) {
  return CacheNamespace::Root()->Child("/data/packages.lance")->Child(std::to_string(segment / kSegmentsPerIndex));
}

disk::SegmentFooter FooterOf(uint64_t segment) {
  const auto name_space = NamespaceOf(segment);
  disk::SegmentFooter footer{.id = disk::NewSegmentId(),
                             .name_spaces = {name_space->bytes()},
                             .type_ids = {std::string(kTypeId)},
                             .records = {}};
  for (uint64_t i = 0; i < kEntriesPerSegment; ++i) {
    disk::SegmentRecord record;
    record.digest = DigestOf(*name_space, segment * kEntriesPerSegment + i);
    record.offset = disk::kEntryAlignment + i * kEntryBytes;
    record.length = kEntryBytes;
    footer.records.push_back(record);
  }
  return footer;
}

arrow::Status WriteSegment(const std::string& directory, uint64_t segment) {
  const disk::SegmentFooter footer = FooterOf(segment);
  const uint64_t entries_end = disk::kEntryAlignment + kEntriesPerSegment * kEntryBytes;
  std::ofstream file(directory + "/" + disk::SegmentFileName(footer.id), std::ios::binary);
  file << disk::EncodeSegmentHeader(footer.id);
  file.seekp(static_cast<std::streamoff>(entries_end));
  file << disk::EncodeSegmentEnd(footer, entries_end);
  file.close();
  return file.good() ? arrow::Status::OK() : arrow::Status::IOError("cannot write a segment in ", directory);
}

arrow::Status Write(const std::string& directory, uint64_t segments) {
  ARROW_RETURN_NOT_OK(disk::PrepareDirectory(disk::LocalFileSystem().get(), directory));
  for (uint64_t i = 0; i < segments; ++i) ARROW_RETURN_NOT_OK(WriteSegment(directory, i));
  fmt::print("{{\"entries\":{}}}\n", segments * kEntriesPerSegment);
  return arrow::Status::OK();
}

arrow::Status Open(const std::string& directory, uint64_t segments) {
  const auto start = Clock::now();
  ARROW_ASSIGN_OR_RAISE(const auto backend, MakeDiskBackend({.directory = directory}));
  const double open_ns = NanosecondsSince(start);
  const CacheStats stats = backend->Stats();
  if (stats.entries != segments * kEntriesPerSegment) {
    return arrow::Status::Invalid(stats.entries, " entries were found");
  }
  fmt::print("{{\"open_ms\":{:.3f},\"segments\":{}}}\n", open_ns / 1e6, segments);
  return arrow::Status::OK();
}

arrow::Status Run(int argc, char** argv) {
  const std::string_view verb = argc == 4 ? argv[1] : "";
  if (verb == "write") return Write(argv[2], static_cast<uint64_t>(std::atoll(argv[3])));
  if (verb == "open") return Open(argv[2], static_cast<uint64_t>(std::atoll(argv[3])));
  return arrow::Status::Invalid("usage: footers write|open DIR SEGMENTS");
}

}  // namespace
}  // namespace fewter::bench

int main(int argc, char** argv) {
  return fewter::bench::ExitCodeOf("footers", fewter::bench::Run(argc, argv));
}
