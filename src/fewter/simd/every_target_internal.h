#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <hwy/highway.h>

/// For the tests of this folder: each kernel runs on every instruction set that was compiled in and that the processor
/// has, not only on the best.

namespace fewter::simd {

/// A test that is repeated per instruction set. Restores the usual choice at the end.
class EveryTarget : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { Choose(GetParam()); }
  void TearDown() override { Choose(0); }

 private:
  static void Choose(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline std::string TargetTestName(const testing::TestParamInfo<int64_t>& info) {
  return hwy::TargetName(info.param);
}

/// Instantiates the tests that a file wrote with TEST_P(EveryTarget, …) or a class derived from it.
#define FEWTER_FOR_EVERY_TARGET(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), TargetTestName)

}  // namespace fewter::simd
