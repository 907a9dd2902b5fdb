#include "fewter/lance/encoding/fsst_internal.h"

#include <cstring>

#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

constexpr size_t kTableSize = 8 + 256 * 8 + 256;
/// The upper half of the table's first word.
constexpr uint64_t kMagic = 0x46535354;
constexpr uint64_t kIsCompressed = uint64_t{1} << 24;
constexpr uint8_t kEscape = 255;

}  // namespace

arrow::Result<std::shared_ptr<const FsstDecoder>> FsstDecoder::Make(std::string_view table) {
  if (table.size() != kTableSize) return arrow::Status::Invalid("a symbol table of ", table.size(), " bytes");
  const auto header = LoadLittleEndian<uint64_t>(table.data());
  if (header >> 32 != kMagic) return arrow::Status::Invalid("a symbol table that does not begin like one");
  auto decoder = std::make_shared<FsstDecoder>();
  decoder->is_plain_ = (header & kIsCompressed) == 0;
  const uint64_t num_symbols = header & 255;
  const char* lengths = table.data() + (1 + num_symbols) * sizeof(uint64_t);
  for (uint64_t i = 0; i < num_symbols; ++i) {
    decoder->symbols_[i] = LoadLittleEndian<uint64_t>(table.data() + (1 + i) * sizeof(uint64_t));
    decoder->lengths_[i] = static_cast<uint8_t>(lengths[i]);
    if (decoder->lengths_[i] == 0 || decoder->lengths_[i] > kMaxExpansion) {
      return arrow::Status::Invalid("a symbol of ", +decoder->lengths_[i], " bytes");
    }
  }
  return decoder;
}

arrow::Result<uint64_t> FsstDecoder::Decode(std::span<const uint8_t> compressed, uint8_t* out) const {
  if (is_plain_) {
    if (!compressed.empty()) std::memcpy(out, compressed.data(), compressed.size());
    return compressed.size();
  }
  const uint8_t* const begin = out;
  for (size_t i = 0; i < compressed.size(); ++i) {
    const uint8_t code = compressed[i];
    if (code == kEscape) {
      if (++i == compressed.size()) return arrow::Status::Invalid("compressed text that ends within an escape");
      *out++ = compressed[i];
      continue;
    }
    if (lengths_[code] == 0) return arrow::Status::Invalid("code ", +code, " in compressed text stands for nothing");
    // All 8 bytes, of which the next symbol overwrites those that do not count.
    std::memcpy(out, &symbols_[code], sizeof(uint64_t));
    out += lengths_[code];
  }
  return static_cast<uint64_t>(out - begin);
}

}  // namespace fewter::lance
