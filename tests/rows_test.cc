/// Rows of datasets whose schema and rows changed over time (made by make_rows_fixtures.py), as pylance returns them.

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <arrow/array/array_primitive.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/table.h>
#include <arrow/util/future.h>
#include <arrow/util/thread_pool.h>

#include <gtest/gtest.h>

#include "fewter/dataset/dataset.h"
#include "fewter/util/argument_error.h"
#include "fixtures.h"

namespace fewter {
namespace {

std::shared_ptr<arrow::ipc::RecordBatchFileReader> OpenExpected(const std::string& folder, const char* name) {
  auto file = arrow::io::ReadableFile::Open((std::filesystem::path(folder) / name).string()).ValueOrDie();
  return arrow::ipc::RecordBatchFileReader::Open(file).ValueOrDie();
}

std::shared_ptr<arrow::Table> LoadExpected(const std::string& folder) {
  return OpenExpected(folder, "rows.arrow")->ToTable().ValueOrDie();
}

std::shared_ptr<Dataset> OpenCase(const std::string& folder) {
  return Dataset::Open((std::filesystem::path(folder) / "dataset.lance").string()).ValueOrDie();
}

std::vector<std::string> NamesOf(const arrow::Table& table) {
  return table.ColumnNames();
}

uint64_t NumberAt(const arrow::Table& table, const char* column, int64_t row) {
  const auto array = std::static_pointer_cast<arrow::UInt64Array>(table.GetColumnByName(column)->chunk(0));
  return array->Value(row);
}

class Rows : public ::testing::TestWithParam<std::string> {};

TEST_P(Rows, AScanReturnsThemAllInOrder) {
  const auto expected = LoadExpected(GetParam());
  const auto dataset = OpenCase(GetParam());
  for (const uint64_t batch_size : {1, 33, 100000}) {
    const auto reader = dataset->Scan({.columns = NamesOf(*expected), .batch_size = batch_size}).ValueOrDie();
    const auto batches = reader->ToRecordBatches().ValueOrDie();
    for (const auto& batch : batches) {
      ASSERT_TRUE(batch->ValidateFull().ok()) << batch->ValidateFull().ToString();
      EXPECT_LE(static_cast<uint64_t>(batch->num_rows()), batch_size);
    }
    const auto got = arrow::Table::FromRecordBatches(reader->schema(), batches).ValueOrDie();
    EXPECT_EQ(got->schema()->ToString(false), expected->schema()->RemoveMetadata()->ToString(false));
    EXPECT_TRUE(got->Equals(*expected)) << got->ToString() << "\nbut pylance has\n" << expected->ToString();
  }
}

TEST_P(Rows, ColumnsInsideStructsGoByTheirPaths) {
  const auto expected = OpenExpected(GetParam(), "nested.arrow")->ToTable().ValueOrDie();
  const auto dataset = OpenCase(GetParam());
  const auto got =
      dataset->Scan({.columns = NamesOf(*expected), .batch_size = 64}).ValueOrDie()->ToTable().ValueOrDie();
  EXPECT_EQ(got->schema()->ToString(false), expected->schema()->RemoveMetadata()->ToString(false));
  EXPECT_TRUE(got->Equals(*expected)) << got->ToString() << "\nbut pylance has\n" << expected->ToString();
  const std::vector<uint64_t> ids = dataset->RowIds().ValueOrDie();
  const auto taken = dataset->Take(std::span(ids).last(30), NamesOf(*expected)).ValueOrDie();
  const auto last = expected->Slice(expected->num_rows() - 30)->CombineChunksToBatch().ValueOrDie();
  EXPECT_TRUE(taken->Equals(*last)) << taken->ToString() << "\nbut pylance has\n" << last->ToString();
}

TEST_P(Rows, ScansMayBeReadOnTheThreadsThatReadAhead) {
  const auto expected = LoadExpected(GetParam());
  const auto dataset = OpenCase(GetParam());
  arrow::internal::Executor* const executor = dataset->session().cpu_executor();
  // More of them than the executor has threads, so that all wait for rows at once.
  std::vector<arrow::Future<int64_t>> scans;
  for (int i = 0; i < executor->GetCapacity() + 2; ++i) {
    scans.push_back(arrow::DeferNotOk(executor->Submit([&]() -> arrow::Result<int64_t> {
      ARROW_ASSIGN_OR_RAISE(const auto reader, dataset->Scan({.batch_size = 10}));
      ARROW_ASSIGN_OR_RAISE(const auto table, reader->ToTable());
      return table->num_rows();
    })));
  }
  for (const auto& rows : scans) EXPECT_EQ(rows.result().ValueOrDie(), expected->num_rows());
}

TEST_P(Rows, AScanMayBeLeftUnfinished) {
  const auto dataset = OpenCase(GetParam());
  for (int batches = 0; batches < 3; ++batches) {
    const auto reader = dataset->Scan({.batch_size = 7}).ValueOrDie();
    for (int i = 0; i < batches; ++i) EXPECT_EQ(reader->Next().ValueOrDie()->num_rows(), 7);
  }
}

TEST_P(Rows, AllColumnsOfTheTableUnlessSomeAreNamed) {
  const auto expected = LoadExpected(GetParam());
  const auto dataset = OpenCase(GetParam());
  std::vector<std::string> names = NamesOf(*expected);
  names.resize(names.size() - 2);
  EXPECT_EQ(dataset->Schema().ValueOrDie()->field_names(), names);
  EXPECT_EQ(dataset->Scan().ValueOrDie()->schema()->field_names(), names);
  EXPECT_TRUE(dataset->Scan({.columns = {"absent"}}).status().IsKeyError());
  EXPECT_TRUE(dataset->Scan({.columns = {"pair.absent"}}).status().IsKeyError());
  EXPECT_TRUE(dataset->Scan({.columns = {"tags.item"}}).status().IsKeyError());
  EXPECT_TRUE(IsArgumentError(dataset->Scan({.batch_size = 0}).status()));
}

TEST_P(Rows, SingleRowsAreFoundByTheirIds) {
  const auto expected = LoadExpected(GetParam());
  const auto dataset = OpenCase(GetParam());
  std::mt19937 random(7);
  for (const int count : {0, 1, 12, 300}) {
    std::vector<uint64_t> ids;
    std::vector<int64_t> positions;
    for (int i = 0; i < count; ++i) {
      positions.push_back(static_cast<int64_t>(random() % static_cast<uint64_t>(expected->num_rows())));
      ids.push_back(NumberAt(*expected, "_rowid", positions.back()));
    }
    const auto got = dataset->Take(ids, NamesOf(*expected)).ValueOrDie();
    ASSERT_TRUE(got->ValidateFull().ok()) << got->ValidateFull().ToString();
    ASSERT_EQ(got->num_rows(), count);
    for (int column = 0; column < got->num_columns(); ++column) {
      for (int i = 0; i < count; ++i) {
        const auto want = expected->column(column)->chunk(0)->Slice(positions[static_cast<size_t>(i)], 1);
        ASSERT_TRUE(got->column(column)->Slice(i, 1)->Equals(want)) << got->schema()->field(column)->name();
      }
    }
  }
}

TEST_P(Rows, RowsThatAreGoneAreNotFound) {
  const auto expected = LoadExpected(GetParam());
  const auto dataset = OpenCase(GetParam());
  std::vector<uint64_t> ids;
  for (int64_t row = 0; row < expected->num_rows(); ++row) ids.push_back(NumberAt(*expected, "_rowid", row));
  for (uint64_t id : {uint64_t{3}, uint64_t{99}, uint64_t{1} << 32 | 250, uint64_t{77} << 32, ~uint64_t{0}}) {
    const bool is_live = std::find(ids.begin(), ids.end(), id) != ids.end();
    const auto taken = dataset->Take(std::vector<uint64_t>{id}, {"id"});
    EXPECT_EQ(taken.ok(), is_live) << id;
    EXPECT_EQ(taken.status().IsKeyError(), !is_live) << taken.status().ToString();
  }
}

/// As make_rows_fixtures.py asked pylance.
const std::vector<std::vector<float>> kQueries = {{50.25F, 0.5F}, {199.75F, 0.0F}, {1010.25F, 0.5F}};

TEST_P(Rows, ASearchReturnsTheirColumnsAsPylanceDoes) {
  const auto dataset = OpenCase(GetParam());
  const auto expected = OpenExpected(GetParam(), "nearest.arrow");
  SearchRequest request{.column = "vector", .k = 25, .nprobes = 2, .columns = expected->schema()->field_names()};
  const auto many = dataset->SearchMany(request, kQueries).ValueOrDie();
  for (size_t i = 0; i < kQueries.size(); ++i) {
    const auto want = expected->ReadRecordBatch(static_cast<int>(i)).ValueOrDie();
    request.query = kQueries[i];
    for (const SearchResult& result : {dataset->Search(request).ValueOrDie(), many[i]}) {
      const auto got = result.ToRecordBatch().ValueOrDie();
      ASSERT_TRUE(got->ValidateFull().ok()) << got->ValidateFull().ToString();
      EXPECT_TRUE(got->ApproxEquals(*want)) << got->ToString() << "\nbut pylance has\n" << want->ToString();
      EXPECT_EQ(result.rows.size(), 25U);
    }
  }
}

TEST_P(Rows, WhichColumnsOfASearchAndInWhichOrder) {
  const auto dataset = OpenCase(GetParam());
  SearchRequest request{.column = "vector", .query = kQueries[0], .k = 3};
  using Names = std::vector<std::string>;
  // What is asked for, and what pylance 14 makes of it.
  for (const auto& [asked, given] : std::vector<std::pair<Names, Names>>{{{}, {"_distance", "_rowid"}},
                                                                         {{"tags", "id"}, {"tags", "id", "_distance"}},
                                                                         {{"_distance", "id"}, {"_distance", "id"}},
                                                                         {{"_rowid"}, {"_rowid", "_distance"}},
                                                                         {{"_distance"}, {"_distance"}}}) {
    request.columns = asked;
    const auto result = dataset->Search(request).ValueOrDie();
    EXPECT_EQ(result.columns == nullptr, asked.empty());
    const auto batch = result.ToRecordBatch().ValueOrDie();
    EXPECT_EQ(batch->schema()->field_names(), given);
    EXPECT_EQ(batch->num_rows(), 3);
  }
  const uint64_t requests = dataset->io_stats().total().requests;
  request.columns = {"id", "absent"};
  EXPECT_TRUE(dataset->Search(request).status().IsKeyError());
  for (const Names& twice : {Names{"id", "tags", "id"}, Names{"_distance", "_distance"}}) {
    request.columns = twice;
    EXPECT_TRUE(IsArgumentError(dataset->Search(request).status()));
  }
  EXPECT_EQ(dataset->io_stats().total().requests, requests);
  // None are found.
  request.columns = {"id", "_distance"};
  request.distance_below = -1;
  const auto nothing = dataset->Search(request).ValueOrDie().ToRecordBatch().ValueOrDie();
  EXPECT_EQ(nothing->num_rows(), 0);
  EXPECT_EQ(nothing->schema()->field_names(), request.columns);
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& one) {
  std::string name = std::filesystem::path(one.param).filename();
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pylance, Rows, ::testing::ValuesIn(testing::CasesIn(testing::FixtureFolder("rows"))), NameOf);

}  // namespace
}  // namespace fewter
