/// A dataset that others write to while it is searched.

#include <chrono>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "fewter/dataset/latest_dataset.h"
#include "fewter/util/argument_error.h"
#include "fixtures.h"

namespace fewter {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;

/// A copy of a dataset whose newest version is not there yet.
class LatestDatasetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto from = testing::FixtureFolder("parity") / "deleted_address_ivf_flat" / "dataset.lance";
    std::filesystem::copy(from, uri_, std::filesystem::copy_options::recursive);
    latest_ = Dataset::Open(uri_).ValueOrDie()->manifest();
    std::filesystem::rename(uri_ + "/" + latest_.path, uri_ + "/newest");
  }
  void WriteNewest() const { std::filesystem::rename(uri_ + "/newest", uri_ + "/" + latest_.path); }

  testing::TemporaryFolder folder_;
  const std::string uri_ = (folder_.path() / "dataset.lance").string();
  lance::Manifest latest_;
};

TEST_F(LatestDatasetTest, TakesUpANewVersionInTheBackground) {
  const auto latest = LatestDataset::Open(uri_, {}, 0ns).ValueOrDie();
  const auto old = latest->Get();
  EXPECT_EQ(old->manifest().version, latest_.version - 1);
  WriteNewest();
  for (int i = 0; i < 2'000 && latest->Get()->manifest().version != latest_.version; ++i) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(latest->Get()->manifest().version, latest_.version);
  // Who has the old one keeps it.
  EXPECT_EQ(old->RowIds().ValueOrDie().size(), old->manifest().live_rows());
}

TEST_F(LatestDatasetTest, LooksNoOftenerThanItWasTold) {
  const auto latest = LatestDataset::Open(uri_, {}, 1h).ValueOrDie();
  const auto requests = latest->Get()->io_stats().total().requests;
  WriteNewest();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(latest->Get()->manifest().version, latest_.version - 1);
  EXPECT_EQ(latest->Get()->io_stats().total().requests, requests);
  ASSERT_TRUE(latest->Refresh().ok());
  EXPECT_EQ(latest->Get()->manifest().version, latest_.version);
}

TEST_F(LatestDatasetTest, KeepsWhatItHasWhenTheStoreFails) {
  const auto latest = LatestDataset::Open(uri_, {}, 1h).ValueOrDie();
  std::filesystem::remove_all(uri_ + "/_versions");
  EXPECT_TRUE(latest->Refresh().IsKeyError());
  EXPECT_TRUE(latest->last_error().IsKeyError());
  EXPECT_EQ(latest->Get()->manifest().version, latest_.version - 1);
  EXPECT_TRUE(IsArgumentError(LatestDataset::Open(uri_, {.version = 1}, 1h).status()));
}

}  // namespace
}  // namespace fewter
