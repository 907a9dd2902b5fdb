#include "fewter/lance/encoding/run_length_internal.h"

#include <algorithm>

#include "fewter/lance/encoding/words_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

template <typename Value, typename Length>
arrow::Status DecodeAs(std::span<const uint8_t> values, std::span<const uint8_t> lengths, uint64_t count,
                       bool may_overrun, Value* out) {
  const uint64_t runs = values.size() / sizeof(Value);
  if (values.size() != runs * sizeof(Value) || lengths.size() != runs * sizeof(Length)) {
    return arrow::Status::Invalid(values.size(), " bytes of run values with ", lengths.size(), " bytes of run lengths");
  }
  uint64_t left = count;
  for (uint64_t i = 0; i < runs; ++i) {
    uint64_t length = LoadLittleEndian<Length>(lengths.data() + i * sizeof(Length));
    if (may_overrun) length = std::min(length, left);
    if (length > left) return arrow::Status::Invalid("runs of more than the ", count, " values there are");
    out = std::fill_n(out, length, LoadLittleEndian<Value>(values.data() + i * sizeof(Value)));
    left -= length;
  }
  if (left > 0) return arrow::Status::Invalid("runs of ", count - left, " values where there are ", count);
  return arrow::Status::OK();
}

}  // namespace

arrow::Status DecodeRunLengths(std::span<const uint8_t> values, uint32_t value_bits, std::span<const uint8_t> lengths,
                               uint32_t length_bits, uint64_t count, bool may_overrun, uint8_t* out) {
  return WithWord(value_bits, [&](auto value) {
    using Value = decltype(value);
    return WithWord(length_bits, [&](auto length) {
      return DecodeAs<Value, decltype(length)>(values, lengths, count, may_overrun, reinterpret_cast<Value*>(out));
    });
  });
}

}  // namespace fewter::lance
