#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/simd/distance.h"
#include "fewter/simd/hadamard.h"
#include "fewter/simd/rabitq_ex_places_internal.h"
#include "fewter/vector/quantizer/rabitq/rabitq.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

/// RaBitQ partitions made in memory, and their distances by the formulas in double precision; for tests.

namespace fewter::rabitq_test {

using storage_test::OrDie;
using storage_test::RandomBytes;
using storage_test::RandomFloats;
using storage_test::RowIdOf;

/// Orthogonal, rows one after another: random ones, each without its share in those before.
inline std::vector<float> RandomRotation(size_t n) {
  std::vector<float> rows = RandomFloats(n * n, 41);
  for (size_t i = 0; i < n; ++i) {
    float* row = rows.data() + i * n;
    for (size_t j = 0; j < 2 * i; ++j) {
      const float* other = rows.data() + j % i * n;
      const float share = simd::Dot(row, other, n);
      for (size_t t = 0; t < n; ++t) row[t] -= share * other[t];
    }
    const float norm = std::sqrt(simd::NormSquared(row, n));
    for (size_t t = 0; t < n; ++t) row[t] /= norm;
  }
  return rows;
}

/// An index without rows, and what it is made of.
struct TestIndex {
  RabitqMetadata metadata;
  RabitqShape shape;
  std::vector<float> matrix;
  std::shared_ptr<const Quantizer> quantizer;

  /// As the quantizer rotates: by the same kernels, which have tests of their own.
  std::vector<float> Rotated(const std::vector<float>& vector) const {
    const size_t n = shape.code_dimension;
    std::vector<float> rotated(n, 0.0F);
    if (shape.rotation == RabitqRotation::kMatrix) {
      std::vector<float> columns;
      for (size_t i = 0; i < n; ++i) {
        columns.insert(columns.end(), matrix.begin() + static_cast<int64_t>(i * n),
                       matrix.begin() + static_cast<int64_t>(i * n + vector.size()));
      }
      simd::DotRows(vector.data(), columns.data(), n, vector.size(), rotated.data());
      return rotated;
    }
    std::copy(vector.begin(), vector.end(), rotated.begin());
    std::vector<float> signs(simd::kHadamardRounds * n);
    for (size_t i = 0; i < signs.size(); ++i) signs[i] = (metadata.signs[i / 8] >> (i % 8) & 1) != 0 ? -1.0F : 1.0F;
    simd::HadamardRotate(signs.data(), n, rotated.data());
    return rotated;
  }
};

inline TestIndex MakeTestIndex(RabitqShape shape) {
  TestIndex index;
  const bool is_residual = shape.estimator == RabitqEstimator::kResidualQuery;
  shape.code_dimension = shape.dimension * (is_residual ? shape.num_bits : 1);
  index.shape = shape;
  index.metadata.num_bits = shape.num_bits;
  index.metadata.code_dimension = shape.code_dimension;
  index.metadata.packed = shape.packed;
  index.metadata.has_blocked_ex_codes = shape.has_blocked_ex_codes;
  index.metadata.estimator = shape.estimator;
  index.metadata.rotation = shape.rotation;
  std::shared_ptr<arrow::FloatArray> matrix;
  if (shape.rotation == RabitqRotation::kMatrix) {
    index.matrix = RandomRotation(shape.code_dimension);
    index.metadata.matrix_position = 2;
    matrix = std::static_pointer_cast<arrow::FloatArray>(
        ArrayOver(arrow::float32(), arrow::Buffer::FromVector(index.matrix)));
  } else {
    index.metadata.signs = RandomBytes(size_t{4} * shape.code_bytes(), 42);
  }
  index.quantizer = OrDie(MakeRabitqQuantizer(index.metadata, shape.dimension, matrix));
  return index;
}

/// The columns of a partition. Codes are row after row here; what the file holds follows from them.
struct TestRows {
  size_t num_rows = 0;
  std::vector<uint8_t> codes = {}, ex_codes = {};
  std::vector<float> scale = {}, add = {}, error = {}, ex_scale = {}, ex_add = {};

  bool Bit(size_t row, size_t element, size_t code_bytes) const {
    return (codes[row * code_bytes + element / 8] >> (element % 8) & 1) != 0;
  }
  uint32_t ExCode(size_t row, size_t element, uint32_t bits, size_t code_dimension) const {
    const size_t blocks = (code_dimension + 63) / 64;
    return simd::ExCodeOf(ex_codes.data() + (row * blocks + element / 64) * 8 * bits, bits, element % 64);
  }
};

inline size_t ExBytesOf(const RabitqShape& shape) {
  return (size_t{shape.code_dimension} + 63) / 64 * 8 * shape.ex_bits();
}

/// Random codes and factors. Errors are not negative.
inline TestRows RandomRows(const RabitqShape& shape, size_t num_rows) {
  TestRows rows{.num_rows = num_rows, .codes = RandomBytes(num_rows * shape.code_bytes(), 43)};
  rows.scale = RandomFloats(num_rows, 44);
  rows.add = RandomFloats(num_rows, 45);
  if (shape.ex_bits() == 0) return rows;
  rows.ex_codes = RandomBytes(num_rows * ExBytesOf(shape), 46);
  rows.error = RandomFloats(num_rows, 47);
  for (float& error : rows.error) error = std::abs(error);
  rows.ex_scale = RandomFloats(num_rows, 48);
  rows.ex_add = RandomFloats(num_rows, 49);
  return rows;
}

/// The codes of 32 rows side by side, those of the last rows column after column.
inline std::vector<uint8_t> Packed(const std::vector<uint8_t>& codes, size_t num_rows, size_t width) {
  static constexpr size_t kRowAt[] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
  std::vector<uint8_t> packed(codes.size(), 0);
  const size_t rest = num_rows % 32, in_blocks = num_rows - rest;
  for (size_t i = 0; i < num_rows; ++i) {
    for (size_t p = 0; p < width; ++p) {
      const uint32_t code = codes[i * width + p];
      if (i >= in_blocks) {
        packed[in_blocks * width + p * rest + (i - in_blocks)] = static_cast<uint8_t>(code);
        continue;
      }
      const auto j = static_cast<size_t>(std::find(std::begin(kRowAt), std::end(kRowAt), i % 16) - std::begin(kRowAt));
      const uint32_t shift = i % 32 < 16 ? 0 : 4;
      uint8_t* place = packed.data() + i / 32 * 32 * width + p * 32 + j;
      place[0] = static_cast<uint8_t>(place[0] | (code & 15) << shift);
      place[16] = static_cast<uint8_t>(place[16] | (code >> 4) << shift);
    }
  }
  return packed;
}

/// Ex codes one element's behind the other's, from the lowest bit of a row's first byte on.
inline std::vector<uint8_t> Sequential(const RabitqShape& shape, const TestRows& rows) {
  const size_t bits = shape.ex_bits(), width = shape.code_dimension * bits / 8;
  std::vector<uint8_t> codes(rows.num_rows * width, 0);
  for (size_t row = 0; row < rows.num_rows; ++row) {
    for (size_t place = 0; place < width * 8; ++place) {
      const uint32_t code = rows.ExCode(row, place / bits, shape.ex_bits(), shape.code_dimension);
      uint8_t& byte = codes[row * width + place / 8];
      byte = static_cast<uint8_t>(byte | (code >> (place % bits) & 1U) << (place % 8));
    }
  }
  return codes;
}

/// As auxiliary.idx has them.
inline std::shared_ptr<arrow::RecordBatch> BatchOf(const RabitqShape& shape, const TestRows& rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  const auto add = [&](const char* name, std::shared_ptr<arrow::Array> array) {
    fields.push_back(arrow::field(name, array->type()));
    columns.push_back(std::move(array));
  };
  const auto floats = [](const std::vector<float>& values) {
    return ArrayOver(arrow::float32(), arrow::Buffer::FromVector(values));
  };
  const auto bytes = [](std::vector<uint8_t> values, size_t width) {
    const auto items = ArrayOver(arrow::uint8(), arrow::Buffer::FromVector(std::move(values)));
    return OrDie(arrow::FixedSizeListArray::FromArrays(items, static_cast<int32_t>(width)));
  };
  std::vector<uint64_t> ids(rows.num_rows);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = RowIdOf(i);
  add("_rabit_codes",
      bytes(shape.packed ? Packed(rows.codes, rows.num_rows, shape.code_bytes()) : rows.codes, shape.code_bytes()));
  add("__add_factors", floats(rows.add));
  add("__scale_factors", floats(rows.scale));
  if (shape.ex_bits() > 0) {
    add("__error_factors", floats(rows.error));
    if (shape.has_blocked_ex_codes) {
      add("__blocked_ex_codes", bytes(rows.ex_codes, ExBytesOf(shape)));
    } else {
      add("__ex_codes", bytes(Sequential(shape, rows), shape.code_dimension * shape.ex_bits() / 8));
    }
    add("__add_factors_ex", floats(rows.ex_add));
    add("__scale_factors_ex", floats(rows.ex_scale));
  }
  add(kRowIdColumn, ArrayOver(arrow::uint64(), arrow::Buffer::FromVector(std::move(ids))));
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<int64_t>(rows.num_rows),
                                  std::move(columns));
}

inline std::shared_ptr<const PartitionStorage> StorageOf(const TestIndex& index, const TestRows& rows) {
  return OrDie(index.quantizer->MakeStorage(*BatchOf(index.shape, rows), StorageLayout::kScan));
}

/// A query and the partition that it is compared with.
struct TestQuery {
  std::vector<float> query, centroid;
  ScorerOptions options;

  /// As the index computes it before it looks at rows.
  float CentroidDistance() const {
    if (options.metric == Metric::kDot) return 1 - simd::Dot(query.data(), centroid.data(), query.size());
    return simd::L2Squared(query.data(), centroid.data(), query.size());
  }
};

inline TestQuery MakeTestQuery(size_t dimension, const ScorerOptions& options) {
  return {RandomFloats(dimension, 51), RandomFloats(dimension, 52), options};
}

inline std::vector<Neighbor> Scan(const Quantizer& quantizer, const PartitionStorage& storage, const TestQuery& query,
                                  TopK top_k) {
  const auto scorer = quantizer.MakeScorer(query.query.data(), query.options);
  scorer->BeginPartition({.distance = query.CentroidDistance(), .centroid = query.centroid.data()});
  scorer->Scan(storage, &top_k);
  return top_k.Finish();
}

/// The formulas.
class Reference {
 public:
  Reference(const TestIndex& index, const TestRows& rows, const TestQuery& query)
      : shape_(index.shape), rows_(rows), is_accurate_(query.options.approx_mode == ApproxMode::kAccurate) {
    const bool is_residual = shape_.estimator == RabitqEstimator::kResidualQuery;
    std::vector<float> vector = query.query;
    for (size_t i = 0; is_residual && i < vector.size(); ++i) {
      vector[i] = RoundTo(query.options.element_type, vector[i] - query.centroid[i]);
    }
    rotated_ = index.Rotated(vector);
    for (float value : rotated_) sum_ += value;
    FillTable();
    const double distance = query.CentroidDistance();
    const bool is_dot = query.options.metric == Metric::kDot;
    add_weight_ = 1;
    if (is_residual) {
      offset_ = is_dot ? distance - 1 : distance;
    } else if (is_dot) {
      SetDot(query);
    } else {
      offset_ = distance;
      query_error_ = std::sqrt(std::max(distance, 0.0));
    }
  }

  double OneBit(size_t row) const {
    const double product = shape_.estimator == RabitqEstimator::kRawQuery
                               ? Product(row) - 0.5 * sum_
                               : (2 * Product(row) - sum_) / std::sqrt(double{1} * shape_.code_dimension);
    return product * rows_.scale[row] + add_weight_ * rows_.add[row] + offset_;
  }

  double LowerBound(size_t row) const { return OneBit(row) - rows_.error[row] * query_error_; }

  double Full(size_t row) const {
    const double unit = 1U << shape_.ex_bits();
    double ex = 0;
    for (size_t i = 0; i < shape_.code_dimension; ++i) {
      ex += double{rotated_[i]} * rows_.ExCode(row, i, shape_.ex_bits(), shape_.code_dimension);
    }
    const double product = unit * Product(row) + ex - (unit - 0.5) * sum_;
    return product * rows_.ex_scale[row] + add_weight_ * rows_.ex_add[row] + offset_;
  }

  /// What a float of these sums may be off by.
  double Allowance(size_t row) const {
    double magnitude = 0;
    for (float value : rotated_) magnitude += std::abs(value);
    const double unit = 1U << shape_.ex_bits();
    const double scale = std::abs(rows_.scale[row]) + (unit > 1 ? unit * std::abs(rows_.ex_scale[row]) : 0);
    return 1e-6 * (1 + magnitude * scale + 10 * std::abs(offset_));
  }

  double query_error() const { return query_error_; }

 private:
  void SetDot(const TestQuery& query) {
    double product = 0, squares = 0, rest = 0;
    for (size_t i = 0; i < query.query.size(); ++i) {
      product += double{query.query[i]} * query.centroid[i];
      squares += double{query.centroid[i]} * query.centroid[i];
    }
    add_weight_ = squares == 0 ? 0 : product / squares;
    for (size_t i = 0; i < query.query.size(); ++i) {
      const double difference = query.query[i] - add_weight_ * query.centroid[i];
      rest += difference * difference;
    }
    offset_ = 1 - product - add_weight_;
    query_error_ = std::sqrt(rest);
  }

  void FillTable() {
    table_.resize(rotated_.size() * 4);
    for (size_t i = 0; i < table_.size(); ++i) {
      for (size_t b = 4; b-- > 0;) table_[i] += (i >> b & 1) != 0 ? rotated_[i / 16 * 4 + b] : 0.0F;
    }
    const auto [min, max] = std::minmax_element(table_.begin(), table_.end());
    const float steps = is_accurate_ ? 65535 : 255, factor = steps / (*max - *min);
    step_ = (*max - *min) / steps;
    base_ = static_cast<float>(table_.size() / 16) * *min;
    for (float entry : table_) entries_.push_back(std::isfinite(factor) ? std::nearbyint((entry - *min) * factor) : 0);
  }

  /// With the row's bits: by the rounded table in complete blocks, exact in the last rows.
  double Product(size_t row) const {
    const bool is_in_block = row < rows_.num_rows - rows_.num_rows % 32;
    double sum = is_in_block ? base_ : 0;
    for (size_t g = 0; g < table_.size() / 16; ++g) {
      size_t entry = g * 16;
      for (size_t b = 0; b < 4; ++b) entry += rows_.Bit(row, 4 * g + b, shape_.code_bytes()) ? size_t{1} << b : 0;
      sum += is_in_block ? double{step_} * entries_[entry] : double{table_[entry]};
    }
    return sum;
  }

  const RabitqShape& shape_;
  const TestRows& rows_;
  bool is_accurate_;
  std::vector<float> rotated_, table_, entries_;
  float step_ = 0, base_ = 0;
  double sum_ = 0, add_weight_ = 1, offset_ = 0, query_error_ = 0;
};

}  // namespace fewter::rabitq_test
