#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/buffer.h>

/// For tests: all the small ways to damage a file.

namespace fewter::lance {

/// `bytes` in memory of exactly their size, so that AddressSanitizer sees a read past their end.
inline std::shared_ptr<arrow::Buffer> ExactBuffer(std::string_view bytes) {
  std::shared_ptr<char[]> memory(new char[bytes.size()]);
  bytes.copy(memory.get(), bytes.size());
  const auto* data = reinterpret_cast<const uint8_t*>(memory.get());
  return std::shared_ptr<arrow::Buffer>(new arrow::Buffer(data, static_cast<int64_t>(bytes.size())),
                                        [memory](arrow::Buffer* buffer) { delete buffer; });
}

/// Calls `read` with every shorter piece of the start and of the end of `bytes`, and with each byte changed in several
/// ways.
inline void ForEachCorruption(std::string_view bytes,
                              const std::function<void(const std::shared_ptr<arrow::Buffer>&)>& read) {
  for (size_t length = 0; length < bytes.size(); ++length) {
    read(ExactBuffer(bytes.substr(0, length)));
    read(ExactBuffer(bytes.substr(bytes.size() - length)));
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned char flip : {0xFF, 0x80, 0x40, 0x08, 0x01}) {
      std::string changed(bytes);
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ flip);
      read(ExactBuffer(changed));
    }
  }
}

}  // namespace fewter::lance
