#include "fewter/lance/deletions.h"

#include <algorithm>
#include <string_view>

#include <arrow/array/array_primitive.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/lance/roaring_bitmap.h"

namespace fewter::lance {
namespace {

constexpr char kWhat[] = "deleted rows";

/// Memory that Arrow's reader may take beyond a few times the file's size, in bytes.
constexpr int64_t kSlack = 1 << 20;

/// The Arrow file holds one batch of one column, the offsets in the order of their deletion.
arrow::Result<std::vector<uint32_t>> ParseArrowFile(const std::shared_ptr<arrow::Buffer>& bytes, uint64_t num_deleted) {
  // A compressed body says how long it will be; the cap is why we need not believe it. It looks at what the pool below
  // has given to anyone, which must not be the whole process.
  arrow::ProxyMemoryPool given(arrow::default_memory_pool());
  arrow::CappedMemoryPool pool(&given, 3 * bytes->size() + kSlack);
  arrow::ipc::IpcReadOptions options;
  options.memory_pool = &pool;
  options.use_threads = false;
  options.ensure_alignment = arrow::ipc::Alignment::kDataTypeSpecificAlignment;
  auto stream = std::make_shared<arrow::io::BufferReader>(bytes);
  ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ipc::RecordBatchFileReader::Open(stream, options));
  if (reader->num_record_batches() != 1 || reader->schema()->num_fields() != 1 ||
      reader->schema()->field(0)->type()->id() != arrow::Type::UINT32) {
    return arrow::Status::Invalid(kWhat, ": the Arrow file is not one batch of one uint32 column");
  }
  ARROW_ASSIGN_OR_RAISE(auto batch, reader->ReadRecordBatch(0));
  RETURN_NOT_OK(batch->ValidateFull());
  const auto& column = static_cast<const arrow::UInt32Array&>(*batch->column(0));
  if (column.null_count() != 0) return arrow::Status::Invalid(kWhat, ": the Arrow file holds nulls");
  if (static_cast<uint64_t>(column.length()) != num_deleted) {
    return arrow::Status::Invalid(kWhat, ": the manifest says ", num_deleted, ", the file has ", column.length());
  }
  std::vector<uint32_t> offsets(column.raw_values(), column.raw_values() + column.length());
  std::sort(offsets.begin(), offsets.end());
  if (std::adjacent_find(offsets.begin(), offsets.end()) != offsets.end()) {
    return arrow::Status::Invalid(kWhat, ": an offset occurs twice");
  }
  return offsets;
}

arrow::Result<std::vector<uint32_t>> ParseBitmap(const arrow::Buffer& bytes, uint64_t num_deleted) {
  ARROW_ASSIGN_OR_RAISE(auto offsets, ParseRoaringBitmap(std::string_view(bytes), num_deleted, kWhat));
  if (offsets.size() == num_deleted) return offsets;
  return arrow::Status::Invalid(kWhat, ": the manifest says ", num_deleted, ", the file has ", offsets.size());
}

/// More bytes than a deletion file has that Lance wrote.
uint64_t LargestSize(const Fragment& fragment) {
  constexpr uint64_t kFraming = 4096;
  constexpr uint64_t kValuesOfContainer = 65536, kLargestContainer = 8192 + 8;
  if (fragment.deletion_file->type == DeletionFileType::kBitmap) {
    return (fragment.physical_rows / kValuesOfContainer + 1) * kLargestContainer + kFraming;
  }
  return std::min({fragment.deletion_file->num_deleted_rows, fragment.physical_rows, ReadableFile::kReadWhole}) *
             (sizeof(uint32_t) + 1) +
         kFraming;
}

}  // namespace

std::string DeletionFilePath(uint64_t fragment_id, const DeletionFile& file) {
  return "_deletions/" + std::to_string(fragment_id) + "-" + std::to_string(file.read_version) + "-" +
         std::to_string(file.id) + (file.type == DeletionFileType::kBitmap ? ".bin" : ".arrow");
}

arrow::Result<std::vector<uint32_t>> ReadDeletions(const ObjectStore& store, const Fragment& fragment) {
  if (!fragment.deletion_file) return std::vector<uint32_t>();
  const std::string path = DeletionFilePath(fragment.id, *fragment.deletion_file);
  arrow::Result<std::vector<uint32_t>> offsets;
  const auto parse = [&](const std::shared_ptr<arrow::Buffer>& bytes) {
    offsets = ParseDeletions(bytes, fragment.deletion_file->type, fragment.deletion_file->num_deleted_rows,
                             fragment.physical_rows);
    return offsets.ok();
  };
  const auto file = store.OpenFile(path, 0, IoKind::kManifest);
  ARROW_ASSIGN_OR_RAISE(const auto bytes, file->ReadWhole(LargestSize(fragment), parse));
  if (offsets.ok() || parse(bytes)) return offsets;
  // The bytes are all there: whatever Arrow calls it, they are wrong.
  const auto code =
      offsets.status().IsNotImplemented() ? arrow::StatusCode::NotImplemented : arrow::StatusCode::Invalid;
  return arrow::Status::FromArgs(code, store.name(), "/", path, ": ", offsets.status().message());
}

arrow::Result<std::vector<uint32_t>> ParseDeletions(const std::shared_ptr<arrow::Buffer>& bytes, DeletionFileType type,
                                                    uint64_t num_deleted, uint64_t physical_rows) {
  if (num_deleted > physical_rows) {
    return arrow::Status::Invalid(kWhat, ": of ", physical_rows, " rows more are said to be deleted: ", num_deleted);
  }
  ARROW_ASSIGN_OR_RAISE(auto offsets, type == DeletionFileType::kBitmap ? ParseBitmap(*bytes, num_deleted)
                                                                        : ParseArrowFile(bytes, num_deleted));
  if (!offsets.empty() && offsets.back() >= physical_rows) {
    return arrow::Status::Invalid(kWhat, ": the fragment has ", physical_rows, " rows, an offset is ", offsets.back());
  }
  return offsets;
}

}  // namespace fewter::lance
