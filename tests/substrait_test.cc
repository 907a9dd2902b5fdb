/// Filters in Substrait that pyarrow wrote, over the datasets of filters_test.cc.

#include <memory>
#include <string>
#include <vector>

#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fewter/dataset/dataset.h"
#include "fewter/substrait/substrait_filter.h"
#include "fewter/util/argument_error.h"
#include "fixtures.h"

namespace fewter {
namespace {

using Ids = std::vector<uint64_t>;

class Substrait : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Dataset> Open() const {
    return Dataset::Open((testing::FixtureFolder("filters") / (GetParam() + ".lance")).string()).ValueOrDie();
  }
  nlohmann::json Answers() const {
    const auto path = testing::FixtureFolder("filters") / (GetParam() + ".json");
    return nlohmann::json::parse(testing::ReadFile(path))["substrait"];
  }
};

std::string BytesOf(const nlohmann::json& answer) {
  const std::string digits = answer["substrait"];
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

arrow::Result<Ids> IdsOf(const Dataset& dataset, const std::string& message) {
  ARROW_ASSIGN_OR_RAISE(auto filter, ReadSubstraitFilter(*arrow::Buffer::FromString(message)));
  return testing::IdsOfScan(dataset, std::move(filter));
}

TEST_P(Substrait, FiltersTakeTheRowsThatPyarrowTakes) {
  const auto dataset = Open();
  for (const auto& answer : Answers()) {
    const auto ids = IdsOf(*dataset, BytesOf(answer));
    ASSERT_TRUE(ids.ok()) << answer["expression"] << ": " << ids.status().ToString();
    EXPECT_EQ(*ids, answer["ids"].get<Ids>()) << answer["expression"];
  }
}

TEST_P(Substrait, WhatIsNoFilterIsRefused) {
  const auto dataset = Open();
  const std::string message = BytesOf(Answers().front());
  EXPECT_TRUE(IsArgumentError(IdsOf(*dataset, "").status()));
  EXPECT_TRUE(IsArgumentError(IdsOf(*dataset, "no message").status()));
  EXPECT_TRUE(IsArgumentError(IdsOf(*dataset, message.substr(0, message.size() / 2)).status()));
  // Of another table.
  std::string renamed = message;
  renamed.replace(renamed.rfind("i32"), 3, "j32");
  EXPECT_TRUE(IdsOf(*dataset, renamed).status().IsKeyError());
}

INSTANTIATE_TEST_SUITE_P(Pyarrow, Substrait, ::testing::Values("plain", "stable", "v2_0"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace fewter
