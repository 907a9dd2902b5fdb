#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>

#include "fewter/ipc/sections.h"

// Whatever the bytes, every batch that is read is valid and lies inside them. Reads each byte that a batch refers to.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::shared_ptr<arrow::Buffer> run = *arrow::AllocateBuffer(static_cast<int64_t>(size));
  if (size > 0) std::memcpy(run->mutable_data(), data, size);
  fewter::ipc::SectionReader reader(run);
  for (auto batch = reader.Next(); batch.ok(); batch = reader.Next()) {
    if (!(*batch)->Validate().ok() || !fewter::ipc::PointsInto(**batch, *run)) std::abort();
    // Its findings do not matter, only that it can be asked.
    (void)(*batch)->ValidateFull();
  }
  (void)reader.Finish();
  return 0;
}
