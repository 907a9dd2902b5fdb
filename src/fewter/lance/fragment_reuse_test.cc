#include "fewter/lance/fragment_reuse.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include <arrow/io/memory.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <roaring/roaring.hh>

#include "fewter/lance/corruption_internal.h"
#include "fewter/lance/proto/table.pb.h"

namespace fewter::lance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Fragment ids and their numbers of rows, or their offsets.
using Rows = std::vector<std::pair<uint32_t, uint64_t>>;
using Offsets = std::map<uint32_t, std::vector<uint32_t>>;

uint64_t Address(uint64_t fragment, uint64_t offset) {
  return fragment << 32 | offset;
}

/// A treemap as Lance writes it: a count, then upper halves and 32-bit bitmaps.
std::string Treemap(const Offsets& offsets) {
  const uint64_t count = offsets.size();
  std::string bytes(reinterpret_cast<const char*>(&count), sizeof(count));
  for (const auto& [fragment, lower] : offsets) {
    const Roaring bitmap(lower.size(), lower.data());
    std::string encoded(bitmap.getSizeInBytes(), '\0');
    bitmap.write(encoded.data());
    bytes += std::string(reinterpret_cast<const char*>(&fragment), sizeof(fragment)) + encoded;
  }
  return bytes;
}

void AddGroup(pb::FragmentReuseVersion* version, const Rows& from, const Rows& to, const Offsets& rewritten) {
  auto* group = version->add_groups();
  group->set_changed_row_addrs(Treemap(rewritten));
  for (const auto& [rows, digests] :
       {std::pair(from, group->mutable_old_fragments()), std::pair(to, group->mutable_new_fragments())}) {
    for (const auto& [id, physical_rows] : rows) {
      auto* digest = digests->Add();
      digest->set_id(id);
      digest->set_physical_rows(physical_rows);
    }
  }
}

/// Two compactions: 1 (without its row 1) and 2 became 4 and 5, and 3 without its last became 6; then 4, 5 and 6 became
/// 9, and the only row of 7 was gone.
pb::FragmentReuse TwoRounds() {
  pb::FragmentReuse reuse;
  auto* version = reuse.add_versions();
  version->set_dataset_version(10);
  AddGroup(version, {{1, 3}, {2, 2}}, {{4, 3}, {5, 1}}, {{1, {0, 2}}, {2, {0, 1}}});
  AddGroup(version, {{3, 2}}, {{6, 1}}, {{3, {0}}});
  version = reuse.add_versions();
  version->set_dataset_version(12);
  AddGroup(version, {{4, 3}, {5, 1}, {6, 1}}, {{9, 4}}, {{4, {0, 1}}, {5, {0}}, {6, {0}}});
  AddGroup(version, {{7, 1}}, {}, {});
  return reuse;
}

arrow::Result<std::shared_ptr<const FragmentReuse>> Parse(const pb::FragmentReuse& message) {
  return FragmentReuse::Parse(ExactBuffer(message.SerializeAsString()));
}

TEST(FragmentReuse, RowsAreFollowedThroughEveryCompaction) {
  const auto reuse = Parse(TwoRounds()).ValueOrDie();
  EXPECT_EQ(reuse->NewAddress(Address(1, 0)), Address(9, 0));
  EXPECT_EQ(reuse->NewAddress(Address(1, 1)), std::nullopt);
  EXPECT_EQ(reuse->NewAddress(Address(1, 2)), Address(9, 1));
  EXPECT_EQ(reuse->NewAddress(Address(1, 3)), std::nullopt);
  EXPECT_EQ(reuse->NewAddress(Address(2, 0)), std::nullopt) << "it was the last row of 4, which was deleted";
  EXPECT_EQ(reuse->NewAddress(Address(2, 1)), Address(9, 2));
  EXPECT_EQ(reuse->NewAddress(Address(2, UINT32_MAX)), std::nullopt);
  EXPECT_EQ(reuse->NewAddress(Address(3, 0)), Address(9, 3));
  EXPECT_EQ(reuse->NewAddress(Address(3, 1)), std::nullopt);
  EXPECT_EQ(reuse->NewAddress(Address(4, 1)), Address(9, 1));
  EXPECT_EQ(reuse->NewAddress(Address(7, 0)), std::nullopt);
  EXPECT_EQ(reuse->NewAddress(Address(8, 5)), Address(8, 5));
  EXPECT_EQ(reuse->NewAddress(Address(9, 5)), Address(9, 5));
}

TEST(FragmentReuse, AnIndexCoversTheNewFragmentsIfItCoveredAllOfTheOld) {
  const auto reuse = Parse(TwoRounds()).ValueOrDie();
  EXPECT_THAT(reuse->NewFragments({1, 2, 3, 8}), ElementsAre(8, 9));
  EXPECT_THAT(reuse->NewFragments({0, 7}), ElementsAre(0));
  EXPECT_THAT(reuse->NewFragments({1, 3, 8}), ElementsAre(8)) << "2 went into the same fragments as 1";
  EXPECT_THAT(reuse->NewFragments({4, 5, 6}), ElementsAre(9));
  EXPECT_THAT(reuse->NewFragments({9}), ElementsAre(9));
  EXPECT_TRUE(reuse->Concerns({0, 8, 2}));
  EXPECT_TRUE(reuse->Concerns({9})) << "its fragments may have been translated already";
  EXPECT_FALSE(reuse->Concerns({0, 8}));
}

TEST(FragmentReuse, WithoutVersionsNothingMoved) {
  const auto reuse = Parse({}).ValueOrDie();
  EXPECT_EQ(reuse->NewAddress(17), 17U);
  EXPECT_THAT(reuse->NewFragments({3}), ElementsAre(3));
}

TEST(FragmentReuse, ManyRowsKeepTheirOrder) {
  pb::FragmentReuse message;
  Offsets rewritten;
  for (uint32_t offset = 0; offset < 200'000; ++offset) {
    if (offset % 7 != 0) rewritten[3].push_back(offset);
    rewritten[5].push_back(offset);
  }
  const uint64_t rows = rewritten[3].size() + rewritten[5].size();
  AddGroup(message.add_versions(), {{3, 200'000}, {5, 200'000}}, {{8, 100'000}, {9, rows - 100'000}}, rewritten);
  const auto reuse = Parse(message).ValueOrDie();
  uint64_t rank = 0;
  for (const auto& [fragment, offsets] : rewritten) {
    for (const uint32_t offset : offsets) {
      const uint64_t expected = rank < 100'000 ? Address(8, rank) : Address(9, rank - 100'000);
      ASSERT_EQ(reuse->NewAddress(Address(fragment, offset)), expected);
      ++rank;
    }
  }
  EXPECT_EQ(reuse->NewAddress(Address(3, 70'000)), std::nullopt);
}

TEST(FragmentReuse, ContradictionsAreNamed) {
  const auto problem = [](const std::function<void(pb::FragmentReuseVersion*)>& change) {
    pb::FragmentReuse message = TwoRounds();
    change(message.mutable_versions(0));
    const auto status = Parse(message).status();
    EXPECT_TRUE(status.IsInvalid()) << status;
    return status.message();
  };
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(0)->mutable_new_fragments(0)->set_physical_rows(4); }),
              HasSubstr("version 10, group 0: 4 rows were rewritten, but its new fragments have 5"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(1)->clear_new_fragments(); }), HasSubstr("more values than"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(1)->mutable_old_fragments(0)->set_id(2); }),
              HasSubstr("group 1: fragment 2 was rewritten before"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(0)->mutable_old_fragments(0)->set_id(3); }),
              HasSubstr("out of order at 2"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(1)->mutable_old_fragments(0)->set_id(8); }),
              HasSubstr("rows of fragment 3, which is not one of its old fragments"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(0)->mutable_old_fragments(1)->set_physical_rows(1); }),
              HasSubstr("row 1 of fragment 2, which has 1"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(0)->mutable_old_fragments(1)->set_id(uint64_t{1} << 32); }),
              HasSubstr("does not fit row addresses"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(0)->mutable_changed_row_addrs()->append("x"); }),
              HasSubstr("after the last bitmap"));
  EXPECT_THAT(problem([](auto* v) { v->mutable_groups(0)->clear_changed_row_addrs(); }), HasSubstr("too short"));
}

TEST(FragmentReuse, SurvivesEveryCorruption) {
  ForEachCorruption(TwoRounds().SerializeAsString(), [](const std::shared_ptr<arrow::Buffer>& bytes) {
    const auto reuse = FragmentReuse::Parse(bytes);
    if (!reuse.ok()) return;
    for (uint64_t fragment = 0; fragment < 11; ++fragment) {
      for (uint64_t offset = 0; offset < 4; ++offset) (*reuse)->NewAddress(Address(fragment, offset));
    }
    EXPECT_LE((*reuse)->NewFragments({1, 2, 3, 8}).size(), 8U);
  });
}

TEST(FragmentReuse, ComesBackFromTheCacheAndFromAFile) {
  const auto reuse = Parse(TwoRounds()).ValueOrDie();
  const auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  ASSERT_TRUE(reuse->Serialize(out.get()).ok());
  const auto bytes = out->Finish().ValueOrDie();
  EXPECT_EQ(FragmentReuse::Deserialize(bytes).ValueOrDie()->NewAddress(Address(2, 1)), Address(9, 2));
  EXPECT_GT(reuse->SizeInBytes(), bytes->size());

  std::string pattern = (std::filesystem::temp_directory_path() / "fewter_reuse_XXXXXX").string();
  const std::filesystem::path root = mkdtemp(pattern.data());
  std::ofstream(root / "details", std::ios::binary) << "before" << bytes->ToString() << "after";
  const auto store = ObjectStore::Open(root.string()).ValueOrDie();
  const auto size = static_cast<uint64_t>(bytes->size());
  const auto read = ReadFragmentReuse(*store, {.uuid = {}, .details = {"", "details", {6, size}}}).ValueOrDie();
  EXPECT_EQ(read->NewAddress(Address(2, 1)), Address(9, 2));
  const auto cut = ReadFragmentReuse(*store, {.uuid = {}, .details = {"", "details", {5, size}}}).status();
  EXPECT_THAT(cut.message(), HasSubstr("/details: fragment reuse index: is not a well-formed message"));
  EXPECT_TRUE(IsNotFound(ReadFragmentReuse(*store, {.uuid = {}, .details = {"", "gone", {0, 1}}}).status()));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fewter::lance
