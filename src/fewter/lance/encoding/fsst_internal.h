#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <arrow/result.h>

namespace fewter::lance {

/// Undoes FSST (Boncz, Neumann, Leis: "FSST: Fast Random Access String Compression", VLDB 2020): a byte stands for a
/// symbol of 1 to 8 bytes, and 255 for the byte after it. Immutable.
class FsstDecoder {
 public:
  /// From a page's symbol table: a u64 (magic, switch, number of symbols), the symbols (8 bytes each), their lengths.
  /// Invalid if it is malformed.
  static arrow::Result<std::shared_ptr<const FsstDecoder>> Make(std::string_view table);

  /// The most bytes that a compressed byte can become.
  static constexpr uint64_t kMaxExpansion = 8;

  /// Writes at most kMaxExpansion bytes for each of `compressed` to `out`; returns how many count. Invalid for a byte
  /// without a symbol, or an escape without a byte.
  arrow::Result<uint64_t> Decode(std::span<const uint8_t> compressed, uint8_t* out) const;

 private:
  /// Columns of little text keep it as it is.
  bool is_plain_ = false;
  std::array<uint64_t, 256> symbols_ = {};
  /// 0 for a code that stands for nothing.
  std::array<uint8_t, 256> lengths_ = {};
};

}  // namespace fewter::lance
