#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/partition.h"
#include "fewter/vector/subindex/hnsw/hnsw_test_data_internal.h"

// Graphs and their model: from files, into bytes, and back from bytes of anyone's.

namespace fewter {
namespace {

using hnsw_test::ArrayOf;
using hnsw_test::GraphFrom;
using hnsw_test::GraphOf;
using hnsw_test::LevelOffsetsOf;
using hnsw_test::Links;
using hnsw_test::LinksOver;
using hnsw_test::MetadataOf;
using hnsw_test::PointScorer;
using hnsw_test::PointStorage;
using hnsw_test::RowsOf;
using hnsw_test::SectionOf;
using hnsw_test::SourceOf;
using storage_test::OrDie;
using storage_test::RowIdOf;
using storage_test::WithColumn;
using testing::HasSubstr;

constexpr uint32_t kMaxU32 = std::numeric_limits<uint32_t>::max();

// Exactly as long as what it holds, so that a sanitizer sees a read beyond it.
std::shared_ptr<arrow::Buffer> CopyOf(const arrow::Buffer& buffer) {
  return OrDie(buffer.CopySlice(0, buffer.size()));
}

std::shared_ptr<arrow::Array> U32Array(std::vector<uint32_t> values) {
  return ArrayOver(arrow::uint32(), arrow::Buffer::FromVector(std::move(values)));
}

std::vector<uint32_t> ColumnOf(const arrow::RecordBatch& batch, const std::string& name) {
  const auto& lists = static_cast<const arrow::LargeListArray&>(*batch.GetColumnByName(name));
  const auto& values = static_cast<const arrow::UInt32Array&>(*lists.values());
  return {values.raw_values(), values.raw_values() + values.length()};
}

// The batch with another array in one of its columns, as it comes out of a section.
std::shared_ptr<arrow::RecordBatch> WithArray(const arrow::RecordBatch& batch, const std::string& name,
                                              std::vector<uint32_t> values) {
  std::vector<std::string> names;
  arrow::ArrayVector arrays;
  for (int i = 0; i < batch.num_columns(); ++i) {
    names.push_back(batch.column_name(i));
    const auto& lists = static_cast<const arrow::LargeListArray&>(*batch.column(i));
    arrays.push_back(names.back() == name ? U32Array(values) : lists.values());
  }
  ipc::SectionReader sections(SectionOf(*MakeOneRowBatch(names, arrays)));
  return OrDie(sections.Next());
}

std::vector<uint32_t> Change(std::vector<uint32_t> values, size_t i, uint32_t value) {
  values.at(i) = value;
  return values;
}

void SearchAll(const SubIndex& graph, const PointStorage& points) {
  for (uint32_t ef : {0u, 3u, 100u}) {
    PointScorer scorer(storage_test::RandomFloats(points.dimension(), 1));
    TopK top_k(3);
    graph.Search({.ef = ef}, 0, points, &scorer, &top_k);
    EXPECT_LE(scorer.rows_scored(), 2 * size_t{points.num_rows()});
  }
}

// Five rows, of which 1 and 3 are on level 1 and 3 on level 2.
Links SmallLinks() {
  Links links;
  links.levels = {{{0, {1}}, {1, {0, 2}}, {2, {1, 3}}, {3, {2, 4}}, {4, {3}}}, {{1, {3}}, {3, {1}}}, {{3, {}}}};
  links.entry_point = 3;
  return links;
}

TEST(HnswFormat, TheKindIsKnownByNameAndNumber) {
  EXPECT_EQ(FindSubIndexKind("HNSW_PQ").kind, SubIndexKind::kHnsw);
  EXPECT_EQ(FindSubIndexKind("PQ").kind, SubIndexKind::kFlat);
  EXPECT_EQ(*FindSubIndexKind(uint32_t{1}), &kHnswKind);
  EXPECT_EQ(ToString(SubIndexKind::kHnsw), "HNSW");
  EXPECT_EQ(kHnswKind.layout, StorageLayout::kRandomAccess);
  EXPECT_STREQ(kHnswKind.metadata_name, "lance:hnsw");
}

TEST(HnswFormat, AGraphIsLaidOutAsTheDocumentSays) {
  const auto batch = GraphOf(SmallLinks())->ToBatch();
  ASSERT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(ColumnOf(*batch, "shape"), (std::vector<uint32_t>{3, 2, 3, 10}));
  EXPECT_EQ(ColumnOf(*batch, "level_starts"), (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(ColumnOf(*batch, "nodes"), (std::vector<uint32_t>{1, 3, 3}));
  EXPECT_EQ(ColumnOf(*batch, "offsets"), (std::vector<uint32_t>{0, 1, 3, 5, 7, 8, 9, 10, 10}));
  EXPECT_EQ(ColumnOf(*batch, "neighbors"), (std::vector<uint32_t>{1, 0, 2, 1, 3, 2, 4, 3, 3, 1}));
}

TEST(HnswFormat, AGraphComesBackInPlace) {
  for (size_t num_rows : {0, 1, 5, 300}) {
    const PointStorage points(num_rows, 3, 4);
    const auto graph = GraphOf(LinksOver(points, 4, 4));
    auto section = SectionOf(*graph->ToBatch());
    const auto back = GraphFrom(section, static_cast<uint32_t>(num_rows));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ((*back)->kind(), SubIndexKind::kHnsw);
    EXPECT_EQ((*back)->num_rows(), num_rows);
    EXPECT_EQ((*back)->SizeInBytes(), graph->SizeInBytes());
    const auto batch = (*back)->ToBatch();
    EXPECT_TRUE(batch->Equals(*graph->ToBatch()));
    // The first column is made anew.
    for (int i = 1; i < batch->num_columns(); ++i) {
      const auto& values = *static_cast<const arrow::LargeListArray&>(*batch->column(i)).values()->data()->buffers[1];
      if (values.size() == 0) continue;
      EXPECT_EQ(values.address() % 64, 0u);
      EXPECT_GE(values.address(), section->address());
      EXPECT_LE(values.address() + static_cast<uint64_t>(values.size()),
                section->address() + static_cast<uint64_t>(section->size()));
    }
    section.reset();
    SearchAll(**back, points);
  }
}

TEST(HnswFormat, APartitionComesBackWithItsGraph) {
  const auto rows = storage_test::FlatRows(storage_test::RandomFloats(15, 1), 3);
  const auto storage = OrDie(storage_test::FlatQuantizerOf(3)->MakeStorage(*rows, StorageLayout::kRandomAccess));
  const Partition partition(storage, GraphOf(SmallLinks()));
  EXPECT_EQ(partition.sub_index_kind(), SubIndexKind::kHnsw);
  const auto body = storage_test::SerializedBody(partition);
  const auto back = Partition::Deserialize(body);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ((*back)->sub_index_kind(), SubIndexKind::kHnsw);
  EXPECT_EQ((*back)->SizeInBytes(), partition.SizeInBytes());
  EXPECT_EQ(storage_test::SerializedBody(**back)->ToString(), body->ToString());
  std::vector<std::shared_ptr<arrow::Buffer>> ours, theirs;
  partition.AppendBuffers(&ours);
  (*back)->AppendBuffers(&theirs);
  EXPECT_EQ(ours.size(), theirs.size());
  // A graph over other rows than the storage's.
  const Partition wrong(storage, GraphOf({.levels = {{{0, {}}}}}));
  EXPECT_FALSE(Partition::Deserialize(storage_test::SerializedBody(wrong)).ok());
}

TEST(HnswFormat, HostileGraphsAreRefused) {
  const auto good = GraphOf(SmallLinks())->ToBatch();
  const auto error = [&](const std::string& name, std::vector<uint32_t> values) {
    return kHnswKind.from_batch(WithArray(*good, name, std::move(values)), 5).status().message();
  };
  EXPECT_EQ(error("shape", ColumnOf(*good, "shape")), "");
  EXPECT_THAT(error("shape", {5, 2, 3, 10}), HasSubstr("column shape: entry point 5 of 5 rows"));
  EXPECT_THAT(error("shape", {kMaxU32, 2, 3, 10}), HasSubstr("column shape"));
  EXPECT_THAT(error("shape", {3, 1, 3, 10}), HasSubstr("column level_starts: expected 2 values, not 3"));
  EXPECT_THAT(error("shape", {3, kMaxU32, 3, 10}), HasSubstr("column level_starts"));
  EXPECT_THAT(error("shape", {3, 2, 2, 10}), HasSubstr("column nodes"));
  EXPECT_THAT(error("shape", {3, 2, 3, 11}), HasSubstr("column neighbors"));
  EXPECT_THAT(error("shape", {3, 2, 3}), HasSubstr("column shape"));
  for (const auto& starts : {std::vector<uint32_t>{1, 2, 3}, {0, 2, 2}, {0, 0, 3}, {0, 3, 3}, {0, 4, 3}, {0, 2, 4}}) {
    EXPECT_THAT(error("level_starts", starts), HasSubstr("column level_starts: they do not ascend"));
  }
  EXPECT_THAT(error("nodes", {3, 1, 3}), HasSubstr("column nodes: upper level 0"));
  EXPECT_THAT(error("nodes", {3, 3, 3}), HasSubstr("column nodes: upper level 0"));
  EXPECT_THAT(error("nodes", {1, 5, 3}), HasSubstr("column nodes: one is none of 5"));
  const auto offsets = ColumnOf(*good, "offsets");
  for (const auto& [i, value] : {std::pair{0u, 1u}, {1u, 4u}, {8u, 9u}, {8u, 11u}, {4u, kMaxU32}, {7u, 11u}}) {
    EXPECT_THAT(error("offsets", Change(offsets, i, value)), HasSubstr("column offsets: they do not ascend"));
  }
  const auto neighbors = ColumnOf(*good, "neighbors");
  for (const auto& [i, value] : {std::pair{0u, 5u}, {9u, 5u}, {4u, kMaxU32}}) {
    EXPECT_THAT(error("neighbors", Change(neighbors, i, value)), HasSubstr("column neighbors: one is none of 5"));
  }
  for (uint32_t rows : {0u, 4u, 6u, kMaxU32}) EXPECT_FALSE(kHnswKind.from_batch(good, rows).ok());
}

TEST(HnswFormat, GraphsWithAnyBitChangedAreRefusedOrCanBeSearched) {
  const PointStorage points(5, 2, 3);
  const auto section = SectionOf(*GraphOf(SmallLinks())->ToBatch());
  size_t refused = 0, searched = 0;
  for (int64_t bit = 0; bit < section->size() * 8; ++bit) {
    const auto copy = CopyOf(*section);
    const_cast<uint8_t*>(copy->data())[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const auto graph = GraphFrom(copy, 5);
    if (graph.ok()) SearchAll(**graph, points);
    ++(graph.ok() ? searched : refused);
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(searched, 0u);
}

TEST(HnswFormat, RowsOfTheFileThatDoNotFitAreRefused) {
  const auto model = OrDie(MakeHnswModel(SourceOf(SmallLinks())));
  const auto good = RowsOf(SmallLinks());
  ASSERT_TRUE(model->Make(0, *good, 5).ok());
  const auto error = [&](const arrow::RecordBatch& rows, uint32_t storage_rows = 5) {
    return model->Make(0, rows, storage_rows).status().message();
  };
  const auto with_ids = [&](std::vector<uint32_t> ids) { return WithColumn(*good, 0, U32Array(std::move(ids))); };
  const auto with_links = [](size_t level, uint32_t node, std::vector<uint32_t> neighbors) {
    Links links = SmallLinks();
    links.levels[level][node] = std::move(neighbors);
    return RowsOf(links);
  };
  EXPECT_THAT(error(*good, 6), HasSubstr("column __vector_id: 5 rows on level 0, over a storage of 6"));
  EXPECT_THAT(error(*with_ids({0, 1, 3, 2, 4, 1, 3, 3})), HasSubstr("column __vector_id: 3 in row 2 of level 0"));
  EXPECT_THAT(error(*with_ids({0, 1, 2, 3, 4, 1, 5, 3})), HasSubstr("column __vector_id: 5 in row 6, of 5 vectors"));
  EXPECT_THAT(error(*with_links(0, 2, {1, 5})), HasSubstr("column __neighbors: row 2 has a neighbour"));
  EXPECT_THAT(error(*with_links(1, 3, {kMaxU32})), HasSubstr("column __neighbors: row 6 has a neighbour"));
  EXPECT_THAT(error(*good->Slice(1)), HasSubstr("partition 0: 7 rows instead of 8"));
  const auto without = [&](int column) { return OrDie(good->RemoveColumn(column)); };
  EXPECT_THAT(error(*without(0)), HasSubstr("column __vector_id: missing"));
  EXPECT_THAT(error(*without(1)), HasSubstr("column __neighbors: missing"));
  const auto bytes = OrDie(arrow::MakeArrayOfNull(arrow::uint8(), 8));
  EXPECT_THAT(error(*WithColumn(*good, 0, bytes)), HasSubstr("column __vector_id: of type uint8"));
  EXPECT_THAT(error(*WithColumn(*good, 1, bytes)), HasSubstr("column __neighbors: of type uint8"));
  for (int column : {0, 1}) {
    const auto nulls = OrDie(arrow::MakeArrayOfNull(good->column(column)->type(), 8));
    EXPECT_THAT(error(*WithColumn(*good, column, nulls)), HasSubstr("has nulls"));
  }
  const auto floats = OrDie(arrow::MakeEmptyArray(arrow::float32()));
  const auto zeros = arrow::Buffer::FromVector(std::vector<int32_t>(9));
  const auto lists = std::make_shared<arrow::ListArray>(arrow::list(arrow::float32()), 8, zeros, floats);
  EXPECT_THAT(error(*WithColumn(*good, 1, lists)), HasSubstr("column __neighbors: of type list<item: float>"));
}

TEST(HnswFormat, ListsOfAFileMayBeginAnywhere) {
  Links links = SmallLinks();
  const auto rows = RowsOf(links);
  const auto before = RowsOf({7, 7}, {{1, 2, 3}, {}});
  const auto both = OrDie(arrow::ConcatenateRecordBatches({before, rows}))->Slice(2);
  const auto model = OrDie(MakeHnswModel(SourceOf(links)));
  const auto graph = model->Make(0, *both, 5);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_TRUE((*graph)->ToBatch()->Equals(*GraphOf(links)->ToBatch()));
}

TEST(HnswFormat, OldFilesHaveLevelsThatStartARowTooEarly) {
  // Each upper level's count is one too small: 1 and 1 of the 2 and 2 rows there are.
  Links links = SmallLinks();
  links.levels[2] = {{1, {}}, {3, {1}}};
  SubIndexSource source = SourceOf(links);
  source.metadata = ArrayOf({MetadataOf(3, {0, 5, 6, 8})});
  const auto graph = OrDie(OrDie(MakeHnswModel(source))->Make(0, *RowsOf(links), 5));
  const auto batch = graph->ToBatch();
  // Level 1 lacks row 3, which level 2 has in its stead, and with it the rows that are its own.
  EXPECT_EQ(ColumnOf(*batch, "nodes"), (std::vector<uint32_t>{1, 1, 3}));
  EXPECT_EQ(ColumnOf(*batch, "offsets"), (std::vector<uint32_t>{0, 1, 3, 5, 7, 8, 9, 9, 10}));
  SearchAll(*graph, PointStorage(5, 2, 3));
}

TEST(HnswFormat, OfTwoRowsOfAnIdTheLastCounts) {
  SubIndexSource source = SourceOf(SmallLinks());
  source.metadata = ArrayOf({MetadataOf(0, {0, 2, 5})});
  source.lengths = {5};
  const auto rows = RowsOf({0, 1, 1, 0, 1}, {{1}, {0}, {0, 0, 0}, {1}, {0, 0}});
  const auto batch = OrDie(OrDie(MakeHnswModel(source))->Make(0, *rows, 2))->ToBatch();
  EXPECT_EQ(ColumnOf(*batch, "nodes"), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(ColumnOf(*batch, "offsets"), (std::vector<uint32_t>{0, 1, 2, 3, 5}));
}

// Partitions of 8, 0 and 8 rows.
SubIndexSource ThreePartitions() {
  SubIndexSource source = SourceOf(SmallLinks());
  const std::string text = MetadataOf(3, LevelOffsetsOf(SmallLinks()));
  source.metadata = ArrayOf({text, "", text});
  source.offsets = {0, 8, 8};
  source.lengths = {8, 0, 8};
  source.total_rows = 16;
  return source;
}

TEST(HnswFormat, AModelSaysWhereTheGraphsAre) {
  const auto model = OrDie(MakeHnswModel(ThreePartitions()));
  EXPECT_EQ(model->kind(), SubIndexKind::kHnsw);
  EXPECT_EQ(model->columns(), (std::vector<std::string>{"__vector_id", "__neighbors"}));
  ASSERT_EQ(model->num_partitions(), 3u);
  EXPECT_EQ(model->first_row(2), 8u);
  EXPECT_EQ(model->num_rows(2), 8u);
  EXPECT_EQ(model->num_rows(1), 0u);
  const auto rows = RowsOf(SmallLinks());
  EXPECT_TRUE(OrDie(model->Make(2, *rows, 5))->ToBatch()->Equals(*GraphOf(SmallLinks())->ToBatch()));
  EXPECT_EQ(OrDie(model->Make(1, *rows->Slice(0, 0), 0))->num_rows(), 0u);
  EXPECT_THAT(model->Make(1, *rows->Slice(0, 0), 5).status().message(), HasSubstr("0 rows on level 0"));
}

TEST(HnswFormat, AModelComesBackInPlace) {
  const auto model = OrDie(MakeHnswModel(ThreePartitions()));
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  ASSERT_TRUE(model->Serialize(out.get()).ok());
  const auto section = OrDie(out->Finish());
  ipc::SectionReader sections(section);
  const auto back = kHnswKind.model_from_sections(&sections);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(sections.Finish().ok());
  EXPECT_EQ((*back)->SizeInBytes(), model->SizeInBytes());
  std::vector<std::shared_ptr<arrow::Buffer>> ours, theirs;
  model->AppendBuffers(&ours);
  (*back)->AppendBuffers(&theirs);
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(ours[i]->Equals(*theirs[i]));
    EXPECT_GE(theirs[i]->address(), section->address());
    EXPECT_LT(theirs[i]->address(), section->address() + static_cast<uint64_t>(section->size()));
  }
  const auto again = OrDie(arrow::io::BufferOutputStream::Create());
  ASSERT_TRUE((*back)->Serialize(again.get()).ok());
  EXPECT_TRUE(OrDie(again->Finish())->Equals(*section));
}

TEST(HnswFormat, ModelsWithAnyBitChangedAreRefusedOrInsideTheFile) {
  const auto model = OrDie(MakeHnswModel(ThreePartitions()));
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  ASSERT_TRUE(model->Serialize(out.get()).ok());
  const auto section = OrDie(out->Finish());
  const auto rows = RowsOf(SmallLinks());
  size_t refused = 0, used = 0;
  for (int64_t bit = 0; bit < section->size() * 8; ++bit) {
    const auto copy = CopyOf(*section);
    const_cast<uint8_t*>(copy->data())[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    ipc::SectionReader sections(copy);
    const auto back = kHnswKind.model_from_sections(&sections);
    ++(back.ok() ? used : refused);
    for (uint32_t i = 0; back.ok() && i < (*back)->num_partitions(); ++i) {
      uint64_t end = 0;
      EXPECT_TRUE(CheckedAdd((*back)->first_row(i), (*back)->num_rows(i), &end));
      const auto graph = (*back)->Make(i, *rows, 5);
      if (graph.ok()) SearchAll(**graph, PointStorage(5, 2, 3));
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(used, 0u);
}

TEST(HnswFormat, MalformedMetadataIsRefused) {
  const auto error = [](const std::string& metadata) {
    SubIndexSource source = SourceOf(SmallLinks());
    source.metadata = metadata;
    return MakeHnswModel(source).status().message();
  };
  for (const char* text : {"", "{}", "[1]", "[\"\", null]", "["}) EXPECT_THAT(error(text), HasSubstr("JSON array"));
  EXPECT_THAT(error("[]"), HasSubstr("0 partitions, but 1 lengths"));
  for (const char* text : {"", "[]", "{"}) {
    EXPECT_THAT(error(ArrayOf({text})), HasSubstr("lance:hnsw, partition 0: not a JSON object"));
  }
  for (const char* text : {"{}", R"({"entry_point":-1})", R"({"entry_point":1.5})", R"({"entry_point":4294967296})"}) {
    EXPECT_THAT(error(ArrayOf({text})), HasSubstr("partition 0: entry_point is missing or not a number"));
  }
  for (const char* text : {"{\"entry_point\":0}", R"({"entry_point":0,"level_offsets":3})",
                           R"({"entry_point":0,"level_offsets":[0,-1]})"}) {
    EXPECT_THAT(error(ArrayOf({text})), HasSubstr("partition 0: level_offsets is missing or not a list"));
  }
  for (const auto& offsets : {std::vector<uint32_t>{0}, {1, 5}, {0, 5, 4}, {0, 5, 9}, {0, 5, kMaxU32}}) {
    EXPECT_THAT(error(ArrayOf({MetadataOf(0, offsets)})), HasSubstr("partition 0: level_offsets do not ascend"));
  }
  EXPECT_THAT(error(ArrayOf({MetadataOf(5, {0, 5, 8})})), HasSubstr("entry_point is 5, of 5 rows on level 0"));
  EXPECT_THAT(error(ArrayOf({MetadataOf(0, {0, 0, 8})})), HasSubstr("entry_point is 0, of 0 rows on level 0"));
}

TEST(HnswFormat, PartitionsOutsideTheFileAreRefused) {
  const auto error = [](std::vector<uint64_t> offsets, uint64_t total_rows) {
    SubIndexSource source = ThreePartitions();
    source.offsets = std::move(offsets);
    source.total_rows = total_rows;
    return MakeHnswModel(source).status().message();
  };
  EXPECT_EQ(error({0, 8, 8}, 16), "");
  EXPECT_THAT(error({0, 8, 8}, 15), HasSubstr("partition 2: rows 8 + 8 of 15"));
  EXPECT_THAT(error({0, 17, 8}, 16), HasSubstr("partition 1: rows 17 + 0 of 16"));
  EXPECT_THAT(error({std::numeric_limits<uint64_t>::max() - 3, 8, 8}, 16), HasSubstr("partition 0: rows"));
  EXPECT_THAT(error({0, 8}, 16), HasSubstr("3 partitions, but 3 lengths and 2 offsets"));
}

}  // namespace
}  // namespace fewter
