#include "fewter/cache/disk/segment_format.h"

#include <cstring>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fewter::disk {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kEntriesEnd = 512;

SegmentFooter Footer() {
  SegmentFooter footer{
      .id = {.time = 5, .random = 6}, .name_spaces = {"a", "", "ccc"}, .type_ids = {"t", "u"}, .records = {}};
  footer.records.push_back(
      {.digest = {1, 2}, .offset = 64, .length = 100, .checksum = 9, .name_space = 2, .type_id = 1});
  footer.records.push_back({.digest = {3, 4}, .offset = 192, .length = 64, .checksum = 8, .uses = 7, .last_use = 11});
  footer.records.push_back({.digest = {5, 6}, .offset = 256, .length = 256, .checksum = 7, .name_space = 1});
  return footer;
}

/// Decodes what EncodeSegmentEnd wrote, as a reader of the whole file would.
arrow::Result<SegmentFooter> Decode(const std::string& end, uint64_t file_bytes) {
  const std::string_view bytes = end;
  const std::string_view last = bytes.substr(bytes.size() - std::min(bytes.size(), sizeof(SegmentTrailer)));
  ARROW_ASSIGN_OR_RAISE(const SegmentTrailer trailer, DecodeSegmentTrailer(last, file_bytes));
  if (trailer.footer_length > bytes.size() - last.size()) return arrow::Status::Invalid("not all there");
  return DecodeSegmentFooter(bytes.substr(bytes.size() - last.size() - trailer.footer_length, trailer.footer_length),
                             trailer);
}

arrow::Status StatusOf(const SegmentFooter& footer, uint64_t entries_end = kEntriesEnd) {
  const std::string end = EncodeSegmentEnd(footer, entries_end);
  return Decode(end, entries_end + end.size()).status();
}

TEST(SegmentFormat, ComesBack) {
  const SegmentFooter footer = Footer();
  const std::string end = EncodeSegmentEnd(footer, kEntriesEnd);
  const SegmentFooter decoded = *Decode(end, kEntriesEnd + end.size());
  EXPECT_EQ(decoded.id, footer.id);
  EXPECT_EQ(decoded.name_spaces, footer.name_spaces);
  EXPECT_EQ(decoded.type_ids, footer.type_ids);
  EXPECT_EQ(decoded.records, footer.records);
}

TEST(SegmentFormat, IsLaidOutAsDocumented) {
  // docs/format/cache_segment.md must not change without a new version.
  const std::string header = EncodeSegmentHeader({.time = 0x0102, .random = 3});
  EXPECT_EQ(header.substr(0, 18), std::string("FWSEGMNT\1\0\0\0\0\0\0\0\2\1", 18));
  EXPECT_TRUE(IsSegmentHeader(header, {.time = 0x0102, .random = 3}));
  EXPECT_FALSE(IsSegmentHeader(header, {.time = 0x0102, .random = 4}));
  const std::string end = EncodeSegmentEnd(Footer(), kEntriesEnd);
  EXPECT_EQ(end.size(), 16 + (4 + 1) + 4 + (4 + 3) + 2 * (4 + 1) + 3 * 56 + 64);
  EXPECT_EQ(end.substr(end.size() - 64, 8), "FWSEGEND");
}

TEST(SegmentFormat, RefusesEveryChangedByteAndEveryLength) {
  const std::string end = EncodeSegmentEnd(Footer(), kEntriesEnd);
  for (size_t i = 0; i < end.size(); ++i) {
    std::string changed = end;
    changed[i] ^= 16;
    EXPECT_FALSE(Decode(changed, kEntriesEnd + end.size()).ok()) << i;
    EXPECT_FALSE(Decode(end.substr(0, i), kEntriesEnd + i).ok()) << i;
    EXPECT_FALSE(Decode(end, kEntriesEnd + i).ok()) << i;
  }
}

TEST(SegmentFormat, RefusesRecordsThatLieWhereTheyCannot) {
  const auto status_with = [](const std::function<void(SegmentRecord&)>& change) {
    SegmentFooter footer = Footer();
    change(footer.records[1]);
    return StatusOf(footer);
  };
  EXPECT_TRUE(status_with([](SegmentRecord&) {}).ok());
  for (const uint64_t offset : {0U, 63U, 64U, 128U, 193U, 512U}) {
    EXPECT_TRUE(status_with([&](SegmentRecord& record) { record.offset = offset; }).IsInvalid()) << offset;
  }
  for (const uint64_t length : {uint64_t{0}, uint64_t{65}, uint64_t{321}, ~uint64_t{0}, ~uint64_t{0} - 191}) {
    EXPECT_TRUE(status_with([&](SegmentRecord& record) { record.length = length; }).IsInvalid()) << length;
  }
  EXPECT_TRUE(status_with([](SegmentRecord& record) { record.offset = ~uint64_t{0} << 6; }).IsInvalid());
  EXPECT_TRUE(status_with([](SegmentRecord& record) { record.name_space = 3; }).IsInvalid());
  EXPECT_TRUE(status_with([](SegmentRecord& record) { record.type_id = 2; }).IsInvalid());
}

TEST(SegmentFormat, TellsANewerVersionFromDamage) {
  std::string end = EncodeSegmentEnd(Footer(), kEntriesEnd);
  SegmentTrailer trailer;
  char* const at = end.data() + end.size() - sizeof(trailer);
  std::memcpy(&trailer, at, sizeof(trailer));
  trailer.version = kSegmentVersion + 1;
  std::memcpy(at, &trailer, sizeof(trailer));
  trailer.checksum = SegmentChecksum({at, offsetof(SegmentTrailer, checksum)});
  std::memcpy(at, &trailer, sizeof(trailer));
  EXPECT_TRUE(Decode(end, kEntriesEnd + end.size()).status().IsNotImplemented());
}

TEST(SegmentFormat, FileNamesSortAsIdsDo) {
  const SegmentId early{.time = 0x0a, .random = 0xffff};
  const SegmentId late{.time = 0x10, .random = 1};
  EXPECT_LT(early, late);
  EXPECT_LT(SegmentFileName(early), SegmentFileName(late));
  EXPECT_EQ(SegmentFileName(late), "seg-00000000000000100000000000000001.fwseg");
  EXPECT_EQ(ParseSegmentFileName(SegmentFileName(late)), late);
  EXPECT_EQ(ParseSegmentFileName("seg-0000000000000010000000000000000A.fwseg"), std::nullopt);
  EXPECT_EQ(ParseSegmentFileName("seg-0000000000000010 000000000000001.fwseg"), std::nullopt);
  EXPECT_EQ(ParseSegmentFileName("seg-00000000000000100000000000000001.fwseg~"), std::nullopt);
  EXPECT_EQ(ParseSegmentFileName("heat"), std::nullopt);
}

}  // namespace
}  // namespace fewter::disk
