#include "fewter/lance/row_ids.h"

#include <algorithm>
#include <limits>

#include "fewter/lance/proto/table.pb.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

arrow::Status Malformed(std::string_view problem) {
  return arrow::Status::Invalid("malformed row ids: ", problem);
}

template <typename Message>
arrow::Status ParseMessage(std::string_view bytes, Message* message) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Malformed("they are not a well-formed message");
  }
  return arrow::Status::OK();
}

/// The ids of a sequence, never more than the fragment has rows.
class RowIdCollector {
 public:
  explicit RowIdCollector(uint64_t expected_rows) : expected_rows_(expected_rows) {}

  arrow::Status AppendSegment(const pb::RowIdSegment& segment) {
    switch (segment.segment_case()) {
      case pb::RowIdSegment::kRange:
        return AppendRange(segment.range());
      case pb::RowIdSegment::kRangeWithHoles:
        return AppendRangeWithHoles(segment.range_with_holes());
      case pb::RowIdSegment::kRangeWithBitmap:
        return AppendRangeWithBitmap(segment.range_with_bitmap());
      case pb::RowIdSegment::kSortedArray:
        return AppendArray(segment.sorted_array());
      case pb::RowIdSegment::kArray:
        return AppendArray(segment.array());
      case pb::RowIdSegment::SEGMENT_NOT_SET:
        break;
    }
    return Malformed("a segment has no content or one of an unknown kind");
  }

  arrow::Result<std::vector<uint64_t>> Finish() {
    if (ids_.size() != expected_rows_) {
      return arrow::Status::Invalid("there are ", expected_rows_, " rows but ", ids_.size(), " row ids");
    }
    return std::move(ids_);
  }

 private:
  /// Makes sure that `count` more ids are as many as there may be.
  arrow::Status CheckRoom(uint64_t count) const {
    if (count <= expected_rows_ - ids_.size()) return arrow::Status::OK();
    return arrow::Status::Invalid("there are more row ids than the ", expected_rows_, " rows");
  }

  static arrow::Result<uint64_t> Length(const pb::RowIdRange& range) {
    if (range.start() > range.end()) return Malformed("a range ends before it starts");
    return range.end() - range.start();
  }

  void AppendConsecutive(uint64_t start, uint64_t end) {
    for (uint64_t id = start; id < end; ++id) ids_.push_back(id);
  }

  arrow::Status AppendRange(const pb::RowIdRange& range) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t length, Length(range));
    RETURN_NOT_OK(CheckRoom(length));
    AppendConsecutive(range.start(), range.end());
    return arrow::Status::OK();
  }

  arrow::Status AppendRangeWithHoles(const pb::RowIdRange& range) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t length, Length(range));
    pb::RowIdArray message;
    RETURN_NOT_OK(ParseMessage(range.content(), &message));
    ARROW_ASSIGN_OR_RAISE(const auto holes, DecodeArray(message));
    if (holes.size() > length) return Malformed("a range has more holes than ids");
    RETURN_NOT_OK(CheckRoom(length - holes.size()));
    uint64_t next = range.start();
    for (uint64_t hole : holes) {
      if (hole < next || hole >= range.end()) return Malformed("holes are out of order or outside their range");
      AppendConsecutive(next, hole);
      next = hole + 1;
    }
    AppendConsecutive(next, range.end());
    return arrow::Status::OK();
  }

  arrow::Status AppendRangeWithBitmap(const pb::RowIdRange& range) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t length, Length(range));
    const std::string& bitmap = range.content();
    if (bitmap.size() != length / 8 + (length % 8 != 0 ? 1 : 0))
      return Malformed("a bitmap is not as long as its range");
    for (uint64_t i = 0; i < length; ++i) {
      if (((static_cast<uint8_t>(bitmap[i / 8]) >> (i % 8)) & 1) == 0) continue;
      RETURN_NOT_OK(CheckRoom(1));
      ids_.push_back(range.start() + i);
    }
    return arrow::Status::OK();
  }

  arrow::Status AppendArray(const pb::RowIdArray& array) {
    ARROW_ASSIGN_OR_RAISE(const auto values, DecodeArray(array));
    RETURN_NOT_OK(CheckRoom(values.size()));
    ids_.insert(ids_.end(), values.begin(), values.end());
    return arrow::Status::OK();
  }

  static arrow::Result<std::vector<uint64_t>> DecodeArray(const pb::RowIdArray& array) {
    switch (array.array_case()) {
      case pb::RowIdArray::kU16Array:
        return DecodeOffsets<uint16_t>(array.u16_array());
      case pb::RowIdArray::kU32Array:
        return DecodeOffsets<uint32_t>(array.u32_array());
      case pb::RowIdArray::kU64Array:
        return DecodeOffsets<uint64_t>(array.u64_array());
      case pb::RowIdArray::ARRAY_NOT_SET:
        break;
    }
    return Malformed("an array has no values or some of an unknown kind");
  }

  /// The memory is at most four times the bytes'.
  template <typename T>
  static arrow::Result<std::vector<uint64_t>> DecodeOffsets(const pb::RowIdOffsets& message) {
    const std::string& bytes = message.offsets();
    if (bytes.size() % sizeof(T) != 0) return Malformed("the last value of an array is cut off");
    std::vector<uint64_t> values(bytes.size() / sizeof(T));
    for (size_t i = 0; i < values.size(); ++i) {
      const uint64_t offset = LoadLittleEndian<T>(bytes.data() + i * sizeof(T));
      if (!CheckedAdd(message.base(), offset, &values[i])) return Malformed("a value does not fit in 64 bits");
    }
    return values;
  }

  const uint64_t expected_rows_;
  std::vector<uint64_t> ids_;
};

arrow::Result<std::vector<uint64_t>> ReadAndParse(const ObjectStore& store, const Fragment& fragment) {
  if (!fragment.row_ids) return arrow::Status::Invalid("it has no stable row ids");
  const MessageLocation& location = *fragment.row_ids;
  if (location.path.empty()) return ParseRowIdSequence(location.inline_bytes, fragment.physical_rows);
  auto file = store.OpenFile(location.path, location.KnownSize(), IoKind::kManifest);
  ARROW_ASSIGN_OR_RAISE(auto bytes, file->Read(location.range));
  return ParseRowIdSequence(std::string_view(*bytes), fragment.physical_rows);
}

}  // namespace

arrow::Result<std::vector<uint64_t>> ReadRowIds(const ObjectStore& store, const Fragment& fragment) {
  auto ids = ReadAndParse(store, fragment);
  if (ids.ok()) return ids;
  return ids.status().WithMessage("fragment ", fragment.id, ": ", ids.status().message());
}

arrow::Result<std::vector<uint64_t>> ParseRowIdSequence(std::string_view bytes, uint64_t expected_rows) {
  pb::RowIdSequence message;
  RETURN_NOT_OK(ParseMessage(bytes, &message));
  RowIdCollector collector(expected_rows);
  for (const pb::RowIdSegment& segment : message.segments()) RETURN_NOT_OK(collector.AppendSegment(segment));
  return collector.Finish();
}

}  // namespace fewter::lance
