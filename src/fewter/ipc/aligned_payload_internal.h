#pragma once

#include <arrow/ipc/writer.h>
#include <arrow/status.h>

namespace fewter::ipc::internal {

/// Spreads the body of a record batch, as GetRecordBatchPayload made it, so that each of its buffers begins at a
/// multiple of 64 bytes from the start of the body.
///
/// Arrow's writer begins buffers at multiples of 8 whatever IpcWriteOptions::alignment says (that moves the body as a
/// whole). So the offsets in the payload's metadata, a flatbuffer, are rewritten in place, and zeros are put between
/// the buffers. The message stays one that any Arrow reader reads.
arrow::Status AlignBuffers(arrow::ipc::IpcPayload* payload);

}  // namespace fewter::ipc::internal
