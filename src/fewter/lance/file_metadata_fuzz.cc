#include <cstddef>
#include <cstdint>

#include <arrow/io/memory.h>

#include "fewter/lance/file_metadata.h"

// The input is the end of a file, or what a cache says was one. What can be decoded must survive the cache.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fewter::lance::FileMetadata;
  const auto input = std::make_shared<arrow::Buffer>(data, static_cast<int64_t>(size));
  (void)FileMetadata::Deserialize(input).ok();
  (void)FileMetadata::RequiredTail("fuzz", size, input).ok();
  const auto metadata = FileMetadata::Parse("fuzz", size, input);
  if (!metadata.ok()) return 0;
  auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  if (!(*metadata)->Serialize(out.get()).ok()) __builtin_trap();
  const auto again = FileMetadata::Deserialize(out->Finish().ValueOrDie());
  if (!again.ok() || (*again)->num_rows() != (*metadata)->num_rows()) __builtin_trap();
  return 0;
}
