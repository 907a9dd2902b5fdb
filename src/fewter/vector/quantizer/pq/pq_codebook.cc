#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/type.h>

#include "fewter/simd/pq_scan.h"
#include "fewter/simd/pq_tables.h"
#include "fewter/vector/quantizer/pq/pq_codebook_internal.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr size_t kCodewordsPerBlock = 16;

// From one codeword after the other to 16 side by side (`to_blocks`), or back. The blocks follow one another through
// all sub-vectors, as the codewords do.
std::vector<float> Rearranged(const PqShape& shape, const float* from, bool to_blocks) {
  const size_t sub_dimension = shape.sub_dimension();
  std::vector<float> to(shape.codebook_size());
  for (size_t block = 0; block < to.size(); block += kCodewordsPerBlock * sub_dimension) {
    for (size_t c = 0; c < kCodewordsPerBlock; ++c) {
      for (size_t t = 0; t < sub_dimension; ++t) {
        const size_t in_block = block + t * kCodewordsPerBlock + c;
        const size_t in_codeword = block + c * sub_dimension + t;
        to[to_blocks ? in_block : in_codeword] = from[to_blocks ? in_codeword : in_block];
      }
    }
  }
  return to;
}

double LongestOf(const PqShape& shape, const float* codewords) {
  double sum = 0;
  for (size_t j = 0; j < shape.num_sub_vectors; ++j) {
    double longest = 0;
    for (size_t c = 0; c < shape.num_codewords(); ++c) {
      double squares = 0;
      for (size_t t = 0; t < shape.sub_dimension(); ++t, ++codewords) squares += double{*codewords} * *codewords;
      if (!std::isfinite(squares)) return squares;
      longest = std::max(longest, squares);
    }
    sum += longest;
  }
  return std::sqrt(sum);
}

}  // namespace

std::shared_ptr<const PqCodebook> PqCodebook::FromFile(const PqShape& shape, const float* codewords) {
  const auto blocks = arrow::Buffer::FromVector(Rearranged(shape, codewords, true));
  return std::make_shared<const PqCodebook>(
      shape, std::static_pointer_cast<arrow::FloatArray>(ArrayOver(arrow::float32(), blocks)),
      std::vector<float>(codewords, codewords + shape.codebook_size()));
}

std::shared_ptr<const PqCodebook> PqCodebook::FromBlocks(const PqShape& shape,
                                                         std::shared_ptr<arrow::FloatArray> blocks) {
  auto codewords = Rearranged(shape, blocks->raw_values(), false);
  return std::make_shared<const PqCodebook>(shape, std::move(blocks), std::move(codewords));
}

PqCodebook::PqCodebook(const PqShape& shape, std::shared_ptr<arrow::FloatArray> blocks, std::vector<float> codewords)
    : shape_(shape),
      blocks_(std::move(blocks)),
      codewords_(std::move(codewords)),
      longest_(LongestOf(shape, codewords_.data())) {}

int64_t PqCodebook::SizeInBytes() const {
  return static_cast<int64_t>(2 * codewords_.size() * sizeof(float) + sizeof(*this));
}

bool PqCodebook::SquaredLengths(const float* centroid, const uint8_t* codes, size_t stride, size_t num_rows,
                                float* out) const {
  // |c + w|^2 is the squared distance of w from -c.
  std::vector<float> opposite(centroid, centroid + shape_.dimension);
  for (float& value : opposite) value = -value;
  std::vector<float> table(shape_.table_size());
  simd::PqTableL2(opposite.data(), blocks_->raw_values(), shape_.num_sub_vectors, shape_.sub_dimension(),
                  shape_.num_codewords(), table.data());
  const auto scan = shape_.num_bits == 8 ? simd::PqScan8 : simd::PqScan4;
  scan(table.data(), codes, stride, num_rows, shape_.num_sub_vectors, out);
  // No term is negative, so the sum is off by at most half a unit in the last place for every addition.
  const auto additions = static_cast<float>(shape_.num_sub_vectors + shape_.sub_dimension() + 4);
  const float share = 1 - additions * std::numeric_limits<float>::epsilon();
  bool finite = true;
  for (size_t i = 0; i < num_rows; ++i) {
    out[i] *= share;
    finite &= std::isfinite(out[i]);
  }
  return finite;
}

}  // namespace fewter
