#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/vector/ivf/index.h"
#include "fewter/vector/quantizer/flat/flat.h"
#include "fewter/vector/quantizer/pq/pq.h"

/// A small IVF index made in memory, for tests.

namespace fewter::ivf_test {

template <typename Builder, typename Array, typename T>
std::shared_ptr<Array> ArrayOf(const std::vector<T>& values) {
  Builder builder;
  if (!builder.AppendValues(values).ok()) std::abort();
  return std::static_pointer_cast<Array>(builder.Finish().ValueOrDie());
}

inline std::vector<float> Random(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

inline constexpr uint32_t kDimension = 8;
inline const std::vector<uint32_t> kLengths = {5, 0, 70, 1};

/// A state with four partitions, the second one empty, of 76 rows.
inline std::shared_ptr<IvfIndexState> MakeState(StorageKind kind, Metric metric) {
  auto state = std::make_shared<IvfIndexState>();
  state->uuid = "0123";
  state->index_type = kind == StorageKind::kPq ? "IVF_PQ" : "IVF_FLAT";
  state->metric = metric;
  state->index_file = {"_indices/0123/index.idx", 17};
  state->storage_file = {"_indices/0123/auxiliary.idx", 4711};
  state->model = IvfModel::Make(kDimension, ArrayOf<arrow::FloatBuilder, arrow::FloatArray>(Random(4 * kDimension, 1)),
                                ArrayOf<arrow::UInt64Builder, arrow::UInt64Array>(std::vector<uint64_t>{0, 5, 5, 75}),
                                ArrayOf<arrow::UInt32Builder, arrow::UInt32Array>(kLengths), 76)
                     .ValueOrDie();
  if (kind == StorageKind::kPq) {
    PqMetadata metadata;
    metadata.num_bits = 4;
    metadata.num_sub_vectors = 4;
    metadata.dimension = kDimension;
    metadata.transposed = true;
    const auto codebook = ArrayOf<arrow::FloatBuilder, arrow::FloatArray>(Random(16 * kDimension, 2));
    state->quantizer = MakePqQuantizer(metadata, *codebook).ValueOrDie();
  } else {
    state->quantizer = MakeFlatQuantizer({.metadata = R"({"dim":8})", .dimension = kDimension}).ValueOrDie();
  }
  return state;
}

/// The rows of auxiliary.idx, in memory; counts what is read, and fails if told to.
class FakeReader : public PartitionReader {
 public:
  explicit FakeReader(const Quantizer& quantizer) : kind_(quantizer.kind()) {}

  Batches ReadRows(const std::vector<std::string>&, std::span<const RowSpan> spans) override {
    Batches batches;
    for (const RowSpan& span : spans) batches.push_back(Rows(span.first, span.count));
    return batches;
  }

  Batches ReadSubIndexRows(const std::vector<std::string>&, std::span<const RowSpan> spans) override {
    return Batches(spans.size(), arrow::Status::NotImplemented("a flat index reads no rows of index.idx"));
  }

  /// Of spans of rows.
  std::atomic<int> reads{0};
  std::atomic<bool> fail{false};

 private:
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Rows(uint64_t first_row, uint64_t num_rows) {
    ++reads;
    if (fail) return arrow::Status::IOError("the disk is on fire");
    std::vector<uint64_t> ids;
    for (uint64_t i = 0; i < num_rows; ++i) ids.push_back(100 + first_row + i);
    auto row_ids = ArrayOf<arrow::UInt64Builder, arrow::UInt64Array>(ids);
    std::shared_ptr<arrow::Array> values;
    std::string name;
    if (kind_ == StorageKind::kPq) {
      name = "__pq_code";
      std::vector<uint8_t> codes;
      for (uint64_t i = 0; i < num_rows * 2; ++i) codes.push_back(static_cast<uint8_t>(37 * (first_row + i)));
      values = Lists(ArrayOf<arrow::UInt8Builder, arrow::UInt8Array>(codes), 2);
    } else {
      name = "flat";
      auto all = Random(76 * kDimension, 3);
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first_row * kDimension);
      const std::vector<float> part(begin, begin + static_cast<std::ptrdiff_t>(num_rows * kDimension));
      values = Lists(ArrayOf<arrow::FloatBuilder, arrow::FloatArray>(part), kDimension);
    }
    auto schema = arrow::schema({arrow::field("_rowid", arrow::uint64()), arrow::field(name, values->type())});
    return arrow::RecordBatch::Make(schema, static_cast<int64_t>(num_rows), {row_ids, values});
  }

  static std::shared_ptr<arrow::Array> Lists(const std::shared_ptr<arrow::Array>& values, int32_t size) {
    return arrow::FixedSizeListArray::FromArrays(values, size).ValueOrDie();
  }

  StorageKind kind_;
};

}  // namespace fewter::ivf_test
