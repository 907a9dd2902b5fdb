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

/// The same as vectors, all of which are finite; an argument error, naming file and vector, otherwise.
arrow::Result<std::vector<std::vector<float>>> ReadVectors(const std::string& path);

/// Whole numbers from a file, such as row numbers, one list a row.
struct WholeNumbers {
  uint64_t rows = 0;
  uint64_t columns = 0;
  std::vector<uint64_t> values;
  uint64_t At(uint64_t row, uint64_t column) const { return values[row * columns + column]; }
};

/// As ReadNpy, for values of type int32, int64, uint32 or uint64, none of them negative.
arrow::Result<WholeNumbers> ReadWholeNumbers(const std::string& path);

/// Decodes the bytes of such a file.
arrow::Result<WholeNumbers> ParseWholeNumbers(std::string_view bytes, const std::string& path);

}  // namespace fewter::cli
