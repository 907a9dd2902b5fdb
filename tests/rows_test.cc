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

#include <gtest/gtest.h>

#include "fewter/dataset/dataset.h"
#include "fewter/util/argument_error.h"
#include "fixtures.h"

namespace fewter {
namespace {

std::shared_ptr<arrow::Table> LoadExpected(const std::string& folder) {
  const auto path = std::filesystem::path(folder) / "rows.arrow";
  auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  return arrow::ipc::RecordBatchFileReader::Open(file).ValueOrDie()->ToTable().ValueOrDie();
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
    const auto reader = dataset->Scan(NamesOf(*expected), batch_size).ValueOrDie();
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

TEST_P(Rows, AllColumnsOfTheTableUnlessSomeAreNamed) {
  const auto expected = LoadExpected(GetParam());
  const auto dataset = OpenCase(GetParam());
  std::vector<std::string> names = NamesOf(*expected);
  names.resize(names.size() - 2);
  EXPECT_EQ(dataset->Schema().ValueOrDie()->field_names(), names);
  EXPECT_EQ(dataset->Scan().ValueOrDie()->schema()->field_names(), names);
  EXPECT_TRUE(dataset->Scan({"absent"}).status().IsKeyError());
  EXPECT_TRUE(dataset->Scan({"pair.left"}).status().IsKeyError());
  EXPECT_TRUE(IsArgumentError(dataset->Scan({}, 0).status()));
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

std::string NameOf(const ::testing::TestParamInfo<std::string>& one) {
  std::string name = std::filesystem::path(one.param).filename();
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pylance, Rows, ::testing::ValuesIn(testing::CasesIn(testing::FixtureFolder("rows"))), NameOf);

}  // namespace
}  // namespace fewter
