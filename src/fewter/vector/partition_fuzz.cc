#include <algorithm>
#include <cstring>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

/// A partition's body as an attacker would write it: decoded, and scanned if the decoder accepts it. The first byte of
/// the input says whether the rest is the body or a list of changes (position, byte) to a good one.

namespace fewter::storage_test {
namespace {

std::shared_ptr<arrow::Buffer> BodyOf(const TestPartition& good, const uint8_t* data, size_t size) {
  const bool changes = data[0] % 4 != 0;
  const auto from = changes ? SerializedBody(*good.partition) : std::make_shared<arrow::Buffer>(data + 1, size - 1);
  auto body = OrDie(from->CopySlice(0, from->size()));
  for (size_t i = 1; changes && i + 3 <= size; i += 3) {
    const auto position = LoadLittleEndian<uint16_t>(data + i) % body->size();
    const_cast<uint8_t*>(body->data())[position] = data[i + 2];
  }
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<TestPartition> kGood = EveryTestPartition(5);
  if (size == 0) return 0;
  const TestPartition& good = kGood[data[0] / 4 % kGood.size()];
  const auto partition = Partition::Deserialize(BodyOf(good, data, size));
  if (!partition.ok() || !good.quantizer->CheckStorage((*partition)->storage(), good.layout).ok()) return 0;
  const std::vector<float> query(good.quantizer->dimension(), 0.5f), centroid(query.size(), 0.25f);
  for (Metric metric : good.metrics) {
    ScanStorage(*good.quantizer, (*partition)->storage(), query.data(), metric, centroid.data(), 3);
    ScoreEveryRow(*good.quantizer, (*partition)->storage(), query.data(), metric, centroid.data());
  }
  return 0;
}

}  // namespace fewter::storage_test
