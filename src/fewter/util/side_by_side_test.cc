#include "fewter/util/side_by_side.h"

#include <atomic>
#include <vector>

#include <arrow/util/thread_pool.h>
#include <gtest/gtest.h>

#include "fewter/util/work_context.h"

namespace fewter {
namespace {

TEST(RunSideBySide, DoesEveryPieceOnce) {
  auto pool = arrow::internal::ThreadPool::Make(3).ValueOrDie();
  for (const size_t pieces : {0, 1, 2, 3, 100}) {
    std::vector<std::atomic<int>> done(pieces);
    RunSideBySide(pool.get(), pieces, [&](size_t piece) { ++done[piece]; });
    for (const auto& count : done) EXPECT_EQ(count, 1);
  }
}

TEST(RunSideBySide, DoesNotStopWhenThePoolWaitsForItself) {
  auto pool = arrow::internal::ThreadPool::Make(2).ValueOrDie();
  std::atomic<int> done{0};
  RunSideBySide(pool.get(), 8, [&](size_t) {
    RunSideBySide(pool.get(), 8, [&](size_t) { RunSideBySide(pool.get(), 2, [&](size_t) { ++done; }); });
  });
  EXPECT_EQ(done, 8 * 8 * 2);
}

TEST(RunSideBySide, HelpersWorkForWhomTheCallerWorks) {
  const auto pool = arrow::internal::ThreadPool::Make(3).ValueOrDie();
  int query = 0;
  std::atomic<int> right{0};
  {
    const WorkContext::Scope scope(WorkContext::kIoQuery, &query);
    RunSideBySide(pool.get(), 50, [&](size_t) { right += WorkContext::Get(WorkContext::kIoQuery) == &query ? 1 : 0; });
  }
  EXPECT_EQ(right, 50);
  RunSideBySide(pool.get(), 50, [&](size_t) { right += WorkContext::Get(WorkContext::kIoQuery) == nullptr ? 1 : 0; });
  EXPECT_EQ(right, 100);
}

TEST(TrySideBySide, DoesAllWorkAndTellsTheFirstErrorInOrder) {
  const auto pool = arrow::internal::ThreadPool::Make(2).ValueOrDie();
  std::atomic<int> done{0};
  const auto work = [&](size_t piece) {
    ++done;
    return piece % 3 == 2 ? arrow::Status::Invalid("piece ", piece) : arrow::Status::OK();
  };
  EXPECT_EQ(TrySideBySide(pool.get(), 30, work).message(), "piece 2");
  EXPECT_EQ(done, 30);
  EXPECT_TRUE(TrySideBySide(pool.get(), 2, work).ok());
}

}  // namespace
}  // namespace fewter
