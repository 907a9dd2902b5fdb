#include "fewter/cache/registry/registry.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "fewter/cache/cache.h"
#include "fewter/cache/memory_backend.h"
#include "fewter/cache/test_values_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

using testing::Text;
using testing::TextKey;

class CacheRegistry : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() /
      ("fewter_registry_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(CacheRegistry, KnowsItsKinds) {
  EXPECT_EQ(OpenCacheBackend("memory://").ValueOrDie()->kind(), "memory");
  EXPECT_EQ(OpenCacheBackend("memory://?capacity=10MiB").ValueOrDie()->kind(), "memory");
  EXPECT_EQ(OpenCacheBackend("disk://" + folder_.string() + "?capacity=1GiB&copy=true").ValueOrDie()->kind(), "disk");
  EXPECT_TRUE(OpenCacheBackend("none").ok());
  EXPECT_EQ(CacheKinds().front(), "disk");
}

TEST_F(CacheRegistry, NamesWhatIsWrong) {
  for (const char* wrong : {"", "memory", "memory://host", "memory://?capacity=lots", "memory://?size=1", "floppy:///a",
                            "disk://", "disk://relative/path", "disk:///tmp/x?size=1", "disk:///tmp/x?copy=maybe",
                            "redis://host?nonsense=1", "memory://,floppy:///a", "Memory://", "memory://?capacity"}) {
    const auto result = OpenCacheBackend(wrong);
    EXPECT_TRUE(IsArgumentError(result.status())) << wrong << ": " << result.status().ToString();
  }
  EXPECT_NE(OpenCacheBackend("floppy:///a").status().message().find("memory://"), std::string::npos);
}

TEST_F(CacheRegistry, CutsTiersWhereAKindBegins) {
  using Tiers = std::vector<std::string>;
  EXPECT_EQ(SplitTiers("memory://"), Tiers{"memory://"});
  EXPECT_EQ(SplitTiers("memory://?capacity=1GiB,disk:///a,b/c,redis+unix:///s"),
            (Tiers{"memory://?capacity=1GiB", "disk:///a,b/c", "redis+unix:///s"}));
  EXPECT_EQ(SplitTiers("redis://h1:7000,h2:7001/?cluster=true,disk:///a"),
            (Tiers{"redis://h1:7000,h2:7001/?cluster=true", "disk:///a"}));
}

TEST_F(CacheRegistry, TiersKeepEntriesOnDisk) {
  const std::string uri = "memory://?capacity=10MiB,disk://" + folder_.string();
  {
    const Cache cache(OpenCacheBackend(uri).ValueOrDie());
    EXPECT_EQ(cache.backend()->kind(), "tiered");
    cache.Insert(TextKey{1}, Text::Make("kept"));
  }
  const Cache cache(OpenCacheBackend(uri).ValueOrDie());
  const auto value = cache.Get(TextKey{1});
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(value->ToString(), "kept");
}

TEST_F(CacheRegistry, TakesKindsOfOthers) {
  int opened = 0;
  const auto opener = [&](const std::string& uri) -> arrow::Result<std::shared_ptr<CacheBackend>> {
    EXPECT_EQ(uri, "floppy-disk:///dev/fd0");
    ++opened;
    return MakeMemoryBackend(1000);
  };
  ASSERT_TRUE(RegisterCacheKind("floppy-disk", opener).ok());
  EXPECT_TRUE(OpenCacheBackend("memory://,floppy-disk:///dev/fd0").ok());
  EXPECT_EQ(opened, 1);
  EXPECT_TRUE(IsArgumentError(RegisterCacheKind("floppy-disk", opener)));
  EXPECT_TRUE(IsArgumentError(RegisterCacheKind("Floppy", opener)));
  EXPECT_TRUE(IsArgumentError(RegisterCacheKind("", opener)));
}

}  // namespace
}  // namespace fewter
