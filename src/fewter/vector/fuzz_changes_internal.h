#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include <arrow/buffer.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"

/// What fuzzers do to good bytes. Bytes from nowhere hardly ever get past the outermost check, so an input is a list of
/// changes to something good, four bytes each: what to change, where, and what to put there.

namespace fewter::fuzz {

struct Change {
  uint8_t what = 0;
  uint8_t value = 0;
  uint16_t position = 0;
};

/// The input as changes; what is left over at the end is none.
class Changes {
 public:
  Changes(const uint8_t* data, size_t size) : data_(data), count_(size / 4) {}
  size_t size() const { return count_; }
  Change operator[](size_t i) const {
    return {data_[4 * i], data_[4 * i + 1], LoadLittleEndian<uint16_t>(data_ + 4 * i + 2)};
  }

 private:
  const uint8_t* data_;
  size_t count_;
};

/// A copy, exactly as long as what it holds, so that a sanitizer sees a read beyond it.
inline std::shared_ptr<arrow::Buffer> CopyOf(const arrow::Buffer& buffer) {
  return storage_test::OrDie(buffer.CopySlice(0, buffer.size()));
}

/// The numbers that code gets wrong: NaN, the infinities, the largest float, the largest and smallest integers.
inline constexpr uint32_t kSpecialNumbers[] = {0x7fc00000, 0x7f800000, 0xff800000, 0x7f7fffff,
                                               0xffffffff, 0x80000000, 0x7fffffff, 0};

/// Puts a byte there, or for the highest values one of the special numbers, aligned as numbers are.
inline void Overwrite(const Change& change, arrow::Buffer* buffer) {
  auto* bytes = const_cast<uint8_t*>(buffer->data());
  const auto size = static_cast<size_t>(buffer->size());
  if (size == 0) return;
  const size_t position = change.position % size;
  constexpr uint8_t kFirstSpecial = 256 - 8 * std::size(kSpecialNumbers);
  const size_t number = position / 4 * 4;
  if (change.value < kFirstSpecial || size < number + 4) {
    bytes[position] = change.value;
  } else {
    std::memcpy(bytes + number, &kSpecialNumbers[change.value % std::size(kSpecialNumbers)], 4);
  }
}

/// Replaces or inserts a character of a text, or puts in what JSON parsers and their callers stumble over.
inline void Overwrite(const Change& change, std::string* text) {
  static constexpr const char* kSnippets[] = {
      "-1", "1e999", "4294967296", "18446744073709551616", "null", "\"", "[", "{}", "0", "65528", "NaN", "0.5"};
  const size_t position = change.position % (text->size() + 1);
  if (change.value < 128 && position < text->size()) {
    (*text)[position] = static_cast<char>(change.value);
  } else if (change.value < 192) {
    text->erase(position, change.value % 16);
  } else {
    text->insert(position, kSnippets[change.value % std::size(kSnippets)]);
  }
}

}  // namespace fewter::fuzz
