#include "fewter/lance/row_ids.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/lance/corruption_internal.h"
#include "fewter/lance/proto/table.pb.h"

namespace fewter::lance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

pb::RowIdArray U16Array(uint64_t base, const std::vector<uint16_t>& offsets) {
  pb::RowIdArray array;
  array.mutable_u16_array()->set_base(base);
  array.mutable_u16_array()->set_offsets(Bytes(offsets));
  return array;
}

void SetRange(pb::RowIdRange* range, uint64_t start, uint64_t end, const std::string& content = "") {
  range->set_start(start);
  range->set_end(end);
  range->set_content(content);
}

/// One segment of each kind and one array of each width: 17 ids.
std::string EveryKind() {
  pb::RowIdSequence sequence;
  SetRange(sequence.add_segments()->mutable_range(), 100, 103);
  SetRange(sequence.add_segments()->mutable_range_with_holes(), 10, 15, U16Array(10, {1, 3}).SerializeAsString());
  // Bits 0, 1, 3 and 9, counted from the lowest bit of the first byte.
  SetRange(sequence.add_segments()->mutable_range_with_bitmap(), 40, 50, std::string("\x0b\x02", 2));
  *sequence.add_segments()->mutable_sorted_array() = U16Array(1000, {0, 65535});
  auto* u32 = sequence.add_segments()->mutable_array()->mutable_u32_array();
  u32->set_base(uint64_t{1} << 40);
  u32->set_offsets(Bytes<uint32_t>({7, UINT32_MAX, 0}));
  sequence.add_segments()->mutable_array()->mutable_u64_array()->set_offsets(Bytes<uint64_t>({UINT64_MAX, 1}));
  return sequence.SerializeAsString();
}

TEST(RowIds, EveryKindOfSegmentIsDecodedInOrder) {
  const auto ids = ParseRowIdSequence(EveryKind(), 17).ValueOrDie();
  EXPECT_THAT(ids, ElementsAre(100, 101, 102, 10, 12, 14, 40, 41, 43, 49, 1000, 66535, (uint64_t{1} << 40) + 7,
                               (uint64_t{1} << 40) + UINT32_MAX, uint64_t{1} << 40, UINT64_MAX, 1));
  EXPECT_TRUE(ParseRowIdSequence("", 0).ValueOrDie().empty());
}

TEST(RowIds, TheNumberOfIdsIsTheFragments) {
  EXPECT_THAT(ParseRowIdSequence(EveryKind(), 18).status().message(), HasSubstr("18 rows but 17 row ids"));
  EXPECT_THAT(ParseRowIdSequence(EveryKind(), 16).status().message(), HasSubstr("more row ids than the 16 rows"));
  pb::RowIdSequence huge;
  SetRange(huge.add_segments()->mutable_range(), 0, UINT64_MAX);
  EXPECT_TRUE(ParseRowIdSequence(huge.SerializeAsString(), 1000).status().IsInvalid());
  pb::RowIdSequence holes;
  SetRange(holes.add_segments()->mutable_range_with_holes(), 0, UINT64_MAX, U16Array(0, {3}).SerializeAsString());
  EXPECT_TRUE(ParseRowIdSequence(holes.SerializeAsString(), 1000).status().IsInvalid());
}

std::string Problem(const pb::RowIdSequence& sequence) {
  const auto status = ParseRowIdSequence(sequence.SerializeAsString(), 5).status();
  EXPECT_TRUE(status.IsInvalid()) << status;
  return status.message();
}

TEST(RowIds, MalformedRangesAreRefused) {
  pb::RowIdSequence sequence;
  auto* segment = sequence.add_segments();
  EXPECT_THAT(Problem(sequence), HasSubstr("no content"));
  SetRange(segment->mutable_range(), 5, 4);
  EXPECT_THAT(Problem(sequence), HasSubstr("ends before it starts"));
  for (const std::string& bitmap : {std::string(""), std::string(1, '\0'), std::string(3, '\0')}) {
    SetRange(segment->mutable_range_with_bitmap(), 0, 9, bitmap);
    EXPECT_THAT(Problem(sequence), HasSubstr("not as long as its range"));
  }
  SetRange(segment->mutable_range_with_bitmap(), 0, UINT64_MAX, "x");
  EXPECT_THAT(Problem(sequence), HasSubstr("not as long as its range"));
  for (const std::vector<uint16_t>& holes : std::vector<std::vector<uint16_t>>{{3, 1}, {1, 1}, {9}}) {
    SetRange(segment->mutable_range_with_holes(), 0, 6, U16Array(0, holes).SerializeAsString());
    EXPECT_THAT(Problem(sequence), HasSubstr("holes are out of order or outside"));
  }
  SetRange(segment->mutable_range_with_holes(), 0, 1, U16Array(0, {0, 1}).SerializeAsString());
  EXPECT_THAT(Problem(sequence), HasSubstr("more holes than ids"));
  SetRange(segment->mutable_range_with_holes(), 0, 6, "\xFF");
  EXPECT_THAT(Problem(sequence), HasSubstr("well-formed"));
}

TEST(RowIds, MalformedArraysAreRefused) {
  pb::RowIdSequence sequence;
  auto* array = sequence.add_segments()->mutable_array();
  EXPECT_THAT(Problem(sequence), HasSubstr("no values"));
  array->mutable_u16_array()->set_offsets("123");
  EXPECT_THAT(Problem(sequence), HasSubstr("cut off"));
  array->mutable_u64_array()->set_offsets("1234567");
  EXPECT_THAT(Problem(sequence), HasSubstr("cut off"));
  *array = U16Array(UINT64_MAX, {0, 1});
  EXPECT_THAT(Problem(sequence), HasSubstr("64 bits"));
}

TEST(RowIds, SurviveEveryCorruption) {
  ForEachCorruption(EveryKind(), [](const std::shared_ptr<arrow::Buffer>& bytes) {
    auto ids = ParseRowIdSequence(std::string_view(*bytes), 17);
    if (ids.ok()) {
      EXPECT_EQ(ids->size(), 17U);
    } else {
      EXPECT_TRUE(ids.status().IsInvalid());
    }
  });
}

TEST(RowIds, AnExternalSequenceIsASliceOfAFile) {
  std::string pattern = (std::filesystem::temp_directory_path() / "fewter_row_ids_XXXXXX").string();
  const std::filesystem::path root = mkdtemp(pattern.data());
  std::ofstream(root / "ids", std::ios::binary) << "before" << EveryKind() << "after";
  auto store = ObjectStore::Open(root.string()).ValueOrDie();
  Fragment fragment;
  fragment.id = 3;
  fragment.physical_rows = 17;
  EXPECT_THAT(ReadRowIds(*store, fragment).status().message(), HasSubstr("fragment 3: it has no stable row ids"));
  fragment.row_ids = MessageLocation{"", "ids", {6, EveryKind().size()}};
  EXPECT_EQ(ReadRowIds(*store, fragment).ValueOrDie(), ParseRowIdSequence(EveryKind(), 17).ValueOrDie());
  fragment.row_ids = MessageLocation{EveryKind(), "", {}};
  EXPECT_EQ(ReadRowIds(*store, fragment).ValueOrDie().size(), 17U);
  fragment.row_ids = MessageLocation{"", "ids", {6, 10'000}};
  EXPECT_TRUE(ReadRowIds(*store, fragment).status().IsIOError());
  fragment.row_ids = MessageLocation{"", "gone", {0, 1}};
  EXPECT_TRUE(IsNotFound(ReadRowIds(*store, fragment).status()));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fewter::lance
