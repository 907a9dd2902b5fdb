#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

#include "fewter/vector/quantizer/quantizer.h"
#include "fewter/vector/quantizer/registry.h"

/// RaBitQ (Gao, Long: RaBitQ, SIGMOD 2024; extended to more bits by Gao et al.: Practical and Asymptotically Optimal
/// Quantization of High-Dimensional Vectors, SIGMOD 2025). What is left of a vector without its partition's centroid is
/// rotated at random, and of each element then the sign is kept: one bit. Up to eight further bits an element, the
/// ex code, place it on a grid. A row has a few factors besides, so that a distance is a formula of an inner product.
///
/// A scan computes the inner products of the query with the bits of 32 rows at a time, by look-ups in tables of the
/// query (see simd/rabitq_scan.h). Where rows have an ex code, that gives a lower bound of the distance, and the code
/// is read only for rows whose bound is below the worst distance kept; so results depend a little on the order of the
/// partitions, as Lance's do. ApproxMode::kFast leaves ex codes alone, kAccurate makes the tables finer.
///
/// Distances are Lance's: complete blocks of 32 rows go through rounded tables, the rest of a partition is summed as it
/// is. For cosine it is that of L2 between unit vectors, about 2 (1 - cos). There is no random access.

namespace fewter {

/// What of the query is rotated. The numbers are written into cache entries and never change.
enum class RabitqEstimator : uint32_t {
  /// The query, once for all partitions.
  kRawQuery = 0,
  /// Its difference to the centroid, for each partition: indexes of releases before 8.0. They have no ex codes; several
  /// bits mean as many one-bit elements.
  kResidualQuery = 1,
};

/// The numbers are written into cache entries and never change.
enum class RabitqRotation : uint32_t { kHadamard = 0, kMatrix = 1 };

/// The numbers that everything else follows from.
struct RabitqShape {
  /// Elements of a vector.
  uint32_t dimension = 0;
  /// One-bit elements of a row; a multiple of 8, and at least the dimension.
  uint32_t code_dimension = 0;
  uint32_t num_bits = 1;
  RabitqEstimator estimator = RabitqEstimator::kRawQuery;
  RabitqRotation rotation = RabitqRotation::kHadamard;
  /// Whether the file has the codes of 32 rows side by side.
  bool packed = true;
  /// Whether the file has ex codes as kernels read them, in `__blocked_ex_codes`, rather than one element's behind the
  /// other's, in `__ex_codes`.
  bool has_blocked_ex_codes = true;

  static constexpr uint32_t kMaxCodeDimension = 65536;

  uint32_t code_bytes() const { return code_dimension / 8; }
  /// Of an element's ex code; 0 for none.
  uint32_t ex_bits() const { return estimator == RabitqEstimator::kRawQuery ? num_bits - 1 : 0; }
  /// What the rotation takes: one of the two is 0.
  uint64_t num_sign_bytes() const { return rotation == RabitqRotation::kHadamard ? uint64_t{4} * code_bytes() : 0; }
  uint64_t num_matrix_elements() const {
    return rotation == RabitqRotation::kMatrix ? uint64_t{code_dimension} * dimension : 0;
  }

  /// Invalid, naming the field, for numbers that do not belong together.
  arrow::Status Check() const;
};

/// What Lance's storage_metadata of an RQ index says. Keys that old releases did not know may be missing.
struct RabitqMetadata {
  uint32_t num_bits = 1;
  /// 0 if it does not say: the rows of the matrix.
  uint32_t code_dimension = 0;
  bool packed = true;
  /// Not said here, but by the names of the columns.
  bool has_blocked_ex_codes = true;
  RabitqEstimator estimator = RabitqEstimator::kResidualQuery;
  RabitqRotation rotation = RabitqRotation::kMatrix;
  /// Of the rotation by Hadamard transforms: a bit an element and round, set for minus, the lowest of a byte first;
  /// each round in whole bytes.
  std::vector<uint8_t> signs = {};
  /// The global buffer of auxiliary.idx that holds the matrix.
  std::optional<uint32_t> matrix_position = {};

  /// Invalid, naming the field, if something is missing, malformed or out of range. Never throws.
  static arrow::Result<RabitqMetadata> Parse(std::string_view storage_metadata);
};

/// `matrix`, unless null or without need, is row after row and square, or has as many columns as a vector has elements.
/// Invalid, naming what, if the parts do not fit together.
arrow::Result<std::shared_ptr<const Quantizer>> MakeRabitqQuantizer(const RabitqMetadata& metadata, uint32_t dimension,
                                                                    const std::shared_ptr<arrow::FloatArray>& matrix);

extern const StorageKindEntry kRabitqKind;

}  // namespace fewter
