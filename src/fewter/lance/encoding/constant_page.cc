#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/util/bytes.h"

/// Pages that say one value for all their rows, or none.

namespace fewter::lance {
namespace {

/// A constant page can claim any number of rows without a byte to back them; this is the most that one read of it
/// yields. Far above what a page holds when it is written: pages are cut by their size before encoding.
constexpr uint64_t kMaxConstantBytes = uint64_t{256} << 20;
/// Levels made at a time.
constexpr uint64_t kPiece = 4096;

arrow::Status Malformed(const arrow::Buffer& scalar) {
  return arrow::Status::Invalid("a malformed scalar of ", scalar.size(), " bytes");
}

class ConstantPage : public PageReader {
 public:
  /// `value` is one value as it lies in memory; nothing if all are null.
  ConstantPage(const LevelMeaning& meaning, std::optional<std::vector<uint8_t>> value, Levels levels,
               uint64_t num_values)
      : meaning_(meaning), value_(std::move(value)), levels_(std::move(levels)), num_values_(num_values) {}

  arrow::Result<std::vector<ByteRange>> Plan(std::span<const RowRange>) const override {
    return std::vector<ByteRange>();
  }

  arrow::Status Decode(std::span<const RowRange> rows, Buffers, ColumnBuilder* out) const override {
    for (const RowRange& range : rows) ARROW_RETURN_NOT_OK(DecodeRange(range, out));
    return arrow::Status::OK();
  }

 private:
  arrow::Status DecodeRange(RowRange rows, ColumnBuilder* out) const {
    if (meaning_.has_lists()) {
      ARROW_ASSIGN_OR_RAISE(const auto values, AppendLists(meaning_, levels_, {&rows, 1}, num_values_, out));
      return AppendValues(values.front().length, out);
    }
    const ValueRange range{rows.start * meaning_.values_per_row(), rows.length * meaning_.values_per_row()};
    ARROW_RETURN_NOT_OK(AppendValues(range.length, out));
    if (value_ || !levels_.definition.empty()) return AppendValidity(meaning_, levels_.definition, range, out);
    // All that may be null is. In pieces, since nothing but the caller bounds the number of rows.
    const uint64_t piece =
        std::max(meaning_.values_per_row(), kPiece / meaning_.values_per_row() * meaning_.values_per_row());
    const std::vector<uint16_t> definition(std::min(piece, range.length), meaning_.max_definition());
    for (uint64_t done = 0; done < range.length; done += definition.size()) {
      const uint64_t length = std::min<uint64_t>(definition.size(), range.length - done);
      ARROW_RETURN_NOT_OK(AppendValidity(meaning_, definition, {0, length}, out));
    }
    return arrow::Status::OK();
  }

  arrow::Status AppendValues(uint64_t count, ColumnBuilder* out) const {
    const uint64_t size = value_ ? std::max<uint64_t>(value_->size(), 1) : out->value_bytes();
    if (count > kMaxConstantBytes / size) {
      return arrow::Status::Invalid("a constant page of ", count, " values of ", size, " bytes, more than the ",
                                    kMaxConstantBytes, " bytes allowed");
    }
    if (out->type().is_empty()) return arrow::Status::OK();
    if (!value_) return out->AppendNothing(count);
    if (out->type().is_variable()) {
      for (uint64_t i = 0; i < count; ++i) ARROW_RETURN_NOT_OK(out->AppendBytes(*value_));
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(count));
    for (uint64_t i = 0; i < count; ++i, to += value_->size()) std::memcpy(to, value_->data(), value_->size());
    return arrow::Status::OK();
  }

  const LevelMeaning meaning_;
  const std::optional<std::vector<uint8_t>> value_;
  const Levels levels_;
  const uint64_t num_values_;
};

/// A scalar too large to be inline: the Arrow buffers of an array of one value. u32 number of buffers, a u32 length
/// each, then the buffers. A value of fixed width has one; one of varying length has two, offsets and bytes.
arrow::Result<std::vector<uint8_t>> ParseScalarBuffer(const arrow::Buffer& buffer, bool is_variable) {
  const uint64_t num_buffers = is_variable ? 2 : 1;
  const uint64_t header = (1 + num_buffers) * sizeof(uint32_t);
  const auto size = static_cast<uint64_t>(buffer.size());
  if (size < header || LoadLittleEndian<uint32_t>(buffer.data()) != num_buffers) return Malformed(buffer);
  const uint64_t offsets_size = is_variable ? LoadLittleEndian<uint32_t>(buffer.data() + 4) : 0;
  const uint64_t value_size = LoadLittleEndian<uint32_t>(buffer.data() + header - sizeof(uint32_t));
  if (header + offsets_size + value_size != size) return Malformed(buffer);
  const uint8_t* bytes = buffer.data() + header;
  uint64_t begin = 0;
  uint64_t end = value_size;
  if (is_variable) {
    const uint64_t width = offsets_size / 2;
    if (width != sizeof(uint32_t) && width != sizeof(uint64_t)) return Malformed(buffer);
    end = 0;
    std::memcpy(&begin, bytes, width);
    std::memcpy(&end, bytes + width, width);
    if (begin > end || end > value_size) return Malformed(buffer);
  }
  bytes += offsets_size;
  return std::vector<uint8_t>(bytes + begin, bytes + end);
}

/// Levels are compressed, or plain 16-bit numbers as many as the buffer has.
arrow::Result<std::vector<uint16_t>> ParseLevels(const std::optional<Compression>& compression, uint64_t count,
                                                 const arrow::Buffer& buffer) {
  const auto size = static_cast<size_t>(buffer.size());
  if (compression) return DecodeLevels(*compression, {buffer.data(), size}, count);
  if (size % sizeof(uint16_t) != 0) return arrow::Status::Invalid("levels of an odd number of bytes: ", size);
  std::vector<uint16_t> levels(size / sizeof(uint16_t));
  if (size > 0) std::memcpy(levels.data(), buffer.data(), size);
  return levels;
}

/// How many values the levels stand for.
uint64_t CountValues(const LevelMeaning& meaning, const Levels& levels) {
  if (levels.definition.empty()) return levels.repetition.size();
  return static_cast<uint64_t>(std::count_if(levels.definition.begin(), levels.definition.end(),
                                             [&](uint16_t level) { return meaning.HasValue(level); }));
}

}  // namespace

std::vector<ByteRange> OpeningRanges(const ConstantLayout&, const PageMetadata& page) {
  return page.buffers;
}

arrow::Result<std::shared_ptr<const PageReader>> OpenConstantPage(const ConstantLayout& layout,
                                                                  const PageMetadata& page, const ValueType& type,
                                                                  Buffers opening) {
  std::optional<std::vector<uint8_t>> value;
  const bool scalar_in_buffer = layout.has_scalar_buffer(page.buffers.size());
  if (layout.inline_value) value.emplace(layout.inline_value->begin(), layout.inline_value->end());
  if (scalar_in_buffer) {
    ARROW_ASSIGN_OR_RAISE(value, ParseScalarBuffer(*opening[0], type.is_variable()));
  }
  if (value && !type.is_variable() && value->size() != type.bytes()) {
    return arrow::Status::Invalid("a constant of ", value->size(), " bytes where values have ", type.bytes());
  }
  if (value && (layout.inline_value ? type.is_variable() || type.is_empty() : !type.members.empty())) {
    return arrow::Status::Invalid("a constant of type ", type.ToArrow()->ToString());
  }
  if (value && type.primitive->id() == arrow::Type::BOOL) {
    for (uint8_t& bit : *value) bit &= 1;
  }
  Levels levels;
  const size_t first = scalar_in_buffer ? 1 : 0;
  if (opening.size() == first + 2) {
    ARROW_ASSIGN_OR_RAISE(levels.repetition,
                          ParseLevels(layout.repetition, layout.num_repetition_levels, *opening[first]));
    ARROW_ASSIGN_OR_RAISE(levels.definition,
                          ParseLevels(layout.definition, layout.num_definition_levels, *opening[first + 1]));
  }
  if (!value && layout.levels.max_definition() == 0 && !layout.levels.has_lists() && !type.is_empty()) {
    return arrow::Status::Invalid("a constant page without a value, none of which may be null");
  }
  if (!value && std::find(levels.definition.begin(), levels.definition.end(), 0) != levels.definition.end()) {
    return arrow::Status::Invalid("a constant page without a value for its valid rows");
  }
  if (!value && layout.levels.has_lists() && levels.definition.empty() && !levels.repetition.empty()) {
    return arrow::Status::Invalid("a constant page without a value for the items of its lists");
  }
  const uint64_t num_values = layout.levels.has_lists() ? CountValues(layout.levels, levels) : 0;
  return std::make_shared<ConstantPage>(layout.levels, std::move(value), std::move(levels), num_values);
}

}  // namespace fewter::lance
