/// What a search is restricted to, and what it is asked for besides, on datasets that make_parity_fixtures.py wrote:
/// fragments, segments, several queries, several threads, more partitions if too little is found.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_filters.h"
#include "fewter/util/argument_error.h"
#include "fixtures.h"

namespace fewter {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr uint32_t kAllPartitions = 100;

std::shared_ptr<Dataset> OpenCase(const std::string& name) {
  return Dataset::Open((testing::FixtureFolder("parity") / name / "dataset.lance").string()).ValueOrDie();
}

SearchRequest RequestFor(const Dataset& dataset, uint64_t row) {
  return {
      .column = "vector", .query = dataset.ReadVector("vector", row).ValueOrDie(), .k = 10, .nprobes = kAllPartitions};
}

std::vector<Neighbor> RowsOf(const Dataset& dataset, const SearchRequest& request) {
  auto result = dataset.Search(request);
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  return result.ok() ? result->rows : std::vector<Neighbor>{};
}

TEST(Search, ManyQueriesAreAnsweredAsOneByOne) {
  for (const char* name : {"combined_ivf_pq8_l2", "combined_ivf_rq5_dot", "combined_ivf_hnsw_sq_dot"}) {
    const auto dataset = OpenCase(name);
    SearchRequest request = RequestFor(*dataset, 0);
    std::vector<std::vector<float>> queries;
    for (const uint64_t row : {1, 700, 30, 1}) queries.push_back(dataset->ReadVector("vector", row).ValueOrDie());
    const auto results = dataset->SearchMany(request, queries);
    ASSERT_TRUE(results.ok()) << results.status();
    ASSERT_EQ(results->size(), queries.size());
    for (size_t i = 0; i < queries.size(); ++i) {
      request.query = queries[i];
      EXPECT_EQ((*results)[i].rows, RowsOf(*dataset, request)) << name << ", query " << i;
    }
    EXPECT_NE((*results)[0].rows, (*results)[1].rows);
    EXPECT_TRUE(dataset->SearchMany(request, {}).ValueOrDie().empty());
    queries.back().pop_back();
    EXPECT_TRUE(IsArgumentError(dataset->SearchMany(request, queries).status()));
  }
}

TEST(Search, SegmentsAloneAndMergedFindWhatAllFind) {
  for (const char* name : {"combined_ivf_flat_l2", "combined_ivf_pq4_cosine", "combined_ivf_sq_dot"}) {
    const auto dataset = OpenCase(name);
    const auto segments = dataset->DescribeIndex("vector_idx").ValueOrDie();
    ASSERT_EQ(segments.size(), 2U);
    SearchRequest request = RequestFor(*dataset, 3);
    request.indexed_rows_only = true;
    const auto all = RowsOf(*dataset, request);
    // Which leaves out uncovered rows by itself.
    request.indexed_rows_only = false;
    std::vector<SearchResult> parts;
    for (const auto& segment : segments) {
      request.segments = {segment.uuid};
      parts.push_back(dataset->Search(request).ValueOrDie());
      EXPECT_EQ(parts.back().counts.partitions_searched, segment.num_partitions);
    }
    EXPECT_NE(parts[0].rows, parts[1].rows);
    EXPECT_EQ(MergeNearest(parts, request.k), all) << name;
    EXPECT_EQ(MergeNearest(parts, 1).size(), 1U);
    request.segments = {segments[0].uuid, segments[1].uuid};
    EXPECT_EQ(RowsOf(*dataset, request), all) << name;
  }
}

TEST(Search, SegmentsThatAreNotThereAreNamed) {
  const auto dataset = OpenCase("combined_ivf_flat_l2");
  SearchRequest request = RequestFor(*dataset, 3);
  request.segments = {"01234567-89ab-cdef-0123-456789abcdef"};
  const arrow::Status unknown = dataset->Search(request).status();
  EXPECT_TRUE(unknown.IsKeyError());
  EXPECT_THAT(unknown.message(), HasSubstr("01234567-89ab-cdef-0123-456789abcdef"));
  request.segments = std::vector<std::string>{};
  EXPECT_TRUE(IsArgumentError(dataset->Search(request).status()));
}

TEST(Search, NamesThatThereAreNotAreAnsweredWithThoseThatThereAre) {
  const auto dataset = OpenCase("combined_ivf_flat_l2");
  const SearchRequest request = RequestFor(*dataset, 3);
  const auto said = [&](auto&& change) {
    SearchRequest changed = request;
    change(&changed);
    const arrow::Status status = dataset->Search(changed).status();
    EXPECT_TRUE(status.IsKeyError()) << status;
    return status.message();
  };
  EXPECT_THAT(said([](auto* r) { r->column = "Vectro"; }), EndsWith("no column 'Vectro'; did you mean 'vector'?"));
  EXPECT_THAT(said([](auto* r) { r->column = "x"; }), EndsWith("no column 'x'; there are: id, vector"));
  EXPECT_THAT(said([](auto* r) { r->columns = {"vecto"}; }), EndsWith("no column 'vecto'; did you mean 'vector'?"));
  EXPECT_EQ(said([](auto* r) { r->index = "vector_ixd"; }),
            "column 'vector' has no vector index called 'vector_ixd'; did you mean 'vector_idx'?");
  EXPECT_EQ(dataset->DescribeIndex("other").status().message(),
            "the dataset has no vector index called 'other'; there are: vector_idx");
}

TEST(Search, FragmentsAloneAndMergedFindWhatAllFind) {
  // Row ids are addresses in the first two and stable in the others; refining makes all distances exact.
  for (const char* name :
       {"combined_ivf_flat_l2", "combined_ivf_sq_cosine", "combined_ivf_flat_cosine", "combined_ivf_sq_l2"}) {
    const auto dataset = OpenCase(name);
    SearchRequest request = RequestFor(*dataset, 3);
    request.refine_factor = 100;
    const auto all = RowsOf(*dataset, request);
    std::vector<SearchResult> parts;
    std::set<uint64_t> seen;
    for (const auto& fragment : dataset->manifest().fragments) {
      request.fragments = {fragment.id};
      parts.push_back(dataset->Search(request).ValueOrDie());
      EXPECT_EQ(parts.back().rows.size(), 10U) << name;
      for (const Neighbor& row : parts.back().rows) {
        EXPECT_TRUE(seen.insert(row.row_id).second) << name << ": in two fragments: " << row.row_id;
        if (!dataset->manifest().has_stable_row_ids()) {
          EXPECT_EQ(row.row_id >> 32, fragment.id);
        }
      }
    }
    EXPECT_GE(parts.size(), 4U);
    EXPECT_EQ(MergeNearest(parts, request.k), all) << name;
    request.fragments = {1000};
    EXPECT_TRUE(RowsOf(*dataset, request).empty());
    request.use_index = false;
    request.metric = dataset->DescribeIndex("vector_idx").ValueOrDie().front().metric;
    request.fragments = {dataset->manifest().fragments[1].id};
    EXPECT_EQ(RowsOf(*dataset, request), parts[1].rows) << name;
  }
}

TEST(Search, MorePartitionsAreSearchedWhileTooLittleIsFound) {
  for (const char* name : {"options_ivf_flat_l2_address", "options_ivf_pq_l2_stable", "combined_ivf_hnsw_flat_l2"}) {
    const auto dataset = OpenCase(name);
    SearchRequest request = RequestFor(*dataset, 3);
    request.indexed_rows_only = true;
    std::vector<uint64_t> allowed;
    for (uint64_t id = 0; id < 200; id += 20) allowed.push_back(id);
    request.prefilter = AllowRows(allowed);
    const auto everywhere = dataset->Search(request).ValueOrDie();
    ASSERT_GE(everywhere.rows.size(), 5U) << name;
    request.nprobes = 1;
    const auto first = dataset->Search(request).ValueOrDie();
    EXPECT_LT(first.rows.size(), everywhere.rows.size()) << name;
    request.max_nprobes = kAllPartitions;
    const auto widened = dataset->Search(request).ValueOrDie();
    EXPECT_EQ(widened.rows.size(), everywhere.rows.size()) << name;
    EXPECT_EQ(widened.counts.partitions_searched, everywhere.counts.partitions_searched);
    request.k = 1;
    request.prefilter = nullptr;
    const auto enough = dataset->Search(request).ValueOrDie();
    EXPECT_EQ(enough.counts.partitions_searched, first.counts.partitions_searched) << name;
  }
}

TEST(Search, SeveralThreadsFindWhatOneFinds) {
  for (const char* name : {"combined_ivf_flat_l2", "combined_ivf_pq8_cosine", "combined_ivf_pq4_dot",
                           "combined_ivf_sq_l2", "combined_ivf_rq1_cosine", "combined_ivf_hnsw_flat_dot",
                           "combined_ivf_hnsw_pq8_l2", "combined_ivf_flat_hamming"}) {
    const auto dataset = OpenCase(name);
    SearchRequest request = RequestFor(*dataset, 3);
    request.indexed_rows_only = true;
    const auto expected = RowsOf(*dataset, request);
    for (const int32_t threads : {-1, 1, 2, 1000}) {
      request.query_parallelism = threads;
      EXPECT_EQ(RowsOf(*dataset, request), expected) << name << ", " << threads << " threads";
    }
    request.query_parallelism = -2;
    EXPECT_TRUE(IsArgumentError(dataset->Search(request).status()));
  }
}

}  // namespace
}  // namespace fewter
