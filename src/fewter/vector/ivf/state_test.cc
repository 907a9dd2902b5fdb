#include "fewter/vector/ivf/state.h"

#include <tuple>

#include <arrow/io/memory.h>
#include <gtest/gtest.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/ivf/ivf_test_data_internal.h"

namespace fewter {
namespace {

std::shared_ptr<arrow::Buffer> BytesOf(const IvfIndexState& state) {
  auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(state.Serialize(out.get()).ok());
  return EnsureAligned(out->Finish().ValueOrDie()).ValueOrDie();
}

class StateRoundTrip : public ::testing::TestWithParam<std::tuple<StorageKind, Metric>> {};

TEST_P(StateRoundTrip, KeepsEveryField) {
  const auto state = ivf_test::MakeState(std::get<0>(GetParam()), std::get<1>(GetParam()));
  const auto bytes = BytesOf(*state);
  const auto read = IvfIndexState::Deserialize(bytes).ValueOrDie();
  EXPECT_EQ(read->uuid, state->uuid);
  EXPECT_EQ(read->index_type, state->index_type);
  EXPECT_EQ(read->metric, state->metric);
  EXPECT_EQ(read->sub_index_kind(), state->sub_index_kind());
  EXPECT_EQ(read->element_type, state->element_type);
  EXPECT_EQ(read->index_file, state->index_file);
  EXPECT_EQ(read->storage_file, state->storage_file);
  EXPECT_TRUE(read->model->centroids()->Equals(state->model->centroids()));
  EXPECT_TRUE(read->model->offsets()->Equals(state->model->offsets()));
  EXPECT_TRUE(read->model->lengths()->Equals(state->model->lengths()));
  EXPECT_EQ(read->model->total_rows(), state->model->total_rows());
  EXPECT_EQ(read->quantizer->kind(), state->quantizer->kind());
  EXPECT_EQ(read->quantizer->Describe(), state->quantizer->Describe());
  EXPECT_EQ(read->SizeInBytes(), state->SizeInBytes());
  // The same bytes again: the quantizer kept all that it had.
  EXPECT_TRUE(BytesOf(*read)->Equals(*bytes));
}

TEST_P(StateRoundTrip, PointsIntoTheBytes) {
  const auto bytes = BytesOf(*ivf_test::MakeState(std::get<0>(GetParam()), std::get<1>(GetParam())));
  const auto read = IvfIndexState::Deserialize(bytes).ValueOrDie();
  const auto* first = reinterpret_cast<const uint8_t*>(read->model->centroid(0));
  EXPECT_GE(first, bytes->data());
  EXPECT_LT(first, bytes->data() + bytes->size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StateRoundTrip,
                         ::testing::Combine(::testing::Values(StorageKind::kFlat, StorageKind::kPq),
                                            ::testing::Values(Metric::kL2, Metric::kCosine, Metric::kDot)));

TEST(State, DamagedBytesAreRefusedOrHarmless) {
  const auto good = BytesOf(*ivf_test::MakeState(StorageKind::kPq, Metric::kL2));
  for (int64_t length = 0; length < good->size(); length += 8) {
    auto cut = EnsureAligned(good->CopySlice(0, length).ValueOrDie()).ValueOrDie();
    EXPECT_FALSE(IvfIndexState::Deserialize(cut).ok()) << length;
  }
  for (int64_t at = 0; at < good->size(); ++at) {
    auto copy = good->CopySlice(0, good->size()).ValueOrDie();
    copy->mutable_data()[at] ^= 0x55;
    const auto read = IvfIndexState::Deserialize(copy);
    if (!read.ok()) continue;
    const std::vector<float> query(read.ValueOrDie()->model->dimension(), 1.0F);
    EXPECT_EQ(read.ValueOrDie()->model->SelectPartitions(query.data(), Metric::kL2, 4).size(), 4U);
  }
}

}  // namespace
}  // namespace fewter
