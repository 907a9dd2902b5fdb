#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fewter/cache/disk/segment_format.h"

using fewter::disk::SegmentTrailer;

namespace {

/// What a reader relies on.
void Check(const fewter::disk::SegmentFooter& footer, const SegmentTrailer& trailer) {
  uint64_t end = sizeof(fewter::disk::SegmentHeader);
  for (const auto& record : footer.records) {
    if (record.offset < end || record.length > trailer.footer_offset - record.offset) std::abort();
    if (record.name_space >= footer.name_spaces.size() || record.type_id >= footer.type_ids.size()) std::abort();
    end = record.offset + record.length;
  }
  if (fewter::disk::EncodeSegmentEnd(footer, trailer.footer_offset).size() !=
      trailer.footer_length + sizeof(SegmentTrailer)) {
    std::abort();
  }
}

}  // namespace

// The input is tried as the end of a file, and once more as a footer with the trailer that its writer would give it, as
// one who wants to do harm would.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view text = bytes;
  const size_t trailer_size = std::min(size, sizeof(SegmentTrailer));
  const auto trailer = fewter::disk::DecodeSegmentTrailer(text.substr(size - trailer_size), size);
  if (trailer.ok()) {
    const auto footer =
        fewter::disk::DecodeSegmentFooter(text.substr(trailer->footer_offset, trailer->footer_length), *trailer);
    if (footer.ok()) Check(*footer, *trailer);
  }
  const SegmentTrailer forged{
      .footer_offset = 1 << 20, .footer_length = size, .footer_checksum = fewter::disk::SegmentChecksum(text)};
  if (const auto footer = fewter::disk::DecodeSegmentFooter(text, forged); footer.ok()) Check(*footer, forged);
  return 0;
}
