#include "fewter/vector/ivf/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "fewter/simd/distance.h"
#include "fewter/simd/hamming.h"
#include "fewter/simd/select.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/element_type.h"

namespace fewter {
namespace {

/// Centroids that stay in the first-level cache while queries pass by, and the queries that stay in the second-level
/// one.
constexpr size_t kTileBytes = 24 << 10;
constexpr size_t kQueriesPerPass = 64;

/// In the order of the floats, and of equal ones by the number. A distance to a centroid with a NaN comes last instead
/// of breaking the order.
uint64_t SortKey(float distance, uint32_t number) {
  const float value = std::isnan(distance) ? std::numeric_limits<float>::infinity() : distance + 0.0F;
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
  return uint64_t{ascending} << 32 | number;
}

RankedPartition FromSortKey(uint64_t key) {
  const auto ascending = static_cast<uint32_t>(key >> 32);
  const uint32_t bits = (ascending >> 31) != 0 ? ascending & 0x7FFFFFFFU : ~ascending;
  return {std::bit_cast<float>(bits), static_cast<uint32_t>(key)};
}

/// The numbers of those that may be among the `wanted` nearest, seldom many more.
std::vector<uint32_t> NumbersOfNear(std::span<const float> distances, size_t wanted) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<uint32_t> near(distances.size());
  const float limit =
      wanted > simd::kMaxWanted ? kInfinity : simd::LimitForAtLeast(distances.data(), distances.size(), wanted);
  if (limit < kInfinity) {
    near.resize(simd::SelectAtMost(distances.data(), distances.size(), limit, near.data()));
  } else {
    std::iota(near.begin(), near.end(), 0u);  // NaN, too
  }
  return near;
}

std::vector<RankedPartition> NearestOf(std::span<const float> distances, uint32_t nprobes) {
  const size_t wanted = std::min<size_t>(nprobes, distances.size());
  if (wanted == 0) return {};
  const auto near = NumbersOfNear(distances, wanted);
  std::vector<uint64_t> keys(near.size());
  std::transform(near.begin(), near.end(), keys.begin(), [&](uint32_t i) { return SortKey(distances[i], i); });
  const auto end = keys.begin() + static_cast<ptrdiff_t>(wanted);
  std::nth_element(keys.begin(), end, keys.end());
  std::sort(keys.begin(), end);
  std::vector<RankedPartition> ranked(wanted);
  std::transform(keys.begin(), end, ranked.begin(), FromSortKey);
  return ranked;
}

}  // namespace

arrow::Result<std::shared_ptr<const IvfModel>> IvfModel::Make(uint32_t dimension,
                                                              std::shared_ptr<arrow::Array> centroids,
                                                              std::shared_ptr<arrow::UInt64Array> offsets,
                                                              std::shared_ptr<arrow::UInt32Array> lengths,
                                                              uint64_t total_rows) {
  if (dimension == 0) return arrow::Status::Invalid("IVF model: dimension is 0");
  const auto partitions = static_cast<uint64_t>(lengths->length());
  if (partitions == 0 || partitions > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::Invalid("IVF model: ", partitions, " partitions");
  }
  if (centroids->type_id() != arrow::Type::FLOAT && centroids->type_id() != arrow::Type::UINT8) {
    return arrow::Status::Invalid("IVF model: centroids of type ", centroids->type()->ToString());
  }
  uint64_t values = 0;
  if (!CheckedMultiply(partitions, dimension, &values) || values != static_cast<uint64_t>(centroids->length())) {
    return arrow::Status::Invalid("IVF model: ", partitions, " partitions of dimension ", dimension, ", but ",
                                  centroids->length(), " centroid values");
  }
  if (offsets->length() != lengths->length()) {
    return arrow::Status::Invalid("IVF model: ", partitions, " lengths, but ", offsets->length(), " offsets");
  }
  for (int64_t i = 0; i < lengths->length(); ++i) {
    if (!RangeIsInside(offsets->Value(i), lengths->Value(i), total_rows)) {
      return arrow::Status::Invalid("IVF model: partition ", i, " has rows ", offsets->Value(i), " + ",
                                    lengths->Value(i), " of ", total_rows);
    }
  }
  auto model = std::shared_ptr<IvfModel>(new IvfModel());
  model->dimension_ = dimension;
  model->total_rows_ = total_rows;
  model->centroids_ = std::move(centroids);
  model->offsets_ = std::move(offsets);
  model->lengths_ = std::move(lengths);
  return model;
}

int64_t IvfModel::SizeInBytes() const {
  return centroids_->length() * (is_binary() ? 1 : int64_t{sizeof(float)}) +
         lengths_->length() * static_cast<int64_t>(sizeof(uint64_t) + sizeof(uint32_t));
}

void IvfModel::ComputeDistances(const float* query, Metric metric, uint32_t first, uint32_t count, float* out) const {
  const size_t begin = size_t{first} * dimension_;
  if (is_binary()) {
    const std::vector<uint8_t> bytes = ToBytes(query, dimension_);
    simd::HammingRows(bytes.data(), Values<uint8_t>() + begin, count, dimension_, out);
  } else if (metric == Metric::kDot) {
    simd::DotRows(query, Values<float>() + begin, count, dimension_, out);
    for (uint32_t i = 0; i < count; ++i) out[i] = 1.0F - out[i];
  } else {
    simd::L2SquaredRows(query, Values<float>() + begin, count, dimension_, out);
  }
}

std::vector<RankedPartition> IvfModel::SelectPartitions(const float* query, Metric metric, uint32_t nprobes) const {
  std::vector<float> distances(num_partitions());
  ComputeDistances(query, metric, 0, num_partitions(), distances.data());
  return NearestOf(distances, nprobes);
}

std::vector<std::vector<RankedPartition>> IvfModel::SelectPartitionsMany(const float* queries, size_t num_queries,
                                                                         Metric metric, uint32_t nprobes) const {
  const uint32_t partitions = num_partitions();
  const auto tile = static_cast<uint32_t>(std::max<size_t>(1, kTileBytes / (dimension_ * sizeof(float))));
  std::vector<std::vector<RankedPartition>> ranked;
  ranked.reserve(num_queries);
  std::vector<float> distances;
  for (size_t begin = 0; begin < num_queries; begin += kQueriesPerPass) {
    const size_t count = std::min(kQueriesPerPass, num_queries - begin);
    distances.resize(count * partitions);
    for (uint32_t first = 0; first < partitions; first += tile) {
      const uint32_t size = std::min(tile, partitions - first);
      for (size_t i = 0; i < count; ++i) {
        ComputeDistances(queries + (begin + i) * dimension_, metric, first, size,
                         distances.data() + i * partitions + first);
      }
    }
    for (size_t i = 0; i < count; ++i) {
      ranked.push_back(NearestOf({distances.data() + i * partitions, partitions}, nprobes));
    }
  }
  return ranked;
}

}  // namespace fewter
