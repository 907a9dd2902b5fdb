#include <cstdlib>
#include <string>
#include <string_view>

#include <arrow/util/utf8.h>

#include "fewter/lance/jsonb.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!fewter::lance::AppendJsonText(bytes, &text).ok()) return 0;
  // A control character takes six characters, and four bytes of the entry of a value at most 25.
  constexpr size_t kMaxExpansion = 8;
  if (text.empty() || text.size() > kMaxExpansion * (size + 1) || !arrow::util::ValidateUTF8(text)) std::abort();
  return 0;
}
