#include "fewter/filter/filter.h"

#include <memory>

#include <arrow/compute/api_scalar.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/bit_util.h>

#include <gtest/gtest.h>

#include "fewter/filter/bound_filter.h"
#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

namespace cp = arrow::compute;

const auto kTable = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::float64()),
                                   arrow::field("s", arrow::struct_({arrow::field("x", arrow::int8())}))});

TEST(Filter, NamesTheColumnsThatItNeeds) {
  const auto filter =
      MakeFilter(cp::greater(cp::field_ref(arrow::FieldRef("s", "x")), cp::field_ref("a"))).ValueOrDie();
  const auto bound = BoundFilter::Make(*filter, *kTable).ValueOrDie();
  EXPECT_EQ(bound.columns()->field_names(), (std::vector<std::string>{"a", "s"}));
}

TEST(Filter, ColumnsByNameAndByPlaceAreTheSame) {
  const auto by_name = MakeFilter(cp::is_null(cp::field_ref("b"))).ValueOrDie();
  const auto by_place = MakeFilter(cp::is_null(cp::field_ref(1))).ValueOrDie();
  EXPECT_NE(by_name->identity(), by_place->identity());
  EXPECT_EQ(BoundFilter::Make(*by_name, *kTable).ValueOrDie().canonical_bytes(),
            BoundFilter::Make(*by_place, *kTable).ValueOrDie().canonical_bytes());
}

TEST(Filter, IdentityTellsThemApart) {
  const auto identity = [](const cp::Expression& expression) {
    return MakeFilter(expression).ValueOrDie()->identity();
  };
  EXPECT_EQ(identity(cp::equal(cp::field_ref("a"), cp::literal(1))),
            identity(cp::equal(cp::field_ref("a"), cp::literal(1))));
  EXPECT_NE(identity(cp::equal(cp::field_ref("a"), cp::literal(1))),
            identity(cp::equal(cp::field_ref("a"), cp::literal(int64_t{1}))));
  EXPECT_NE(identity(cp::equal(cp::field_ref("a"), cp::literal(1))),
            identity(cp::equal(cp::field_ref("b"), cp::literal(1))));
  EXPECT_NE(identity(cp::equal(cp::field_ref("a"), cp::literal(0.1))),
            identity(cp::equal(cp::field_ref("a"), cp::literal(0.1 + 1e-17 + 1e-16))));
}

TEST(Filter, WhatDoesNotFitIsRefused) {
  const auto status_of = [](const cp::Expression& expression) {
    const auto filter = MakeFilter(expression);
    return filter.ok() ? BoundFilter::Make(**filter, *kTable).status() : filter.status();
  };
  EXPECT_TRUE(status_of(cp::is_null(cp::field_ref("c"))).IsKeyError());
  EXPECT_TRUE(status_of(cp::is_null(cp::field_ref(7))).IsKeyError());
  EXPECT_EQ(status_of(cp::is_null(cp::field_ref("nope"))).message(), "the dataset has no column 'nope'");
  EXPECT_EQ(status_of(cp::is_null(cp::field_ref(arrow::FieldRef("s", "y")))).message(),
            "the dataset has no column 's.y'");
  EXPECT_EQ(status_of(cp::is_null(cp::field_ref(7))).message(), "the dataset has no column [7]");
  EXPECT_TRUE(IsArgumentError(status_of(cp::field_ref("a"))));
  EXPECT_TRUE(IsArgumentError(status_of(cp::call("no_such_function", {cp::field_ref("a")}))));
  EXPECT_TRUE(IsArgumentError(status_of(cp::equal(cp::field_ref("s"), cp::literal("x")))));
  EXPECT_TRUE(IsArgumentError(status_of(cp::Expression())));
  // Of all rows together.
  EXPECT_FALSE(status_of(cp::call("any", {cp::is_null(cp::field_ref("a"))})).ok());
}

TEST(Filter, NullAndScalarsTakeNothingOrAll) {
  const auto count = [&](const cp::Expression& expression, int64_t num_rows) {
    const auto bound = BoundFilter::Make(*MakeFilter(expression).ValueOrDie(), *kTable).ValueOrDie();
    const auto batch = arrow::RecordBatch::Make(bound.columns(), num_rows, arrow::ArrayVector());
    const auto bits = bound.Evaluate(*batch).ValueOrDie();
    int64_t taken = 0;
    for (int64_t i = 0; i < bits->size() * 8; ++i) taken += arrow::bit_util::GetBit(bits->data(), i) ? 1 : 0;
    return taken;
  };
  EXPECT_EQ(count(cp::literal(true), 11), 11);
  EXPECT_EQ(count(cp::literal(false), 11), 0);
  EXPECT_EQ(count(cp::literal(arrow::MakeNullScalar(arrow::boolean())), 11), 0);
  EXPECT_EQ(count(cp::literal(true), 0), 0);
}

}  // namespace
}  // namespace fewter
