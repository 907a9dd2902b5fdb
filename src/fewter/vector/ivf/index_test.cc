#include "fewter/vector/ivf/index.h"

#include <algorithm>
#include <thread>

#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>
#include <gtest/gtest.h>

#include "fewter/cache/memory_backend.h"
#include "fewter/cache/serialising_backend.h"
#include "fewter/vector/ivf/ivf_test_data_internal.h"

namespace fewter {
namespace {

using ivf_test::FakeReader;

/// An index over the fake reader, and the cache behind it.
struct Fixture {
  explicit Fixture(StorageKind kind, Metric metric = Metric::kL2,
                   std::shared_ptr<CacheBackend> cache = MakeMemoryBackend(1 << 20))
      : backend(std::move(cache)),
        state(ivf_test::MakeState(kind, metric)),
        reader(std::make_shared<FakeReader>(*state->quantizer)),
        index(state, WeakCache(Cache(backend)), reader,
              {.io = arrow::io::default_io_context().executor(), .cpu = arrow::internal::GetCpuThreadPool()}) {}

  std::vector<Neighbor> Search(uint32_t k, uint32_t nprobes, const RowFilter* filter = nullptr) {
    return index.Search(query.data(), {.k = k, .nprobes = nprobes, .filter = filter}).ValueOrDie();
  }

  std::vector<Neighbor> SearchWith(IvfSearchOptions options) {
    return index.Search(query.data(), options).ValueOrDie();
  }

  std::vector<float> query = ivf_test::Random(ivf_test::kDimension, 9);
  std::shared_ptr<CacheBackend> backend;
  std::shared_ptr<IvfIndexState> state;
  std::shared_ptr<FakeReader> reader;
  IvfIndex index;
};

TEST(IvfIndex, FindsWhatAScalarScanFinds) {
  Fixture flat(StorageKind::kFlat);
  const auto rows = ivf_test::Random(76 * ivf_test::kDimension, 3);
  std::vector<Neighbor> expected;
  for (uint64_t row = 0; row < 76; ++row) {
    float sum = 0;
    for (uint32_t i = 0; i < ivf_test::kDimension; ++i) {
      const float difference = flat.query[i] - rows[row * ivf_test::kDimension + i];
      sum += difference * difference;
    }
    expected.push_back({sum, 100 + row});
  }
  std::sort(expected.begin(), expected.end(), Nearer);
  const auto found = flat.Search(12, 4);
  ASSERT_EQ(found.size(), 12U);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].row_id, expected[i].row_id);
    EXPECT_NEAR(found[i].distance, expected[i].distance, 1e-4);
  }
}

TEST(IvfIndex, EmptyPartitionsAreNeitherReadNorCached) {
  Fixture flat(StorageKind::kFlat);
  EXPECT_EQ(flat.Search(1000, 4).size(), 76U);
  EXPECT_EQ(flat.reader->reads, 3);
  EXPECT_EQ(flat.index.partitions_loaded(), 3U);
  EXPECT_EQ(flat.backend->Stats().entries, 3U);
}

TEST(IvfIndex, PartitionsComeFromTheCacheAfterPrewarm) {
  for (const auto kind : {StorageKind::kFlat, StorageKind::kPq}) {
    Fixture live(kind);
    Fixture bytes(kind, Metric::kL2, MakeSerialisingBackend());
    for (Fixture* fixture : {&live, &bytes}) {
      ASSERT_TRUE(fixture->index.Prewarm().first_error.ok());
      EXPECT_EQ(fixture->reader->reads, 3);
      fixture->reader->fail = true;
      EXPECT_EQ(fixture->Search(20, 4).size(), 20U);
      EXPECT_EQ(fixture->reader->reads, 3);
    }
    EXPECT_EQ(live.Search(20, 4), bytes.Search(20, 4));
  }
}

TEST(IvfIndex, PrewarmKeepsToItsLimits) {
  Fixture flat(StorageKind::kFlat);
  const auto nothing = flat.index.Prewarm({}, {.max_bytes = 0});
  EXPECT_EQ(nothing.partitions, 3U);
  EXPECT_EQ(nothing.loaded + nothing.failed, 0U);
  const uint64_t file_bytes = flat.state->storage_file.size;
  uint64_t bytes = 0;
  const auto count = [&](const PrewarmProgress& one) { bytes = one.bytes_read; };
  const auto some = flat.index.Prewarm({}, {.max_bytes = file_bytes / 2, .progress = count});
  EXPECT_GT(some.loaded, 0U);
  EXPECT_LT(some.loaded, 3U);
  EXPECT_LE(bytes, file_bytes / 2);
  flat.backend->Clear();
  const int reads_before = flat.reader->reads;
  arrow::StopSource stop;
  stop.RequestStop();
  EXPECT_TRUE(flat.index.Prewarm({}, {.stop_token = stop.token()}).first_error.IsCancelled());
  EXPECT_EQ(flat.reader->reads, reads_before);
  std::vector<PrewarmProgress> seen;
  const auto all = flat.index.Prewarm({}, {.progress = [&](const PrewarmProgress& one) { seen.push_back(one); }});
  EXPECT_EQ(all.loaded, 3U);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().partitions_done, flat.state->model->num_partitions());
  EXPECT_EQ(seen.back().partitions, seen.back().partitions_done);
}

TEST(IvfIndex, APartitionThatCannotBeReadFailsTheSearchAndIsTriedAgain) {
  Fixture flat(StorageKind::kFlat);
  flat.reader->fail = true;
  const auto failed = flat.index.Search(flat.query.data(), {.k = 5, .nprobes = 4, .filter = nullptr});
  EXPECT_TRUE(failed.status().IsIOError());
  EXPECT_EQ(flat.backend->Stats().entries, 0U);
  flat.reader->fail = false;
  EXPECT_EQ(flat.Search(5, 4).size(), 5U);
}

TEST(IvfIndex, BoundsAreCheckedBeforeTheCacheIsAsked) {
  Fixture flat(StorageKind::kFlat);
  EXPECT_TRUE(flat.index.GetPartition(4).status().IsIndexError());
  EXPECT_EQ(flat.backend->Stats().misses, 0U);
  EXPECT_EQ(flat.reader->reads, 0);
}

TEST(IvfIndex, AnEntryOfAnotherShapeIsReadAgain) {
  Fixture flat(StorageKind::kFlat);
  Fixture pq(StorageKind::kPq, Metric::kL2, flat.backend);
  const auto first = flat.Search(10, 4);
  // The same namespace and keys, so that the second index finds the first one's partitions.
  EXPECT_EQ(pq.Search(10, 4).size(), 10U);
  EXPECT_EQ(pq.reader->reads, 3);
  EXPECT_EQ(flat.Search(10, 4), first);
}

TEST(IvfIndex, WorksOnWhenItsCacheIsGone) {
  Fixture flat(StorageKind::kFlat);
  const auto before = flat.Search(10, 4);
  flat.backend.reset();
  EXPECT_EQ(flat.Search(10, 4), before);
  EXPECT_EQ(flat.reader->reads, 6);
}

class OnlyEvenRows : public RowFilter {
 public:
  bool Allows(uint64_t row_id) const override { return row_id % 2 == 0; }
};

TEST(IvfIndex, FilterLeavesRowsOut) {
  Fixture flat(StorageKind::kFlat);
  const OnlyEvenRows filter;
  const auto rows = flat.Search(100, 4, &filter);
  EXPECT_EQ(rows.size(), 38U);
  for (const auto& row : rows) EXPECT_EQ(row.row_id % 2, 0U);
}

/// Deletes odd rows, among them the only one of the last partition, and most of the largest; the others get new ids.
class EvenRowsMove : public RowMoves {
 public:
  std::optional<uint64_t> NewId(uint64_t row_id) const override {
    if (row_id % 2 == 1 || (row_id >= 113 && row_id < 175)) return std::nullopt;
    return row_id + 900;
  }
};

TEST(IvfIndex, MovedRowsAreFoundUnderTheirNewIds) {
  for (const auto kind : {StorageKind::kFlat, StorageKind::kPq}) {
    Fixture unmoved(kind, Metric::kL2, MakeSerialisingBackend());
    const WeakCache cache(Cache(unmoved.backend).Child("moves"));
    const IvfExecutors executors{.io = arrow::io::default_io_context().executor(),
                                 .cpu = arrow::internal::GetCpuThreadPool()};
    const IvfIndex index(unmoved.state, cache, unmoved.reader, executors, std::make_shared<EvenRowsMove>());
    std::vector<Neighbor> expected;
    for (Neighbor row : unmoved.Search(100, 4)) {
      const auto now = EvenRowsMove().NewId(row.row_id);
      if (now) expected.push_back({row.distance, *now});
    }
    const auto search = [&] { return index.Search(unmoved.query.data(), {.k = 100, .nprobes = 4}).ValueOrDie(); };
    EXPECT_EQ(search(), expected);
    EXPECT_EQ(expected.size(), 7U);
    EXPECT_EQ(unmoved.reader->reads, 6);
    EXPECT_EQ(search(), expected) << "partitions that have lost rows are taken from the cache";
    EXPECT_EQ(unmoved.reader->reads, 6);
    EXPECT_TRUE(index.Prewarm().first_error.ok());
    EXPECT_EQ(unmoved.reader->reads, 6);
  }
}

TEST(IvfIndex, ManyThreadsReadEachPartitionOnce) {
  Fixture flat(StorageKind::kFlat);
  const auto expected = Fixture(StorageKind::kFlat).Search(10, 4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) EXPECT_EQ(flat.Search(10, 4), expected);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(flat.reader->reads, 3);
}

TEST(IvfIndex, SeveralThreadsFindWhatOneFinds) {
  const OnlyEvenRows filter;
  for (const auto kind : {StorageKind::kFlat, StorageKind::kPq}) {
    Fixture fixture(kind);
    for (uint32_t k : {1, 10, 100}) {
      for (const RowFilter* rows : {static_cast<const RowFilter*>(nullptr), static_cast<const RowFilter*>(&filter)}) {
        IvfSearchOptions options{.k = k, .nprobes = 4, .filter = rows, .bytes_worth_a_thread = 1};
        IvfSearchCounts expected_counts, counts;
        const auto expected = fixture.index.Search(fixture.query.data(), options, &expected_counts).ValueOrDie();
        options.threads = 3;
        for (int round = 0; round < 20; ++round) {
          counts = {};
          EXPECT_EQ(fixture.index.Search(fixture.query.data(), options, &counts).ValueOrDie(), expected);
          EXPECT_EQ(counts.rows_scanned, expected_counts.rows_scanned);
        }
      }
    }
  }
}

TEST(IvfIndex, ManyQueriesFindWhatEachFindsAlone) {
  constexpr size_t kQueries = 300;
  const auto vectors = ivf_test::Random(kQueries * ivf_test::kDimension, 11);
  std::vector<const float*> queries;
  for (size_t i = 0; i < kQueries; ++i) queries.push_back(vectors.data() + i * ivf_test::kDimension);
  for (const auto kind : {StorageKind::kFlat, StorageKind::kPq}) {
    for (uint32_t threads : {1, 3}) {
      // Partition after partition, and query after query.
      for (int64_t bytes_beyond_caches : {0, 1 << 20}) {
        Fixture fixture(kind);
        const IvfSearchOptions options{
            .k = 7, .nprobes = 2, .threads = threads, .bytes_beyond_caches = bytes_beyond_caches};
        std::vector<IvfSearchCounts> counts(kQueries);
        const auto found = fixture.index.SearchMany(queries, options, counts).ValueOrDie();
        ASSERT_EQ(found.size(), kQueries);
        EXPECT_LE(fixture.reader->reads, 3);
        for (size_t i = 0; i < kQueries; ++i) {
          IvfSearchCounts alone;
          EXPECT_EQ(found[i], fixture.index.Search(queries[i], {.k = 7, .nprobes = 2}, &alone).ValueOrDie());
          EXPECT_EQ(counts[i].rows_scanned, alone.rows_scanned);
          EXPECT_EQ(counts[i].partitions_searched, alone.partitions_searched);
        }
      }
    }
  }
}

TEST(IvfIndex, ManyQueriesReadEachPartitionOnceEvenIfNothingIsKept) {
  constexpr size_t kQueries = 40;
  const auto vectors = ivf_test::Random(kQueries * ivf_test::kDimension, 12);
  std::vector<const float*> queries;
  for (size_t i = 0; i < kQueries; ++i) queries.push_back(vectors.data() + i * ivf_test::kDimension);
  Fixture fixture(StorageKind::kFlat, Metric::kL2, MakeMemoryBackend(0));
  EXPECT_TRUE(fixture.index.SearchMany(queries, {.nprobes = 4, .bytes_worth_sharing = 0}).ok());
  EXPECT_EQ(fixture.index.partitions_loaded(), 3U);
}

TEST(IvfIndex, APartitionThatCannotBeReadFailsManyQueries) {
  for (int64_t bytes_worth_sharing : {0, 1 << 20}) {
    Fixture flat(StorageKind::kFlat);
    flat.reader->fail = true;
    const std::vector<const float*> queries(5, flat.query.data());
    const IvfSearchOptions options{.nprobes = 4, .threads = 2, .bytes_worth_sharing = bytes_worth_sharing};
    EXPECT_TRUE(flat.index.SearchMany(queries, options).status().IsIOError());
    flat.reader->fail = false;
    EXPECT_EQ(flat.index.SearchMany(queries, options).ValueOrDie().size(), 5U);
    EXPECT_TRUE(flat.index.SearchMany({}, options).ValueOrDie().empty());
  }
}

}  // namespace
}  // namespace fewter
