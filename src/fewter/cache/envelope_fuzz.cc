#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <arrow/buffer.h>

#include "fewter/cache/envelope.h"
#include "fewter/cache/envelope_internal.h"
#include "fewter/cache/test_values_internal.h"
#include "fewter/util/bytes.h"

using fewter::testing::Text;
using fewter::testing::TextKey;

// Whatever the bytes, decoding them reads nothing outside and a hit's body lies inside. The input is tried as it is,
// and once more with the checksum of its header put right, as one who wants to do harm would.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fewter::internal::EnvelopeHeader;
  const fewter::testing::Encoded key(TextKey{17}, fewter::CacheNamespace::Root()->Child("a"));
  const std::shared_ptr<arrow::Buffer> bytes = *arrow::AllocateBuffer(static_cast<int64_t>(size));
  if (size > 0) std::memcpy(bytes->mutable_data(), data, size);
  const auto decode = [&](fewter::VerifyBody verify) {
    const auto decoded = fewter::DecodeEntry(*key, fewter::CacheCodec::For<Text>(), bytes, verify);
    if (!decoded.hit()) return;
    const auto& body = *std::static_pointer_cast<const Text>(decoded.value)->bytes();
    if (body.data() < bytes->data() || body.data() + body.size() > bytes->data() + size) std::abort();
  };
  decode(fewter::VerifyBody::kYes);
  if (size < sizeof(EnvelopeHeader)) return 0;
  auto header = fewter::LoadLittleEndian<EnvelopeHeader>(data);
  const uint64_t body_offset = std::clamp<uint64_t>(header.body_offset, sizeof(EnvelopeHeader), size);
  header.header_checksum =
      fewter::internal::EnvelopeHeaderChecksum({reinterpret_cast<const char*>(data), size}, body_offset);
  std::memcpy(bytes->mutable_data(), &header, sizeof(header));
  decode(fewter::VerifyBody::kNo);
  return 0;
}
