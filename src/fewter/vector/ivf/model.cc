#include "fewter/vector/ivf/model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fewter/simd/distance.h"
#include "fewter/simd/hamming.h"
#include "fewter/util/bytes.h"
#include "fewter/vector/element_type.h"

namespace fewter {

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

std::vector<float> IvfModel::DistancesTo(const float* query, Metric metric) const {
  const uint32_t partitions = num_partitions();
  std::vector<float> distances(partitions);
  if (is_binary()) {
    const std::vector<uint8_t> bytes = ToBytes(query, dimension_);
    simd::HammingRows(bytes.data(), Values<uint8_t>(), partitions, dimension_, distances.data());
  } else if (metric == Metric::kDot) {
    simd::DotRows(query, Values<float>(), partitions, dimension_, distances.data());
    for (float& distance : distances) distance = 1.0F - distance;
  } else {
    simd::L2SquaredRows(query, Values<float>(), partitions, dimension_, distances.data());
  }
  return distances;
}

std::vector<RankedPartition> IvfModel::SelectPartitions(const float* query, Metric metric, uint32_t nprobes) const {
  const uint32_t partitions = num_partitions();
  const std::vector<float> distances = DistancesTo(query, metric);
  std::vector<RankedPartition> ranked(partitions);
  for (uint32_t i = 0; i < partitions; ++i) {
    // A centroid with a NaN comes last instead of breaking the order.
    ranked[i] = {std::isnan(distances[i]) ? std::numeric_limits<float>::infinity() : distances[i], i};
  }
  const auto before = [](const RankedPartition& a, const RankedPartition& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.partition < b.partition;
  };
  const auto wanted = static_cast<ptrdiff_t>(std::min(nprobes, partitions));
  std::partial_sort(ranked.begin(), ranked.begin() + wanted, ranked.end(), before);
  ranked.resize(static_cast<size_t>(wanted));
  return ranked;
}

}  // namespace fewter
