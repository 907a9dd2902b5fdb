/// Filters over datasets of every scalar type, as pylance answers them (made by make_filters_fixtures.py).

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array/array_primitive.h>
#include <arrow/compute/expression.h>
#include <arrow/table.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fewter/cache/serialising_backend.h"
#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_filters.h"
#include "fewter/util/argument_error.h"
#include "fixtures.h"

namespace fewter {
namespace {

using Ids = std::vector<uint64_t>;

std::shared_ptr<const Filter> Parse(const std::string& condition) {
  return ParseFilter(condition).ValueOrDie();
}

Ids IdsOf(const SearchResult& result) {
  Ids ids;
  for (const auto& row : result.rows) ids.push_back(row.row_id);
  return ids;
}

class Filters : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path folder() const { return testing::FixtureFolder("filters"); }
  std::string uri() const { return (folder() / (GetParam() + ".lance")).string(); }
  std::shared_ptr<Dataset> Open(std::shared_ptr<Session> session = {}) const {
    return Dataset::Open(uri(), {.session = std::move(session)}).ValueOrDie();
  }
  nlohmann::json Answers() const { return nlohmann::json::parse(testing::ReadFile(folder() / (GetParam() + ".json"))); }
};

TEST_P(Filters, TakeTheRowsThatPylanceTakes) {
  const auto dataset = Open();
  const nlohmann::json answers = Answers();
  for (const auto& answer : answers["filters"]) {
    const std::string condition = answer["filter"];
    const auto ids = testing::IdsOfScan(*dataset, Parse(condition));
    ASSERT_TRUE(ids.ok()) << condition << ": " << ids.status().ToString();
    EXPECT_EQ(*ids, answer["ids"].get<Ids>()) << condition;
    EXPECT_EQ(dataset->CountRows(Parse(condition)).ValueOrDie(), answer["ids"].size()) << condition;
  }
}

TEST_P(Filters, SearchesFindTheSameRowsBeforeAndAfter) {
  const auto dataset = Open();
  const nlohmann::json answers = Answers();
  for (const auto& answer : answers["searches"]) {
    SearchRequest request{.column = "vector", .query = answer["query"], .k = 10, .nprobes = 4};
    request.filter = Parse(answer["filter"]);
    EXPECT_EQ(IdsOf(dataset->Search(request).ValueOrDie()), answer["before"].get<Ids>()) << answer["filter"];
    request.use_index = false;
    EXPECT_EQ(IdsOf(dataset->Search(request).ValueOrDie()), answer["before"].get<Ids>()) << answer["filter"];
    request.use_index = true;
    request.filter_after = true;
    EXPECT_EQ(IdsOf(dataset->Search(request).ValueOrDie()), answer["after"].get<Ids>()) << answer["filter"];
  }
}

TEST_P(Filters, JoinOtherLimitsOfASearch) {
  const auto dataset = Open();
  const auto filter = Parse("u8 < 128");
  const Ids allowed = testing::IdsOfScan(*dataset, filter).ValueOrDie();
  ASSERT_GT(allowed.size(), 20u);
  SearchRequest request{.column = "vector", .query = std::vector<float>(8, 0.5F), .k = 1000, .nprobes = 4};
  request.filter = filter;
  request.prefilter = AllowRows(std::span(allowed).first(15));
  Ids found = IdsOf(dataset->Search(request).ValueOrDie());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, Ids(allowed.begin(), allowed.begin() + 15));

  request.prefilter = nullptr;
  const Ids all = IdsOf(dataset->Search(request).ValueOrDie());
  Ids of_fragments;
  for (const auto& fragment : dataset->manifest().fragments) {
    request.fragments = {{fragment.id}};
    const Ids part = IdsOf(dataset->Search(request).ValueOrDie());
    EXPECT_LT(part.size(), all.size());
    of_fragments.insert(of_fragments.end(), part.begin(), part.end());
  }
  EXPECT_TRUE(std::is_permutation(all.begin(), all.end(), of_fragments.begin(), of_fragments.end()));
}

TEST_P(Filters, ColumnsOfTheFilterNeedNotBeReturned) {
  const auto dataset = Open();
  const auto filter = Parse("u8 < 100 AND text IS NOT NULL");
  const auto reader = dataset->Scan({.columns = {"u8", "text"}, .filter = filter}).ValueOrDie();
  uint64_t rows = 0;
  while (const auto batch = reader->Next().ValueOrDie()) {
    rows += static_cast<uint64_t>(batch->num_rows());
    EXPECT_EQ(batch->column(1)->null_count(), 0);
    const auto& numbers = static_cast<const arrow::UInt8Array&>(*batch->column(0));
    for (int64_t i = 0; i < numbers.length(); ++i) EXPECT_LT(numbers.Value(i), 100);
  }
  EXPECT_EQ(rows, dataset->CountRows(filter).ValueOrDie());
  EXPECT_GT(rows, 0u);
  EXPECT_EQ(dataset->Scan({.columns = {"f64"}, .filter = filter}).ValueOrDie()->ToTable().ValueOrDie()->num_rows(),
            static_cast<int64_t>(rows));
}

TEST_P(Filters, LookAtFragmentsAsTheirRowsAreAskedFor) {
  // Nearly all rows. A batch has those of a whole fragment, so that nothing is read ahead of the first.
  const ScanRequest request{.columns = {"i16"}, .filter = Parse("i32 > -5000"), .batch_size = 1000};
  const auto all = Open();
  EXPECT_GT(all->Scan(request).ValueOrDie()->ToTable().ValueOrDie()->num_rows(), 400);
  const auto few = Open();
  EXPECT_GT(few->Scan(request).ValueOrDie()->Next().ValueOrDie()->num_rows(), 0);
  EXPECT_LT(few->io_stats()[lance::IoKind::kData].requests, all->io_stats()[lance::IoKind::kData].requests / 2);
  // None, for which all have to be looked at; and what has no value only far behind.
  EXPECT_EQ(few->Scan({.filter = Parse("i32 > 5000")}).ValueOrDie()->Next().ValueOrDie(), nullptr);
  const auto last =
      "1 / (CAST(_rowaddr AS BIGINT) - " + std::to_string(few->manifest().fragments.back().id << 32) + ") = 0";
  const auto reader = few->Scan({.filter = Parse(last)}).ValueOrDie();
  EXPECT_GT(reader->Next().ValueOrDie()->num_rows(), 0);
  EXPECT_TRUE(IsArgumentError(reader->ToTable().status()));
}

TEST_P(Filters, WithoutOneAllRowsAreCounted) {
  const auto dataset = Open();
  EXPECT_EQ(dataset->CountRows().ValueOrDie(), dataset->RowIds().ValueOrDie().size());
  EXPECT_EQ(testing::IdsOfScan(*dataset, Parse("true")).ValueOrDie(), dataset->RowIds().ValueOrDie());
  EXPECT_TRUE(testing::IdsOfScan(*dataset, Parse("i8 = 1 AND NULL")).ValueOrDie().empty());
}

TEST_P(Filters, KnowIdsAndAddressesOfRows) {
  const auto dataset = Open();
  const Ids all = dataset->RowIds().ValueOrDie();
  EXPECT_EQ(testing::IdsOfScan(*dataset, Parse("_rowid = " + std::to_string(all[40]))).ValueOrDie(), Ids{all[40]});
  const auto second = dataset->manifest().fragments.at(1).id << 32;
  const auto in_first = testing::IdsOfScan(*dataset, Parse("_rowaddr < " + std::to_string(second))).ValueOrDie();
  EXPECT_EQ(in_first, Ids(all.begin(),
                          all.begin() + static_cast<std::ptrdiff_t>(dataset->manifest().fragments.at(0).live_rows())));
}

TEST_P(Filters, AreEvaluatedOnceAndKept) {
  const auto session = Session::Make();
  const auto filter = Parse("i32 > 5 AND title LIKE 'a%'");
  const Ids ids = testing::IdsOfScan(*Open(session), filter).ValueOrDie();
  // Opened again, as another process with the same cache would.
  const auto again = Open(session);
  const auto before = again->io_stats()[lance::IoKind::kData];
  EXPECT_EQ(again->CountRows(filter).ValueOrDie(), ids.size());
  // What says the same in other words is the same entry.
  EXPECT_EQ(again->CountRows(Parse("(I32>5) and title like 'a%'")).ValueOrDie(), ids.size());
  EXPECT_EQ(again->io_stats()[lance::IoKind::kData].requests, before.requests);
  EXPECT_NE(again->CountRows(Parse("i32 > 6 AND title LIKE 'a%'")).ValueOrDie(), 0u);
  EXPECT_GT(again->io_stats()[lance::IoKind::kData].requests, before.requests);
}

TEST_P(Filters, ComeFromACacheOfBytes) {
  const auto backend = MakeSerialisingBackend();
  const auto filter = Parse("i32 > 5 AND title LIKE 'a%'");
  SearchRequest request{.column = "vector", .query = std::vector<float>(8, 0.5F), .k = 50, .nprobes = 4};
  request.filter = filter;
  const auto first = Open(Session::Make({.cache = backend}))->Search(request).ValueOrDie();
  EXPECT_FALSE(first.rows.empty());
  // As after a restart; only rows that no index covers are read.
  request.indexed_rows_only = true;
  const auto restarted = Open(Session::Make({.cache = backend}));
  const auto again = restarted->Search(request).ValueOrDie();
  EXPECT_EQ(again.io[lance::IoKind::kData], lance::IoCount());
  EXPECT_FALSE(again.rows.empty());
}

TEST_P(Filters, NameWhatIsWrong) {
  const auto dataset = Open();
  const auto status_of = [&](const std::string& condition) {
    const auto filter = ParseFilter(condition);
    return filter.ok() ? dataset->CountRows(*filter).status() : filter.status();
  };
  const auto absent = status_of("i8 > 0 AND nosuch = 1");
  EXPECT_TRUE(absent.IsKeyError());
  EXPECT_NE(absent.message().find("'nosuch'"), std::string::npos) << absent.ToString();
  EXPECT_TRUE(status_of("part.nosuch = 1").IsKeyError());
  for (const char* condition : {"i8", "1", "NULL", "text = 1", "i8 AND flag", "i8 + text > 1", "vector = 1"}) {
    EXPECT_TRUE(IsArgumentError(status_of(condition))) << condition << ": " << status_of(condition).ToString();
  }
  EXPECT_TRUE(IsArgumentError(status_of("i32 / 0 = 1")));
  SearchRequest request{.column = "vector", .query = std::vector<float>(8, 0.5F), .filter_after = true};
  EXPECT_TRUE(IsArgumentError(dataset->Search(request).status()));
}

INSTANTIATE_TEST_SUITE_P(Pylance, Filters, ::testing::Values("plain", "stable", "v2_0"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace fewter
