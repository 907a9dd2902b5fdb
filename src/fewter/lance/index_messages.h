#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

namespace fewter::lance {

/// The numbers are Lance's.
enum class TensorType : uint8_t { kBFloat16 = 0, kFloat16 = 1, kFloat32 = 2, kFloat64 = 3, kUInt8 = 4 };
std::string_view ToString(TensorType type);
/// Bytes of one element.
uint64_t ElementSize(TensorType type);

/// A dense row-major array as index files hold it. The data's length has been checked against type and shape.
struct Tensor {
  TensorType type = TensorType::kFloat32;
  std::vector<uint64_t> shape;
  std::shared_ptr<arrow::Buffer> data;
};

/// The IVF message of index.idx or auxiliary.idx.
struct IvfMessage {
  /// One row a partition; only in index.idx.
  std::optional<Tensor> centroids;
  /// First row of each partition; may be absent. If not, there are as many as lengths.
  std::vector<uint64_t> offsets;
  /// Rows of each partition.
  std::vector<uint32_t> lengths;
};

/// Decode a global buffer. Invalid, starting with `where`, for malformed bytes.
arrow::Result<IvfMessage> ParseIvf(const std::shared_ptr<arrow::Buffer>& bytes, const std::string& where);
arrow::Result<Tensor> ParseTensor(const std::shared_ptr<arrow::Buffer>& bytes, const std::string& where);

}  // namespace fewter::lance
