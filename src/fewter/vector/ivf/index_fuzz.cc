#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include <arrow/util/thread_pool.h>

#include "fewter/cache/memory_backend.h"
#include "fewter/vector/fuzz_changes_internal.h"
#include "fewter/vector/ivf/index.h"
#include "fewter/vector/subindex/hnsw/hnsw_test_data_internal.h"

/// What a cache may hold of an index, as an attacker would write it: the state and a partition, of every storage flat
/// and under a graph. What decodes is searched as a query would do it. The first byte of the input says which index,
/// the second how to search, the rest is changes to the two bodies, or one of the bodies.

namespace fewter {
namespace {

using storage_test::OrDie;
using storage_test::TestPartition;

/// Enough for a walk when one row is asked for; smaller partitions are scanned whatever stands over them.
constexpr uint32_t kNumRows = 560;
constexpr uint32_t kNumPartitions = 3;

/// An index of three partitions with the same rows, and its two kinds of entry.
struct Good {
  std::shared_ptr<arrow::Buffer> state;
  std::shared_ptr<arrow::Buffer> partition;
  std::vector<Metric> metrics;
};

std::shared_ptr<arrow::Buffer> Serialized(const auto& value) {
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  if (!value.Serialize(out.get()).ok()) std::abort();
  return OrDie(out->Finish());
}

std::shared_ptr<const IvfModel> ModelOf(const TestPartition& test) {
  const uint32_t dimension = test.quantizer->dimension();
  const size_t values = size_t{kNumPartitions} * dimension;
  const bool is_binary = test.metrics.front() == Metric::kHamming;
  auto centroids = is_binary
                       ? ArrayOver(arrow::uint8(), arrow::Buffer::FromVector(storage_test::RandomBytes(values, 5)))
                       : ArrayOver(arrow::float32(), arrow::Buffer::FromVector(storage_test::RandomFloats(values, 5)));
  auto offsets = ArrayOver(arrow::uint64(), arrow::Buffer::FromVector(std::vector<uint64_t>{0, 0, 0}));
  auto lengths =
      ArrayOver(arrow::uint32(), arrow::Buffer::FromVector(std::vector<uint32_t>{kNumRows, kNumRows, kNumRows}));
  return OrDie(IvfModel::Make(dimension, std::move(centroids), std::static_pointer_cast<arrow::UInt64Array>(offsets),
                              std::static_pointer_cast<arrow::UInt32Array>(lengths), kNumRows));
}

/// The same graph over the rows of each partition.
hnsw_test::Links MakeLinks() {
  return hnsw_test::LinksOver(hnsw_test::PointStorage(kNumRows, 2, 7), 3, 7);
}

std::shared_ptr<const SubIndexModel> GraphModel() {
  SubIndexSource source = hnsw_test::SourceOf(MakeLinks());
  const auto offsets = hnsw_test::LevelOffsetsOf(MakeLinks());
  const std::string text = hnsw_test::MetadataOf(MakeLinks().entry_point, offsets);
  source.metadata = hnsw_test::ArrayOf({text, text, text});
  source.offsets = {0, 0, 0};
  source.lengths = {offsets.back(), offsets.back(), offsets.back()};
  return OrDie(MakeHnswModel(source));
}

Good GoodOf(const TestPartition& test, bool has_graph) {
  IvfIndexState state;
  state.uuid = "0123";
  state.index_type = "IVF_OF_ITS_KIND";
  state.metric = test.metrics.front();
  state.model = ModelOf(test);
  state.quantizer = test.quantizer;
  if (has_graph) state.sub_index = GraphModel();
  const auto storage = OrDie(test.quantizer->MakeStorage(*test.rows, state.layout(), state.model->centroid(0)));
  const Partition partition(storage, has_graph ? hnsw_test::GraphOf(MakeLinks()) : nullptr);
  return {Serialized(state), Serialized(partition), test.metrics};
}

std::vector<Good> EveryGoodIndex() {
  std::vector<TestPartition> tests = storage_test::EveryTestPartition(kNumRows);
  for (const uint32_t num_bits : {2U, 3U, 5U, 6U, 7U, 8U, 9U}) {
    tests.push_back(storage_test::RabitqTestPartition(num_bits, 72, kNumRows));
  }
  std::vector<Good> all;
  for (const TestPartition& test : tests) {
    all.push_back(GoodOf(test, false));
    if (OrDie(FindStorageKind(static_cast<uint32_t>(test.quantizer->kind())))->has_random_access) {
      all.push_back(GoodOf(test, true));
    }
  }
  return all;
}

/// There are no files behind the entries.
class NoFiles final : public PartitionReader {
  Batches ReadRows(const std::vector<std::string>&, std::span<const RowSpan> spans) override {
    return Batches(spans.size(), arrow::Status::IOError("no file"));
  }
  Batches ReadSubIndexRows(const std::vector<std::string>&, std::span<const RowSpan> spans) override {
    return Batches(spans.size(), arrow::Status::IOError("no file"));
  }
};

class OddRows final : public RowFilter {
  bool Allows(uint64_t row_id) const override { return row_id % 2 == 1; }
};

void Check(const std::vector<Neighbor>& found, const IvfSearchOptions& options) {
  if (found.size() > options.k || !std::is_sorted(found.begin(), found.end(), Nearer)) std::abort();
  for (const Neighbor& row : found) {
    if (!(row.distance >= options.lower && row.distance < options.upper)) std::abort();
    if (options.filter != nullptr && !options.filter->Allows(row.row_id)) std::abort();
  }
}

/// How many rows it found.
size_t SearchWith(const IvfIndex& index, uint8_t how) {
  static const OddRows kOdd;
  IvfSearchOptions options{.k = how % 2 == 0 ? 1U : 1000U, .nprobes = 1U + how / 2 % 4};
  options.filter = how / 8 % 2 == 0 ? nullptr : &kOdd;
  options.ef = how / 16 % 2 == 0 ? 0 : options.k + 5;
  options.approx_mode = static_cast<ApproxMode>(how / 32 % 3);
  if (how / 128 == 1) std::tie(options.lower, options.upper) = std::pair(0.5F, 20.0F);
  const std::vector<float> query(index.state().model->dimension(), 3.0F);
  const auto found = index.Search(query.data(), options);
  if (!found.ok()) return 0;
  Check(*found, options);
  return found->size();
}

size_t Search(std::shared_ptr<const IvfIndexState> state, const std::shared_ptr<const Partition>& partition,
              uint8_t how) {
  // As a live index has them: found under every number, and compared with the state before they are used.
  const Cache cache(MakeMemoryBackend(1 << 24));
  for (uint32_t i = 0; i < std::min(kNumPartitions, state->model->num_partitions()); ++i) {
    cache.Insert(PartitionKey{i}, partition);
  }
  static const auto kThread = arrow::internal::ThreadPool::Make(1).ValueOrDie();
  const IvfIndex index(std::move(state), WeakCache(cache), std::make_shared<NoFiles>(),
                       IvfExecutors{.io = kThread.get(), .cpu = kThread.get()});
  return SearchWith(index, how);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<Good> kGood = EveryGoodIndex();
  if (size < 2) return 0;
  const Good& good = kGood[data[0] % kGood.size()];
  auto state_body = fuzz::CopyOf(*good.state), partition_body = fuzz::CopyOf(*good.partition);
  // One input in eight is a body itself.
  const bool is_body = data[1] % 8 == 7;
  const fuzz::Changes changes(data + 2, is_body ? 0 : size - 2);
  if (is_body) partition_body = fuzz::CopyOf(arrow::Buffer(data + 2, static_cast<int64_t>(size - 2)));
  for (size_t i = 0; i < changes.size(); ++i) {
    fuzz::Overwrite(changes[i], changes[i].what % 2 == 0 ? state_body.get() : partition_body.get());
  }
  auto state = IvfIndexState::Deserialize(state_body);
  const auto partition = Partition::Deserialize(partition_body);
  const size_t found = state.ok() && partition.ok() ? Search(*std::move(state), *partition, data[1]) : 0;
  // Without changes there is something to find, or this would test nothing.
  if (size == 2 && data[1] < 128 && !is_body && found == 0) std::abort();
  return 0;
}

}  // namespace fewter
