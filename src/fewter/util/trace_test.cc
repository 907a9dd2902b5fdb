#include "fewter/util/trace.h"

#include <algorithm>

#include <arrow/util/thread_pool.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/util/side_by_side.h"

namespace fewter {
namespace {

TEST(Trace, SpansAreNestedAsTheirScopesAre) {
  std::vector<Trace> traces;
  const TraceListener listener = [&](const Trace& trace) { traces.push_back(trace); };
  {
    TraceRoot root("search", listener);
    root.span().Set("fewter.k", int64_t{10});
    {
      TracedSpan open("open");
      TracedSpan read("read");
      read.SetStatus(arrow::Status::IOError("gone"));
    }
    TracedSpan load("load");
    EXPECT_TRUE(load.is_traced());
    EXPECT_TRUE(traces.empty());
  }
  ASSERT_EQ(traces.size(), 1U);
  const Trace& trace = traces.front();
  ASSERT_EQ(trace.size(), 4U);
  EXPECT_EQ(trace[0].name, "search");
  EXPECT_EQ(trace[0].parent, std::nullopt);
  ASSERT_EQ(trace[0].attributes.size(), 1U);
  EXPECT_EQ(trace[0].attributes[0].second, Span::Value(int64_t{10}));
  EXPECT_EQ(trace[1].parent, 0U);
  EXPECT_EQ(trace[2].parent, 1U);
  EXPECT_EQ(trace[2].status.message(), "gone");
  EXPECT_EQ(trace[3].name, "load");
  EXPECT_EQ(trace[3].parent, 0U);
  for (const Span& span : trace) {
    EXPECT_LE(trace[0].begin, span.begin);
    EXPECT_LE(span.begin, span.end);
    EXPECT_LE(span.end, trace[0].end);
  }
}

TEST(Trace, NothingIsTracedWithoutAListener) {
  TraceRoot root("search", TraceListener());
  const TracedSpan span("read");
  EXPECT_FALSE(root.span().is_traced());
  EXPECT_FALSE(span.is_traced());
}

TEST(Trace, SpansOfHelpingThreadsAreParts) {
  constexpr size_t kPieces = 100;
  Trace trace;
  const TraceListener listener = [&](const Trace& ended) { trace = ended; };
  {
    TraceRoot root("search", listener);
    RunSideBySide(
        arrow::internal::GetCpuThreadPool(), kPieces,
        [](size_t i) {
          TracedSpan span("piece");
          span.Set("number", static_cast<int64_t>(i));
        },
        4);
  }
  ASSERT_EQ(trace.size(), kPieces + 1);
  std::vector<int64_t> numbers;
  for (size_t i = 1; i < trace.size(); ++i) {
    EXPECT_EQ(trace[i].parent, 0U);
    numbers.push_back(std::get<int64_t>(trace[i].attributes.at(0).second));
  }
  std::ranges::sort(numbers);
  for (size_t i = 0; i < kPieces; ++i) EXPECT_EQ(numbers[i], static_cast<int64_t>(i));
}

}  // namespace
}  // namespace fewter
