#include <algorithm>
#include <cstdlib>

#include "fewter/lance/fragment_reuse.h"

// The first byte is the number of fragments to ask about; the message follows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto message = std::make_shared<arrow::Buffer>(data + 1, static_cast<int64_t>(size - 1));
  const auto reuse = fewter::lance::FragmentReuse::Parse(message);
  if (!reuse.ok()) return 0;
  std::vector<uint32_t> fragments;
  for (uint32_t id = 0; id < data[0]; ++id) {
    fragments.push_back(id);
    for (uint64_t offset = 0; offset < 5; ++offset) (*reuse)->NewAddress(uint64_t{id} << 32 | offset);
  }
  const auto now = (*reuse)->NewFragments(fragments);
  if (!std::is_sorted(now.begin(), now.end())) std::abort();
  if (!(*reuse)->Concerns(fragments) && now != fragments) std::abort();
  return 0;
}
