#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include <arrow/buffer.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/schema.h"
#include "fewter/util/bytes.h"

// An input that ends like a manifest's file is one. Any other is the length of an index section (u16), that section and
// the manifest's message; the lengths and positions of the file are then put around them, so that a change of the
// messages reaches their decoder.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  if (!file.ends_with("LANC") && size >= 2) {
    const auto number = [](uint64_t value, size_t bytes) {
      return std::string(reinterpret_cast<const char*>(&value), bytes);
    };
    const size_t split = std::min<size_t>(fewter::LoadLittleEndian<uint16_t>(data), size - 2);
    const std::string indexes = file.substr(2, split);
    const std::string manifest = file.substr(2 + split);
    file = number(indexes.size(), 4) + indexes + number(manifest.size(), 4) + manifest;
    file += number(4 + indexes.size(), 8) + number(0, 4) + "LANC";
  }
  const auto bytes =
      std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(file.data()), static_cast<int64_t>(file.size()));
  const auto manifest = fewter::lance::ParseManifest(bytes, "fuzz");
  if (!manifest.ok()) return 0;
  if ((*manifest)->live_rows() > (*manifest)->physical_rows()) std::abort();
  for (const auto& fragment : (*manifest)->fragments) {
    if (fragment.id > UINT32_MAX) std::abort();
  }
  const auto& fields = (*manifest)->fields;
  // To find fields by their paths takes the square of their number.
  constexpr size_t kMostFields = 64;
  for (size_t i = 0; i < std::min(fields.size(), kMostFields); ++i) {
    const auto field = fewter::lance::ToArrowField(fields, i);
    if (field.ok() && (*field)->name() != fields[i].name) std::abort();
    const std::string path = fewter::lance::PathOf(fields, i);
    if (!path.empty() && fewter::lance::FindField(fields, path) == nullptr) std::abort();
  }
  return 0;
}
