#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace fewter::cli {

/// Vectors from a file, one a row.
struct Matrix {
  uint64_t rows = 0;
  uint64_t columns = 0;
  std::vector<float> values;
  std::vector<float> Row(uint64_t row) const {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(row * columns);
    return {first, first + static_cast<std::ptrdiff_t>(columns)};
  }
};

/// Reads a numpy .npy file: one vector or a matrix of them, of float16, float32, float64 or uint8, little-endian and in
/// C order, turned into float32. An argument error, naming the file, for anything else.
arrow::Result<Matrix> ReadNpy(const std::string& path);

/// Decodes the bytes of such a file.
arrow::Result<Matrix> ParseNpy(std::string_view bytes, const std::string& path);

}  // namespace fewter::cli
