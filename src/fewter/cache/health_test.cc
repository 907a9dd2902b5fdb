#include "fewter/cache/health.h"

#include <gtest/gtest.h>

namespace fewter {
namespace {

using std::chrono::milliseconds;

class TierHealthTest : public ::testing::Test {
 protected:
  TierHealth Make(int failures_to_bypass) {
    return TierHealth({.failures_to_bypass = failures_to_bypass,
                       .first_wait = milliseconds(100),
                       .longest_wait = milliseconds(300),
                       .now = [this] { return now_; }});
  }
  void Wait(int ms) { now_ += milliseconds(ms); }

  std::chrono::steady_clock::time_point now_{};
};

TEST_F(TierHealthTest, AFullDiskIsReadButNotWritten) {
  TierHealth health = Make(1);
  EXPECT_TRUE(health.MayWrite());
  health.WriteFailed(TierFault::kNoSpace, "full");
  EXPECT_EQ(health.Report().state, TierState::kReadOnly);
  EXPECT_FALSE(health.MayWrite());
  EXPECT_TRUE(health.MayRead());
  EXPECT_EQ(health.Report().faults[static_cast<size_t>(TierFault::kNoSpace)], 1U);
  EXPECT_EQ(health.Report().skipped, 1U);
  EXPECT_EQ(health.Report().last_message, "full");
}

TEST_F(TierHealthTest, OneProbeAtATimeDecides) {
  TierHealth health = Make(1);
  health.ReadFailed(TierFault::kUnreachable, "gone");
  EXPECT_EQ(health.Report().state, TierState::kBypassed);
  EXPECT_FALSE(health.MayRead());
  EXPECT_FALSE(health.MayWrite());
  Wait(126);
  EXPECT_TRUE(health.MayRead());
  EXPECT_EQ(health.Report().state, TierState::kProbing);
  EXPECT_FALSE(health.MayRead());
  health.ReadSucceeded();
  EXPECT_EQ(health.Report().state, TierState::kHealthy);
  EXPECT_TRUE(health.MayRead());
  EXPECT_TRUE(health.MayWrite());
}

TEST_F(TierHealthTest, WaitsLongerAfterEachFailedProbeUpToALimit) {
  TierHealth health = Make(1);
  health.ReadFailed(TierFault::kTimeout, "");
  const int longest[] = {126, 251, 376, 376};
  for (const int wait : longest) {
    EXPECT_FALSE(health.MayRead());
    Wait(wait);
    ASSERT_TRUE(health.MayRead());
    health.ReadFailed(TierFault::kTimeout, "");
  }
  Wait(200);
  EXPECT_FALSE(health.MayRead());
}

TEST_F(TierHealthTest, FailuresUnderWayDoNotLengthenTheWait) {
  TierHealth health = Make(1);
  for (int i = 0; i < 10; ++i) health.ReadFailed(TierFault::kTimeout, "");
  Wait(126);
  EXPECT_TRUE(health.MayRead());
}

TEST_F(TierHealthTest, ReadsAreBypassedAfterSeveralFailuresInARow) {
  TierHealth health = Make(3);
  health.ReadFailed(TierFault::kIo, "");
  health.ReadFailed(TierFault::kIo, "");
  health.ReadSucceeded();
  health.ReadFailed(TierFault::kIo, "");
  health.ReadFailed(TierFault::kIo, "");
  EXPECT_TRUE(health.MayRead());
  health.ReadFailed(TierFault::kIo, "");
  EXPECT_FALSE(health.MayRead());
}

TEST_F(TierHealthTest, AProbeThatIsNeverReportedIsForgotten) {
  TierHealth health = Make(1);
  health.WriteFailed(TierFault::kNoSpace, "");
  Wait(126);
  EXPECT_TRUE(health.MayWrite());
  EXPECT_FALSE(health.MayWrite());
  Wait(126);
  EXPECT_TRUE(health.MayWrite());
}

}  // namespace
}  // namespace fewter
