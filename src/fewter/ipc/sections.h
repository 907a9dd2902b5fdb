#pragma once

#include <cstdint>
#include <memory>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/type_fwd.h>

/// Sections: record batches one after another in one run of bytes, read back without a copy.
///
/// A section is zero padding up to a multiple of 64 bytes from the first byte of the run, then one Arrow IPC stream
/// (schema, one record batch, end of stream) written with 64-byte alignment. If the run itself starts at a 64-byte
/// boundary in memory, so does every buffer of every array that is read from it. Format: docs/format/sections.md.

namespace fewter::ipc {

/// Appends `batch` as a section. `out` must have been at position 0 at the first byte of the run.
/// Invalid for a batch with dictionary-encoded columns, which would need more than one message.
arrow::Status WriteSection(const arrow::RecordBatch& batch, arrow::io::OutputStream* out);

/// Reads the sections of one run in order.
///
/// The arrays that it returns point into the run and keep it alive. Nothing is copied: a section whose body would have
/// to be decompressed, realigned or otherwise copied is refused.
///
/// The bytes are treated as hostile. A batch that is returned has passed RecordBatch::Validate, which looks at lengths
/// and at the ends of offsets but not at every value: check what is inside a list's or a string's offsets, and any
/// number used as an index, before relying on it.
class SectionReader {
 public:
  /// `run` must start at a 64-byte boundary in memory; otherwise Next returns Invalid.
  explicit SectionReader(std::shared_ptr<arrow::Buffer> run);

  /// The next section's batch. Invalid if there is none, if it is malformed, or if it does not have the schema
  /// `expected` (names and types; metadata and nullability do not matter; null to accept any). After an error the
  /// reader stays where it was.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next(const arrow::Schema* expected = nullptr);

  /// Invalid if there are bytes left other than padding.
  arrow::Status Finish() const;

 private:
  std::shared_ptr<arrow::Buffer> run_;
  int64_t position_ = 0;
};

/// True if every buffer of every array of `batch`, children included, lies inside `run`'s memory.
/// A buffer of no bytes lies everywhere.
bool PointsInto(const arrow::RecordBatch& batch, const arrow::Buffer& run);

}  // namespace fewter::ipc
