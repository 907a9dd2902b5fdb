// Compares manifests, deletions and row ids with what pylance says about datasets that it wrote; see
// tests/make_manifest_fixtures.py.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fewter/lance/deletions.h"
#include "fewter/lance/manifest.h"
#include "fewter/lance/proto/table.pb.h"
#include "fewter/lance/row_ids.h"

namespace fewter::lance {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;

std::filesystem::path FixturesFolder() {
  const char* folder = std::getenv("FEWTER_FIXTURES");
  return std::filesystem::path(folder != nullptr ? folder : "build/fixtures") / "manifests";
}

struct Fixture {
  std::string name;
  std::shared_ptr<ObjectStore> store;
  json expected;
};

std::vector<Fixture> LoadFixtures() {
  std::vector<Fixture> fixtures;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(FixturesFolder(), error)) {
    std::ifstream file(entry.path() / "expected.json");
    if (!file) continue;
    fixtures.push_back({entry.path().filename().string(),
                        ObjectStore::Open((entry.path() / "data.lance").string()).ValueOrDie(), json::parse(file)});
  }
  return fixtures;
}

void CompareFields(const Manifest& manifest, const json& expected) {
  ASSERT_EQ(manifest.fields.size(), expected.size());
  // pylance lists children below their parent; the manifest's order may differ where a column was changed.
  for (const json& field : expected) {
    const auto found = std::find_if(manifest.fields.begin(), manifest.fields.end(),
                                    [&](const Field& f) { return f.id == field["id"].get<int32_t>(); });
    ASSERT_NE(found, manifest.fields.end()) << field;
    EXPECT_EQ(found->name, field["name"].get<std::string>());
    EXPECT_EQ(found->parent_id, field["parent_id"].get<int32_t>());
    EXPECT_FALSE(found->logical_type.empty());
  }
}

void CompareFiles(const Fixture& fixture, const Fragment& fragment, const json& expected) {
  ASSERT_EQ(fragment.files.size(), expected.size());
  for (size_t i = 0; i < fragment.files.size(); ++i) {
    const DataFile& file = fragment.files[i];
    EXPECT_EQ(file.path, expected[i]["path"].get<std::string>());
    EXPECT_EQ(file.fields, expected[i]["fields"].get<std::vector<int32_t>>());
    EXPECT_EQ(file.column_indices, expected[i]["column_indices"].get<std::vector<int32_t>>());
    EXPECT_EQ(file.major_version, expected[i]["version"][0].get<uint32_t>());
    EXPECT_EQ(file.minor_version, expected[i]["version"][1].get<uint32_t>());
    EXPECT_EQ(file.size, expected[i]["size"].is_null() ? 0 : expected[i]["size"].get<uint64_t>());
    EXPECT_TRUE(fixture.store->FileSize(file.path, IoKind::kData).ValueOrDie().has_value());
  }
}

void CompareFragment(const Fixture& fixture, const Fragment& fragment, const json& expected) {
  EXPECT_EQ(fragment.id, expected["id"].get<uint64_t>());
  EXPECT_EQ(fragment.physical_rows, expected["physical_rows"].get<uint64_t>());
  CompareFiles(fixture, fragment, expected["files"]);

  const auto deleted = ReadDeletions(*fixture.store, fragment).ValueOrDie();
  EXPECT_EQ(deleted, expected["deleted"].get<std::vector<uint32_t>>());
  EXPECT_EQ(fragment.live_rows(), fragment.physical_rows - deleted.size());
  EXPECT_EQ(fragment.deletion_file.has_value(), !expected["deletion_file"].is_null());
  if (fragment.deletion_file) {
    EXPECT_EQ(DeletionFilePath(fragment.id, *fragment.deletion_file), expected["deletion_file"].get<std::string>());
  }

  EXPECT_EQ(fragment.row_ids.has_value(), expected.contains("live_row_ids"));
  if (!fragment.row_ids) return;
  const auto ids = ReadRowIds(*fixture.store, fragment).ValueOrDie();
  std::vector<uint64_t> live;
  for (uint32_t offset = 0; offset < ids.size(); ++offset) {
    if (!std::binary_search(deleted.begin(), deleted.end(), offset)) live.push_back(ids[offset]);
  }
  EXPECT_EQ(live, expected["live_row_ids"].get<std::vector<uint64_t>>());
}

void CompareIndexes(const Manifest& manifest, const json& expected) {
  auto indexes = manifest.indices;
  std::sort(indexes.begin(), indexes.end(),
            [](const IndexMetadata& a, const IndexMetadata& b) { return a.uuid < b.uuid; });
  ASSERT_EQ(indexes.size(), expected.size());
  for (size_t i = 0; i < indexes.size(); ++i) {
    const IndexMetadata& index = indexes[i];
    SCOPED_TRACE(index.name);
    EXPECT_EQ(index.uuid.ToString(), expected[i]["uuid"].get<std::string>());
    EXPECT_EQ(index.name, expected[i]["name"].get<std::string>());
    EXPECT_EQ(index.details_type_url, expected[i]["type_url"].get<std::string>());
    EXPECT_EQ(index.fields, expected[i]["fields"].get<std::vector<int32_t>>());
    ASSERT_TRUE(index.fragments.has_value());
    if (!expected[i]["fragments"].is_null()) {
      EXPECT_EQ(*index.fragments, expected[i]["fragments"].get<std::vector<uint32_t>>());
    }
    EXPECT_EQ(index.dataset_version, expected[i]["dataset_version"].get<uint64_t>());
    EXPECT_EQ(index.index_version, expected[i]["index_version"].get<int32_t>());
    EXPECT_EQ(index.files.size(), expected[i]["files"].size());
    for (const auto& [name, size] : expected[i]["files"].items()) EXPECT_EQ(index.FileSize(name), size.get<uint64_t>());
  }
}

void CompareVersion(const Fixture& fixture, const json& expected) {
  const auto manifest = ReadManifest(*fixture.store, expected["version"].get<uint64_t>()).ValueOrDie();
  EXPECT_EQ(manifest->version, expected["version"].get<uint64_t>());
  EXPECT_EQ(manifest->data_storage_version, expected["data_storage_version"].get<std::string>());
  EXPECT_EQ(manifest->live_rows(), expected["live_rows"].get<uint64_t>());
  EXPECT_EQ(manifest->config, (expected["config"].get<std::map<std::string, std::string>>()));
  EXPECT_EQ(manifest->has_stable_row_ids(), fixture.expected["stable_row_ids"].get<bool>());
  EXPECT_EQ(manifest->fragment_reuse.has_value(), expected["has_fragment_reuse_index"].get<bool>());
  CompareFields(*manifest, expected["fields"]);
  ASSERT_EQ(manifest->fragments.size(), expected["fragments"].size());
  for (size_t i = 0; i < manifest->fragments.size(); ++i) {
    SCOPED_TRACE("fragment " + std::to_string(manifest->fragments[i].id));
    CompareFragment(fixture, manifest->fragments[i], expected["fragments"][i]);
  }
  CompareIndexes(*manifest, expected["indexes"]);
}

TEST(ManifestFixtures, EveryVersionIsAsPylanceSeesIt) {
  const auto fixtures = LoadFixtures();
  ASSERT_GE(fixtures.size(), 11U) << "run tests/make_manifest_fixtures.py; looked in " << FixturesFolder();
  for (const Fixture& fixture : fixtures) {
    const json& versions = fixture.expected["versions"];
    ASSERT_FALSE(versions.empty());
    for (const json& version : versions) {
      SCOPED_TRACE(fixture.name + " version " + std::to_string(version["version"].get<uint64_t>()));
      CompareVersion(fixture, version);
    }
    EXPECT_EQ(ReadManifest(*fixture.store).ValueOrDie()->version, versions.back()["version"].get<uint64_t>());
    EXPECT_TRUE(ReadManifest(*fixture.store, 1'000'000).status().IsKeyError());
  }
}

TEST(ManifestFixtures, CoverWhatWritersDo) {
  std::set<std::string> seen;
  for (const Fixture& fixture : LoadFixtures()) {
    for (const json& version : fixture.expected["versions"]) {
      const auto manifest = ReadManifest(*fixture.store, version["version"].get<uint64_t>()).ValueOrDie();
      seen.insert(manifest->path.size() == std::string("_versions/18446744073709551614.manifest").size() ? "V2" : "V1");
      seen.insert("data " + manifest->data_storage_version);
      if (manifest->fragment_reuse) seen.insert("fragment reuse");
      for (const IndexMetadata& index : manifest->indices) {
        seen.insert(index.files.empty() ? "index without files" : "index");
      }
      for (const Fragment& fragment : manifest->fragments) {
        if (fragment.deletion_file) {
          seen.insert(fragment.deletion_file->type == DeletionFileType::kBitmap ? "bitmap" : "arrow");
        }
        if (!fragment.row_ids) continue;
        pb::RowIdSequence sequence;
        ASSERT_TRUE(sequence.ParseFromString(fragment.row_ids->inline_bytes));
        for (const auto& segment : sequence.segments()) {
          seen.insert("segment " + std::to_string(static_cast<int>(segment.segment_case())));
        }
      }
    }
  }
  for (const char* needed : {"V1", "V2", "data 2.0", "data 2.1", "data 2.2", "index", "index without files",
                             "fragment reuse", "bitmap", "arrow", "segment 1", "segment 2", "segment 3", "segment 4"}) {
    EXPECT_TRUE(seen.count(needed) != 0) << needed;
  }
}

/// What is said about a dataset that must not be opened, as it would answer wrongly.
std::string RefusalOf(const std::string& folder) {
  const auto path = FixturesFolder() / folder;
  EXPECT_TRUE(std::filesystem::exists(path)) << "run tests/make_manifest_fixtures.py";
  const auto status = ReadManifest(*ObjectStore::Open(path.string()).ValueOrDie()).status();
  EXPECT_TRUE(status.IsNotImplemented()) << status;
  return status.message();
}

TEST(ManifestFixtures, WhatLiesElsewhereIsRefused) {
  for (const char* folder : {"refused/clone.lance", "refused/branched.lance/tree/dev", "refused/bases.lance"}) {
    EXPECT_THAT(RefusalOf(folder), HasSubstr("lies in another folder"));
    EXPECT_THAT(RefusalOf(folder), HasSubstr("branches, shallow clones and files added"));
  }
  EXPECT_THAT(RefusalOf("refused/clone.lance"), HasSubstr("/indexes/data.lance\""));
}

TEST(ManifestFixtures, ABranchOfADatasetDoesNotChangeIt) {
  const auto store = ObjectStore::Open((FixturesFolder() / "refused/branched.lance").string()).ValueOrDie();
  const auto manifest = ReadManifest(*store).ValueOrDie();
  EXPECT_EQ(manifest->version, 1U);
  EXPECT_EQ(manifest->live_rows(), 30U);
}

TEST(ManifestFixtures, AMemoryWriteAheadLogIsRefused) {
  EXPECT_THAT(RefusalOf("refused/mem_wal.lance"), HasSubstr("MemWAL"));
}

}  // namespace
}  // namespace fewter::lance
