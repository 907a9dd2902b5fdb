#include "fewter/lance/manifest.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/lance/corruption_internal.h"
#include "fewter/lance/proto/table.pb.h"

namespace fewter::lance {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string LittleEndian(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string WithLength(const std::string& message) {
  return LittleEndian(message.size(), 4) + message;
}

/// A manifest's file: the index section at its start, if there is one, then the manifest.
std::string FileOf(const pb::Manifest& manifest, const pb::IndexSection* indexes = nullptr) {
  std::string file = indexes != nullptr ? WithLength(indexes->SerializeAsString()) : "";
  const uint64_t position = file.size();
  return file + WithLength(manifest.SerializeAsString()) + LittleEndian(position, 8) + LittleEndian(2 << 16, 4) +
         "LANC";
}

/// The fragments 1 and 70000.
const std::string kBitmap("\x3a\x30\0\0\2\0\0\0\0\0\0\0\1\0\0\0\x18\0\0\0\x1a\0\0\0\1\0\x70\x11", 28);

template <typename Message>
void AddPair(const std::string& key, const std::string& value, google::protobuf::RepeatedPtrField<Message>* pairs) {
  auto* pair = pairs->Add();
  pair->set_key(key);
  pair->set_value(value);
}

pb::Manifest SmallManifest() {
  pb::Manifest manifest;
  manifest.set_version(7);
  manifest.set_index_section(0);
  manifest.set_reader_feature_flags(2);
  manifest.mutable_data_format()->set_file_format("lance");
  manifest.mutable_data_format()->set_version("2.1");
  AddPair("key", "value", manifest.mutable_config());
  auto* field = manifest.add_fields();
  field->set_name("pair");
  field->set_id(0);
  field->set_parent_id(-1);
  field->set_logical_type("struct");
  field = manifest.add_fields();
  field->set_name("a");
  field->set_id(5);
  field->set_parent_id(0);
  field->set_logical_type("float");
  field->set_nullable(true);
  AddPair("unit", "m", field->mutable_metadata());
  manifest.set_next_row_id(30);
  auto* fragment = manifest.add_fragments();
  fragment->set_id(3);
  fragment->set_physical_rows(10);
  fragment->set_inline_row_ids("abc");
  fragment->mutable_deletion_file()->set_num_deleted_rows(4);
  fragment->mutable_deletion_file()->set_file_type(1);
  fragment->mutable_deletion_file()->set_read_version(6);
  fragment->mutable_deletion_file()->set_id(99);
  auto* file = fragment->add_files();
  file->set_path("x.lance");
  file->add_fields(5);
  file->add_fields(-2);
  file->add_column_indices(0);
  file->add_column_indices(1);
  file->set_file_major_version(2);
  file->set_file_minor_version(1);
  file->set_file_size_bytes(1234);
  fragment = manifest.add_fragments();
  fragment->set_id(4);
  fragment->set_physical_rows(2);
  fragment->mutable_external_row_ids()->set_path("row_ids/1");
  fragment->mutable_external_row_ids()->set_offset(5);
  fragment->mutable_external_row_ids()->set_size(6);
  return manifest;
}

pb::IndexSection SmallIndexSection() {
  pb::IndexSection section;
  auto* index = section.add_indices();
  index->mutable_uuid()->set_uuid("\x01\x23\x45\x67\x89\xab\xcd\xefzzzzzzzz");
  index->set_name("pair_idx");
  index->add_fields(5);
  index->set_dataset_version(6);
  index->set_fragment_bitmap(kBitmap);
  index->mutable_index_details()->set_type_url("/lance.index.pb.VectorIndexDetails");
  index->set_index_version(1);
  index->add_files()->set_path("index.idx");
  index->mutable_files(0)->set_size_bytes(77);
  index = section.add_indices();
  index->set_name("__lance_frag_reuse");
  index->mutable_uuid()->set_uuid(std::string(16, 'u'));
  index->mutable_index_details()->set_type_url("/lance.table.FragmentReuseIndexDetails");
  pb::FragmentReuseIndexDetails details;
  details.set_inline_("moves");
  index->mutable_index_details()->set_value(details.SerializeAsString());
  return section;
}

arrow::Result<std::shared_ptr<const Manifest>> Parse(const pb::Manifest& manifest) {
  const pb::IndexSection section = SmallIndexSection();
  return ParseManifest(ExactBuffer(FileOf(manifest, &section)), "_versions/7.manifest");
}

TEST(Manifest, EveryFieldIsDecoded) {
  const auto manifest = Parse(SmallManifest()).ValueOrDie();
  EXPECT_EQ(manifest->version, 7U);
  EXPECT_EQ(manifest->path, "_versions/7.manifest");
  EXPECT_EQ(manifest->data_storage_version, "2.1");
  EXPECT_EQ(manifest->config, (std::map<std::string, std::string>{{"key", "value"}}));
  EXPECT_TRUE(manifest->has_stable_row_ids());
  EXPECT_EQ(manifest->next_row_id, 30U);
  EXPECT_EQ(manifest->physical_rows(), 12U);
  EXPECT_EQ(manifest->live_rows(), 8U);

  ASSERT_EQ(manifest->fields.size(), 2U);
  EXPECT_EQ(manifest->FindField("pair"), &manifest->fields[0]);
  EXPECT_EQ(manifest->FindField("a"), nullptr) << "not at the top level";
  EXPECT_EQ(manifest->FindField("pair.a"), &manifest->fields[1]);
  EXPECT_EQ(manifest->fields[1].parent_id, 0);
  EXPECT_EQ(manifest->fields[1].logical_type, "float");
  EXPECT_TRUE(manifest->fields[1].nullable);
  EXPECT_EQ(manifest->fields[1].metadata.at("unit"), "m");

  ASSERT_EQ(manifest->fragments.size(), 2U);
  const Fragment& first = manifest->fragments[0];
  EXPECT_EQ(first.id, 3U);
  EXPECT_EQ(first.deletion_file->type, DeletionFileType::kBitmap);
  EXPECT_EQ(first.deletion_file->read_version, 6U);
  EXPECT_EQ(first.deletion_file->id, 99U);
  EXPECT_EQ(first.row_ids->inline_bytes, "abc");
  EXPECT_EQ(first.row_ids->path, "");
  ASSERT_EQ(first.files.size(), 1U);
  EXPECT_EQ(first.files[0].path, "data/x.lance");
  EXPECT_THAT(first.files[0].fields, ElementsAre(5, -2));
  EXPECT_THAT(first.files[0].column_indices, ElementsAre(0, 1));
  EXPECT_EQ(first.files[0].major_version, 2U);
  EXPECT_EQ(first.files[0].minor_version, 1U);
  EXPECT_EQ(first.files[0].size, 1234U);
  EXPECT_FALSE(manifest->fragments[1].deletion_file);
  EXPECT_EQ(manifest->fragments[1].row_ids->path, "row_ids/1");
  EXPECT_EQ(manifest->fragments[1].row_ids->range, (ByteRange{5, 6}));
}

TEST(Manifest, IndexesAreDecodedAndTheSystemsOwnLeftOut) {
  const auto manifest = Parse(SmallManifest()).ValueOrDie();
  EXPECT_EQ(manifest->fragment_reuse->uuid.ToString(), "75757575-7575-7575-7575-757575757575");
  EXPECT_EQ(manifest->fragment_reuse->details.inline_bytes, "moves");
  ASSERT_EQ(manifest->indices.size(), 1U);
  const IndexMetadata& index = manifest->indices[0];
  EXPECT_EQ(index.uuid.ToString(), "01234567-89ab-cdef-7a7a-7a7a7a7a7a7a");
  EXPECT_EQ(index.name, "pair_idx");
  EXPECT_THAT(index.fields, ElementsAre(5));
  EXPECT_EQ(index.dataset_version, 6U);
  EXPECT_THAT(*index.fragments, ElementsAre(1, 70000));
  EXPECT_EQ(index.details_type_url, "/lance.index.pb.VectorIndexDetails");
  EXPECT_EQ(index.index_version, 1);
  EXPECT_EQ(index.FileSize("index.idx"), 77U);
  EXPECT_EQ(index.FileSize("auxiliary.idx"), 0U);
}

TEST(Manifest, AbsenceOfTheIndexSectionIsNotItsPositionZero) {
  pb::Manifest message = SmallManifest();
  message.clear_index_section();
  EXPECT_THAT(Parse(message).ValueOrDie()->indices, IsEmpty());
}

TEST(Manifest, UnknownFieldsAreSkipped) {
  pb::Manifest message = SmallManifest();
  message.clear_index_section();
  const std::string unknown("\xfa\x3e\x02hi", 5);  // Field 1007, two bytes.
  const std::string file =
      WithLength(message.SerializeAsString() + unknown) + LittleEndian(0, 8) + LittleEndian(2 << 16, 4) + "LANC";
  EXPECT_EQ(ParseManifest(ExactBuffer(file), "m").ValueOrDie()->version, 7U);
}

TEST(Manifest, WhatWeCannotReadIsNamed) {
  const auto problem = [](const std::function<void(pb::Manifest*)>& change) {
    pb::Manifest message = SmallManifest();
    change(&message);
    const auto status = Parse(message).status();
    EXPECT_TRUE(status.IsNotImplemented()) << status;
    return status.message();
  };
  EXPECT_THAT(problem([](auto* m) { m->set_reader_feature_flags(2 | 256); }), HasSubstr("feature flags 256"));
  EXPECT_THAT(problem([](auto* m) { m->set_reader_feature_flags(64); }),
              HasSubstr("7.manifest: the dataset has overlay files"));
  EXPECT_THAT(problem([](auto* m) { m->set_reader_feature_flags(128); }), HasSubstr("write-ahead log (MemWAL)"));
  EXPECT_THAT(problem([](auto* m) { m->set_reader_feature_flags(uint64_t{1} << 63); }), HasSubstr("flags"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->add_overlays("overlay"); }),
              HasSubstr("fragment 3: has overlay files"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->mutable_files(0)->set_file_major_version(0); }),
              HasSubstr("how many rows there are"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->mutable_files(0)->set_base_id(0); }),
              HasSubstr("fragment 3: data file \"x.lance\" lies in another folder than the dataset, base path 0"));
  EXPECT_THAT(problem([](auto* m) {
                m->mutable_fragments(0)->mutable_files(0)->set_base_id(0);
                m->add_base_paths()->set_path("/elsewhere");
              }),
              HasSubstr("base path 0 (0 is \"/elsewhere\"): branches, shallow clones"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->mutable_deletion_file()->set_base_id(1); }),
              HasSubstr("deletion file lies in another folder"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->mutable_deletion_file()->set_file_type(2); }),
              HasSubstr("unknown type: 2"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_data_format()->set_file_format("parquet"); }), HasSubstr("parquet"));
}

TEST(Manifest, KnownFeatureFlagsAreAccepted) {
  pb::Manifest message = SmallManifest();
  message.set_reader_feature_flags(63);
  EXPECT_TRUE(Parse(message).ok());
}

TEST(Manifest, MalformedContentIsNamed) {
  const auto problem = [](const std::function<void(pb::Manifest*)>& change) {
    pb::Manifest message = SmallManifest();
    change(&message);
    const auto status = Parse(message).status();
    EXPECT_TRUE(status.IsInvalid()) << status;
    return status.message();
  };
  EXPECT_THAT(problem([](auto* m) { m->mutable_fields(1)->set_id(0); }), HasSubstr("field \"a\": its id"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fields(1)->set_id(-1); }), HasSubstr("negative"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fields(1)->set_parent_id(5); }), HasSubstr("its parent 5"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fields(0)->set_parent_id(5); }), HasSubstr("its parent 5"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->set_id(4); }), HasSubstr("fragment 4 occurs twice"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->set_id(uint64_t{1} << 32); }), HasSubstr("32 bits"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(1)->set_physical_rows((uint64_t{1} << 32) + 1); }),
              HasSubstr("fragment 4: its rows cannot be counted"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->set_physical_rows(3); }),
              HasSubstr("more are deleted: 4"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->mutable_files(0)->add_fields(1); }),
              HasSubstr("3 fields but 2 column indices"));
  EXPECT_THAT(problem([](auto* m) { m->mutable_fragments(0)->mutable_files(0)->set_column_indices(0, -2); }),
              HasSubstr("negative column index"));
  EXPECT_THAT(problem([](auto* m) { m->set_index_section(1 << 20); }), HasSubstr("index section: its position"));
  EXPECT_THAT(problem([](auto* m) { m->set_index_section(UINT64_MAX); }), HasSubstr("index section: its position"));
  for (const char* path : {"", "/etc/passwd", "../x", "a/../../x", "a/.."}) {
    EXPECT_THAT(problem([&](auto* m) { m->mutable_fragments(0)->mutable_files(0)->set_path(path); }),
                HasSubstr("leads out of the dataset"));
    EXPECT_THAT(problem([&](auto* m) { m->mutable_fragments(1)->mutable_external_row_ids()->set_path(path); }),
                HasSubstr("row ids: its path"));
  }
}

TEST(Manifest, MalformedIndexesAreNamed) {
  const auto status = [](const std::function<void(pb::IndexMetadata*)>& change) {
    pb::IndexSection section = SmallIndexSection();
    change(section.mutable_indices(0));
    return ParseManifest(ExactBuffer(FileOf(SmallManifest(), &section)), "m").status();
  };
  EXPECT_THAT(status([](auto* i) { i->mutable_uuid()->set_uuid("short"); }).message(),
              HasSubstr("m: index \"pair_idx\": its uuid has 5 bytes"));
  EXPECT_THAT(status([](auto* i) { i->set_fragment_bitmap("x"); }).message(), HasSubstr("\"pair_idx\", its fragments"));
  EXPECT_THAT(status([](auto* i) { i->mutable_files(0)->set_path("../../x"); }).message(), HasSubstr("leads out"));
  const auto elsewhere = status([](auto* i) { i->set_base_id(2); });
  EXPECT_TRUE(elsewhere.IsNotImplemented());
  EXPECT_THAT(elsewhere.message(), HasSubstr("index \"pair_idx\" lies in another folder"));
}

TEST(Manifest, IndexesOfLanceItselfAreReadOrRefused) {
  const auto problem = [](const std::function<void(pb::IndexMetadata*)>& change) {
    pb::IndexSection section = SmallIndexSection();
    change(section.mutable_indices(1));
    const auto status = ParseManifest(ExactBuffer(FileOf(SmallManifest(), &section)), "m").status();
    EXPECT_FALSE(status.ok());
    return status.message();
  };
  EXPECT_THAT(problem([](auto* i) { i->set_name("__lance_mem_wal"); }),
              HasSubstr("index \"__lance_mem_wal\": the dataset has a memory write-ahead log (MemWAL)"));
  EXPECT_THAT(problem([](auto* i) { i->set_name("__lance_more"); }), HasSubstr("\"__lance_more\": one of Lance's own"));
  const auto with_details = [](const pb::FragmentReuseIndexDetails& details) {
    return [details](pb::IndexMetadata* i) { i->mutable_index_details()->set_value(details.SerializeAsString()); };
  };
  pb::FragmentReuseIndexDetails details;
  EXPECT_THAT(problem(with_details(details)), HasSubstr("its details have no content"));
  details.mutable_external()->set_path("../x");
  EXPECT_THAT(problem(with_details(details)), HasSubstr("leads out"));
  EXPECT_THAT(problem([](auto* i) { i->mutable_index_details()->set_type_url("/x"); }), HasSubstr("of type \"/x\""));
  EXPECT_THAT(problem([](auto* i) { i->mutable_index_details()->set_value("x"); }), HasSubstr("well-formed"));
  EXPECT_THAT(problem([](auto* i) { i->clear_uuid(); }), HasSubstr("its uuid has 0 bytes"));
  EXPECT_THAT(problem([](auto* i) { i->set_base_id(1); }), HasSubstr("another folder"));

  pb::IndexSection section = SmallIndexSection();
  details.mutable_external()->set_path("details.binpb");
  details.mutable_external()->set_offset(3);
  details.mutable_external()->set_size(4);
  section.mutable_indices(1)->mutable_index_details()->set_value(details.SerializeAsString());
  const auto read = ParseManifest(ExactBuffer(FileOf(SmallManifest(), &section)), "m").ValueOrDie();
  EXPECT_EQ(read->fragment_reuse->details.path, "_indices/75757575-7575-7575-7575-757575757575/details.binpb");
  EXPECT_EQ(read->fragment_reuse->details.range, (ByteRange{3, 4}));
  *section.add_indices() = section.indices(1);
  EXPECT_THAT(ParseManifest(ExactBuffer(FileOf(SmallManifest(), &section)), "m").status().message(),
              HasSubstr("occurs twice"));
}

TEST(Manifest, TheFragmentsOfAllIndexesTogetherAreBounded) {
  // 256 containers, each one run of 65536 values: 2^24 in 3.6 KB. One more index with a single fragment is too much.
  std::string runs = LittleEndian(12347 | 255 << 16, 4) + std::string(32, '\xFF');
  for (uint64_t key = 0; key < 256; ++key) runs += LittleEndian(key | 0xFFFF0000, 4);
  runs += std::string(1024, '\0');
  for (int i = 0; i < 256; ++i) runs += LittleEndian(1, 2) + LittleEndian(0xFFFF0000, 4);
  pb::IndexSection section = SmallIndexSection();
  section.mutable_indices(0)->set_fragment_bitmap(runs);
  const auto parse = [&] { return ParseManifest(ExactBuffer(FileOf(SmallManifest(), &section)), "m"); };
  EXPECT_EQ(parse().ValueOrDie()->indices[0].fragments->size(), size_t{1} << 24);
  *section.add_indices() = SmallIndexSection().indices(0);
  EXPECT_THAT(parse().status().message(), HasSubstr("has more values than the 0"));
}

TEST(Manifest, SurvivesEveryCorruption) {
  const pb::IndexSection section = SmallIndexSection();
  const std::string good = FileOf(SmallManifest(), &section);
  int refused = 0;
  ForEachCorruption(good, [&](const std::shared_ptr<arrow::Buffer>& bytes) {
    auto manifest = ParseManifest(bytes, "m");
    if (!manifest.ok()) {
      ++refused;
      EXPECT_THAT(manifest.status().message(), HasSubstr("m: "));
      return;
    }
    for (const Fragment& fragment : (*manifest)->fragments) EXPECT_LE(fragment.live_rows(), fragment.physical_rows);
  });
  EXPECT_GT(refused, static_cast<int>(2 * good.size())) << "every cut file, at the least";
}

TEST(Manifest, VersionsAreReadFromNamesOfBothSchemes) {
  EXPECT_EQ(ManifestVersion("1.manifest"), 1U);
  EXPECT_EQ(ManifestVersion("12345.manifest"), 12345U);
  EXPECT_EQ(ManifestVersion("18446744073709551614.manifest"), 1U);
  EXPECT_EQ(ManifestVersion("18446744073709551600.manifest"), 15U);
  EXPECT_EQ(ManifestVersion("00000000000000000000.manifest"), UINT64_MAX);
  for (const char* name : {"d12345.manifest", "d18446744073709551614.manifest", "99999999999999999999.manifest",
                           ".manifest", "manifest", "1.manifest.tmp", "1", "-1.manifest", "+1.manifest", " 1.manifest",
                           "1.5.manifest", "latest_version_hint.json", ""}) {
    EXPECT_EQ(ManifestVersion(name), std::nullopt) << name;
  }
}

class ManifestFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "fewter_manifest_XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    store_ = ObjectStore::Open(root_.string()).ValueOrDie();
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, uint64_t version, size_t filler = 0) {
    pb::Manifest message = SmallManifest();
    message.set_version(version);
    if (filler > 0) AddPair("filler", std::string(filler, 'x'), message.mutable_config());
    const pb::IndexSection section = SmallIndexSection();
    WriteBytes(name, FileOf(message, &section));
  }
  void WriteBytes(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << bytes;
  }

  std::filesystem::path root_;
  std::shared_ptr<ObjectStore> store_;
};

TEST_F(ManifestFolder, TheLargestVersionIsTheLatest) {
  for (uint64_t version : {9, 10, 11}) Write("_versions/" + std::to_string(version) + ".manifest", version);
  Write("_versions/d99.manifest", 99);
  WriteBytes("_versions/latest_version_hint.json", R"({"version":9})");
  EXPECT_EQ(ReadManifest(*store_).ValueOrDie()->version, 11U);
  EXPECT_EQ(ReadManifest(*store_).ValueOrDie()->path, "_versions/11.manifest");
  EXPECT_EQ(ReadManifest(*store_, 9).ValueOrDie()->version, 9U);
  const auto missing = ReadManifest(*store_, 99).status();
  EXPECT_TRUE(missing.IsKeyError());
  EXPECT_THAT(missing.message(), HasSubstr(": has no version 99; there are 9 to 11"));
}

TEST_F(ManifestFolder, AVersionThatWasCleanedUpIsToldFromOneThatIsYetToCome) {
  const auto said = [&](uint64_t version) { return ReadManifest(*store_, version).status().message(); };
  for (uint64_t version : {4, 5, 7, 12}) Write("_versions/" + std::to_string(version) + ".manifest", version);
  EXPECT_THAT(said(6), EndsWith(": has no version 6 any more, which a cleanup of old versions has removed; there are 4 "
                                "to 5, 7 and 12"));
  EXPECT_THAT(said(0), EndsWith(": has no version 0; there are 4 to 5, 7 and 12"));
  for (uint64_t version = 20; version < 40; version += 2) {
    Write("_versions/" + std::to_string(version) + ".manifest", version);
  }
  EXPECT_THAT(said(41), EndsWith(": has no version 41; there are …, 20, 22, 24, 26, 28, 30, 32, 34, 36 and 38"));
}

TEST_F(ManifestFolder, OneListingAndOneReadUnlessTheManifestIsLarge) {
  Write("_versions/1.manifest", 1);
  const auto before = store_->counter()->Snapshot();
  EXPECT_TRUE(ReadManifest(*store_).ok());
  EXPECT_EQ((store_->counter()->Snapshot() - before)[IoKind::kManifest].requests, 2U);

  Write("_versions/2.manifest", 2, /*filler=*/100'000);
  const auto between = store_->counter()->Snapshot();
  const auto manifest = ReadManifest(*store_).ValueOrDie();
  EXPECT_EQ(manifest->config.at("filler").size(), 100'000U);
  EXPECT_EQ(manifest->indices.size(), 1U);
  const IoCount large = (store_->counter()->Snapshot() - between)[IoKind::kManifest];
  EXPECT_EQ(large.requests, 4U) << "the listing, the tail, the rest of the manifest, the index section before it";
  EXPECT_EQ(large.bytes, std::filesystem::file_size(root_ / "_versions/2.manifest")) << "nothing twice";
}

TEST_F(ManifestFolder, AFolderWithoutManifestsIsNoDataset) {
  const auto status = ReadManifest(*store_).status();
  EXPECT_TRUE(status.IsKeyError());
  EXPECT_THAT(status.message(), HasSubstr(store_->identity() + ": is not a Lance dataset"));
  Write("_latest.manifest", 1);
  EXPECT_TRUE(ReadManifest(*store_).status().IsNotImplemented());
}

TEST_F(ManifestFolder, DamageIsReportedWithTheFullPath) {
  WriteBytes("_versions/3.manifest", "");
  EXPECT_THAT(ReadManifest(*store_).status().message(),
              HasSubstr(store_->identity() + "/_versions/3.manifest: is too"));
  WriteBytes("_versions/3.manifest", std::string(100, 'x'));
  EXPECT_THAT(ReadManifest(*store_).status().message(), HasSubstr("does not end like a Lance manifest"));
  Write("_versions/3.manifest", 4);
  EXPECT_THAT(ReadManifest(*store_).status().message(), HasSubstr("holds version 4, not 3"));
}

}  // namespace
}  // namespace fewter::lance
