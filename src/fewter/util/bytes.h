#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>

#include <arrow/buffer.h>
#include <arrow/result.h>

/// Reading little-endian numbers and ranges out of bytes that nobody has checked yet.
///
/// Every offset that comes from a file or a cache passes through here, so that the overflow checks are written once.

namespace fewter {

static_assert(std::endian::native == std::endian::little, "Lance files and cache entries are little-endian");

/// The alignment of every buffer that a kernel reads, and of every section of a cache entry, in bytes.
inline constexpr int64_t kBufferAlignment = 64;

/// `value` rounded up to a multiple of `multiple`, a power of two. Requires that the result fits.
template <std::unsigned_integral T>
constexpr T RoundUp(T value, T multiple) {
  return (value + multiple - 1) & ~(multiple - 1);
}

/// Copies a number out of possibly unaligned memory. Requires sizeof(T) readable bytes.
template <typename T>
  requires std::is_trivially_copyable_v<T>
T LoadLittleEndian(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// True if [offset, offset + length) lies inside [0, total), with no overflow in the sum.
constexpr bool RangeIsInside(uint64_t offset, uint64_t length, uint64_t total) {
  return offset <= total && length <= total - offset;
}

/// a * b, or false if the product does not fit in 64 bits.
[[nodiscard]] inline bool CheckedMultiply(uint64_t a, uint64_t b, uint64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

/// a + b, or false if the sum does not fit in 64 bits.
[[nodiscard]] inline bool CheckedAdd(uint64_t a, uint64_t b, uint64_t* sum) {
  return !__builtin_add_overflow(a, b, sum);
}

/// The bytes [offset, offset + length) of `buffer`, sharing its memory.
/// Invalid, naming `what`, if they are not all inside it.
arrow::Result<std::shared_ptr<arrow::Buffer>> SliceChecked(const std::shared_ptr<arrow::Buffer>& buffer,
                                                           uint64_t offset, uint64_t length, const char* what);

/// `buffer` itself if its first byte is aligned to kBufferAlignment, otherwise an aligned copy from `pool`.
arrow::Result<std::shared_ptr<arrow::Buffer>> EnsureAligned(std::shared_ptr<arrow::Buffer> buffer,
                                                            arrow::MemoryPool* pool = arrow::default_memory_pool());

}  // namespace fewter
