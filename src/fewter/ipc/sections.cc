#include "fewter/ipc/sections.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/extension_type.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/ipc/aligned_payload_internal.h"
#include "fewter/ipc/known_schemas_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::ipc {
namespace {

/// What ends an IPC stream: the continuation mark and a message of no bytes.
constexpr uint64_t kEndOfStream = 0x0000'0000'ffff'ffff;

/// A pool that has nothing to give but buffers of no bytes. Arrow copies, decompresses and realigns into memory from
/// the pool of IpcReadOptions, so with this one it cannot.
class EmptyPool final : public arrow::MemoryPool {
 public:
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    if (size > 0) return Refuse(size);
    return arrow::default_memory_pool()->Allocate(0, alignment, out);
  }
  arrow::Status Reallocate(int64_t /*old_size*/, int64_t new_size, int64_t /*alignment*/, uint8_t** /*ptr*/) override {
    return new_size > 0 ? Refuse(new_size) : arrow::Status::OK();
  }
  void Free(uint8_t* buffer, int64_t /*size*/, int64_t alignment) override {
    arrow::default_memory_pool()->Free(buffer, 0, alignment);
  }
  int64_t bytes_allocated() const override { return 0; }
  int64_t total_bytes_allocated() const override { return 0; }
  int64_t num_allocations() const override { return 0; }
  std::string backend_name() const override { return "empty"; }

 private:
  static arrow::Status Refuse(int64_t size) {
    return arrow::Status::OutOfMemory("reading in place would have to copy ", size, " bytes");
  }
};

EmptyPool* GetEmptyPool() {
  // Buffers keep a pointer to their pool, so it lives for ever.
  static auto* const pool = new EmptyPool;
  return pool;
}

/// Where a buffer lies in the run: inside it, and at a multiple of `alignment` from its start.
bool LiesIn(const arrow::Buffer& run, const arrow::Buffer& buffer, uint64_t alignment) {
  if (buffer.size() == 0) return true;
  // A buffer before the run wraps around to an offset that is far too large.
  const uint64_t offset = buffer.address() - run.address();
  return RangeIsInside(offset, static_cast<uint64_t>(buffer.size()), static_cast<uint64_t>(run.size())) &&
         offset % alignment == 0;
}

bool LiesIn(const arrow::Buffer& run, const arrow::ArrayData& array, uint64_t alignment) {
  return array.dictionary == nullptr &&
         std::all_of(array.buffers.begin(), array.buffers.end(),
                     [&](const auto& buffer) { return buffer == nullptr || LiesIn(run, *buffer, alignment); }) &&
         std::all_of(array.child_data.begin(), array.child_data.end(),
                     [&](const auto& child) { return LiesIn(run, *child, alignment); });
}

bool LiesIn(const arrow::Buffer& run, const arrow::RecordBatch& batch, uint64_t alignment) {
  for (int i = 0; i < batch.num_columns(); ++i) {
    if (!LiesIn(run, *batch.column_data(i), alignment)) return false;
  }
  return true;
}

bool HasDictionary(const arrow::DataType& type) {
  return type.id() == arrow::Type::DICTIONARY ||
         (type.id() == arrow::Type::EXTENSION &&
          HasDictionary(*static_cast<const arrow::ExtensionType&>(type).storage_type())) ||
         std::any_of(type.fields().begin(), type.fields().end(),
                     [](const auto& field) { return HasDictionary(*field->type()); });
}

bool SameColumns(const arrow::Schema& schema, const arrow::Schema& expected) {
  return std::equal(
      schema.fields().begin(), schema.fields().end(), expected.fields().begin(), expected.fields().end(),
      [](const auto& a, const auto& b) { return a->name() == b->name() && a->type()->Equals(*b->type()); });
}

bool AllZero(const arrow::Buffer& run, int64_t begin, int64_t end) {
  return std::all_of(run.data() + begin, run.data() + end, [](uint8_t byte) { return byte == 0; });
}

/// The next message of the stream, which must be of this type.
arrow::Result<std::unique_ptr<arrow::ipc::Message>> ReadMessage(arrow::io::InputStream* stream,
                                                                arrow::ipc::MessageType type) {
  ARROW_ASSIGN_OR_RAISE(auto message, arrow::ipc::ReadMessage(stream, GetEmptyPool()));
  if (message == nullptr) return arrow::Status::Invalid("the stream ends too early");
  if (message->type() != type) {
    return arrow::Status::Invalid("expected a ", arrow::ipc::FormatMessageType(type), " message, found a ",
                                  arrow::ipc::FormatMessageType(message->type()));
  }
  return message;
}

/// The message at `position` with its framing (continuation mark and length); empty if it is not all there. Only for a
/// message without a body, as a schema's is.
std::string_view MessageAt(const arrow::Buffer& run, int64_t position) {
  constexpr uint64_t kFraming = 8;
  const auto begin = static_cast<uint64_t>(position);
  const auto size = static_cast<uint64_t>(run.size());
  if (!RangeIsInside(begin, kFraming, size)) return {};
  const auto length = LoadLittleEndian<uint32_t>(run.data() + begin + sizeof(uint32_t));
  if (!RangeIsInside(begin + kFraming, length, size)) return {};
  return {reinterpret_cast<const char*>(run.data() + begin), kFraming + length};
}

arrow::Result<std::shared_ptr<arrow::Schema>> DecodeSchema(arrow::io::InputStream* stream,
                                                           arrow::ipc::DictionaryMemo* memo) {
  ARROW_ASSIGN_OR_RAISE(const auto message, ReadMessage(stream, arrow::ipc::MessageType::SCHEMA));
  ARROW_ASSIGN_OR_RAISE(auto schema, arrow::ipc::ReadSchema(*message, memo));
  if (!schema->is_native_endian()) return arrow::Status::Invalid("the stream is big-endian");
  return schema;
}

bool HasDictionary(const arrow::Schema& schema) {
  return std::any_of(schema.fields().begin(), schema.fields().end(),
                     [](const auto& field) { return HasDictionary(*field->type()); });
}

/// Reads the schema at `position` of the run, and moves `stream`, which is there, behind it.
arrow::Result<std::shared_ptr<arrow::Schema>> ReadSchema(const arrow::Buffer& run, int64_t position,
                                                         arrow::io::BufferReader* stream,
                                                         arrow::ipc::DictionaryMemo* memo,
                                                         const arrow::Schema* expected) {
  const std::string_view message = MessageAt(run, position);
  std::shared_ptr<arrow::Schema> schema = internal::FindSchema(message);
  if (schema != nullptr) {
    ARROW_RETURN_NOT_OK(stream->Advance(static_cast<int64_t>(message.size())));
  } else {
    ARROW_ASSIGN_OR_RAISE(schema, DecodeSchema(stream, memo));
    ARROW_ASSIGN_OR_RAISE(const int64_t end, stream->Tell());
    // A dictionary's fields would have to be entered into the memo each time.
    const bool is_whole = end - position == static_cast<int64_t>(message.size());
    if (is_whole && !HasDictionary(*schema)) internal::RememberSchema(message, schema);
  }
  if (expected != nullptr && !SameColumns(*schema, *expected)) {
    return arrow::Status::Invalid("expected the columns ", expected->ToString(), " but found ", schema->ToString());
  }
  return schema;
}

/// Reads the stream at `*position` of the run and moves `*position` behind it.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadStream(const std::shared_ptr<arrow::Buffer>& run,
                                                              const arrow::Schema* expected, int64_t* position) {
  arrow::io::BufferReader stream(run);
  ARROW_RETURN_NOT_OK(stream.Seek(*position));
  arrow::ipc::DictionaryMemo memo;
  ARROW_ASSIGN_OR_RAISE(const auto schema, ReadSchema(*run, *position, &stream, &memo, expected));
  ARROW_ASSIGN_OR_RAISE(const auto message, ReadMessage(&stream, arrow::ipc::MessageType::RECORD_BATCH));
  ARROW_ASSIGN_OR_RAISE(*position, stream.Tell());
  if (!RangeIsInside(static_cast<uint64_t>(*position), sizeof(kEndOfStream), static_cast<uint64_t>(run->size())) ||
      LoadLittleEndian<uint64_t>(run->data() + *position) != kEndOfStream) {
    return arrow::Status::Invalid("no end of stream after the first batch");
  }
  *position += sizeof(kEndOfStream);

  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.memory_pool = GetEmptyPool();
  options.use_threads = false;
  ARROW_ASSIGN_OR_RAISE(auto batch, arrow::ipc::ReadRecordBatch(*message, schema, &memo, options));
  ARROW_RETURN_NOT_OK(batch->Validate());
  if (!LiesIn(*run, *batch, kBufferAlignment)) {
    return arrow::Status::Invalid("a buffer does not lie in the section at a multiple of ", kBufferAlignment, " bytes");
  }
  return batch;
}

}  // namespace

arrow::Status WriteSection(const arrow::RecordBatch& batch, arrow::io::OutputStream* out) {
  for (const auto& field : batch.schema()->fields()) {
    if (HasDictionary(*field->type())) {
      return arrow::Status::Invalid("section: column ", field->name(), " is dictionary-encoded");
    }
  }
  ARROW_ASSIGN_OR_RAISE(const int64_t position, out->Tell());
  constexpr std::array<uint8_t, kBufferAlignment> kZeros{};
  const uint64_t begin = RoundUp(static_cast<uint64_t>(position), static_cast<uint64_t>(kBufferAlignment));
  ARROW_RETURN_NOT_OK(out->Write(kZeros.data(), static_cast<int64_t>(begin) - position));

  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = kBufferAlignment;
  options.use_threads = false;
  arrow::ipc::IpcPayload schema;
  const arrow::ipc::DictionaryFieldMapper no_dictionaries;
  ARROW_RETURN_NOT_OK(arrow::ipc::GetSchemaPayload(*batch.schema(), options, no_dictionaries, &schema));
  arrow::ipc::IpcPayload body;
  ARROW_RETURN_NOT_OK(arrow::ipc::GetRecordBatchPayload(batch, options, &body));
  ARROW_RETURN_NOT_OK(internal::AlignBuffers(&body));

  int32_t metadata_length;
  ARROW_RETURN_NOT_OK(arrow::ipc::WriteIpcPayload(schema, options, out, &metadata_length));
  ARROW_RETURN_NOT_OK(arrow::ipc::WriteIpcPayload(body, options, out, &metadata_length));
  return out->Write(&kEndOfStream, sizeof(kEndOfStream));
}

SectionReader::SectionReader(std::shared_ptr<arrow::Buffer> run) : run_(std::move(run)) {}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> SectionReader::Next(const arrow::Schema* expected) {
  if (run_->address() % kBufferAlignment != 0) {
    return arrow::Status::Invalid("section: the run does not start at a multiple of ", kBufferAlignment, " bytes");
  }
  const auto begin =
      static_cast<int64_t>(RoundUp(static_cast<uint64_t>(position_), static_cast<uint64_t>(kBufferAlignment)));
  if (begin >= run_->size()) return arrow::Status::Invalid("section: there are no more");
  if (!AllZero(*run_, position_, begin)) return arrow::Status::Invalid("section: the padding before it is not zero");
  int64_t position = begin;
  auto batch = ReadStream(run_, expected, &position);
  if (!batch.ok()) {
    return arrow::Status::Invalid("section at byte ", begin, ": ", batch.status().message());
  }
  position_ = position;
  return batch;
}

arrow::Status SectionReader::Finish() const {
  if (run_->size() - position_ >= kBufferAlignment || !AllZero(*run_, position_, run_->size())) {
    return arrow::Status::Invalid("section: ", run_->size() - position_, " bytes are left after the last one");
  }
  return arrow::Status::OK();
}

bool PointsInto(const arrow::RecordBatch& batch, const arrow::Buffer& run) {
  return LiesIn(run, batch, 1);
}

}  // namespace fewter::ipc
