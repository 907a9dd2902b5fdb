#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array.h>

namespace fewter {

/// The numbers that everything else about a PQ index follows from. Checked: PqMetadata::CheckShape.
struct PqShape {
  uint32_t num_bits;
  uint32_t num_sub_vectors;
  uint32_t dimension;

  size_t num_codewords() const { return size_t{1} << num_bits; }
  size_t sub_dimension() const { return dimension / num_sub_vectors; }
  size_t table_size() const { return num_codewords() * num_sub_vectors; }
  uint64_t codebook_size() const { return uint64_t{num_codewords()} * dimension; }
  uint32_t code_width() const { return num_bits == 8 ? num_sub_vectors : num_sub_vectors / 2; }
};

/// The codewords in the two orders that kernels read them in. Immutable, thread safe.
class PqCodebook {
 public:
  /// `codewords` are codebook_size() floats in the file's order, codeword after codeword.
  static std::shared_ptr<const PqCodebook> FromFile(const PqShape& shape, const float* codewords);
  /// `blocks` are what blocks() was; no copy of them.
  static std::shared_ptr<const PqCodebook> FromBlocks(const PqShape& shape, std::shared_ptr<arrow::FloatArray> blocks);

  PqCodebook(const PqShape& shape, std::shared_ptr<arrow::FloatArray> blocks, std::vector<float> codewords);

  const PqShape& shape() const { return shape_; }
  /// As simd::PqTableL2 wants them: 16 codewords side by side. What is kept in the index state.
  const std::shared_ptr<arrow::FloatArray>& blocks() const { return blocks_; }
  /// One codeword after the other.
  const float* codewords() const { return codewords_.data(); }
  /// No vector that is made of one codeword for each sub-vector is longer than this; NaN or infinite if a codeword is.
  double longest() const { return longest_; }
  int64_t SizeInBytes() const;

  /// out[i] = not more, and hardly less, than the squared length of what row i stands for, the sum of the centroid and
  /// its codewords. `codes` are column-major as PqStorage lays them out. False if one of them is not finite.
  bool SquaredLengths(const float* centroid, const uint8_t* codes, size_t stride, size_t num_rows, float* out) const;

 private:
  PqShape shape_;
  std::shared_ptr<arrow::FloatArray> blocks_;
  std::vector<float> codewords_;
  double longest_;
};

}  // namespace fewter
