#include <algorithm>
#include <cstring>
#include <utility>

#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/util/bytes.h"

/// Pages that say one value for all their rows, or none.

namespace fewter::lance {
namespace {

/// A constant page can claim any number of rows without a byte to back them; this is the most that one read of it
/// yields. Far above what a page holds when it is written: pages are cut by their size before encoding.
constexpr uint64_t kMaxConstantBytes = uint64_t{256} << 20;

class ConstantPage : public PageReader {
 public:
  /// `value` is one value as it lies in memory, or empty if all are null.
  ConstantPage(const LevelMeaning& meaning, std::vector<uint8_t> value, Levels levels, uint64_t num_values)
      : meaning_(meaning), value_(std::move(value)), levels_(std::move(levels)), num_values_(num_values) {}

  arrow::Result<std::vector<ByteRange>> Plan(RowRange) const override { return std::vector<ByteRange>(); }

  arrow::Status Decode(RowRange rows, Buffers, ColumnBuilder* out) const override {
    if (meaning_.is_list) {
      ARROW_ASSIGN_OR_RAISE(const ValueRange values,
                            AppendLists(meaning_, levels_, rows.start, rows.length, num_values_, out));
      return AppendValues(values.length, out);
    }
    ARROW_RETURN_NOT_OK(AppendValues(rows.length, out));
    if (value_.empty()) {
      out->value_validity().Append(false, rows.length);
      return arrow::Status::OK();
    }
    return AppendValidity(meaning_, levels_.definition, {rows.start, rows.length}, out);
  }

 private:
  arrow::Status AppendValues(uint64_t count, ColumnBuilder* out) const {
    if (count > kMaxConstantBytes / out->value_bytes()) {
      return arrow::Status::Invalid("a constant page of ", count, " values of ", out->value_bytes(),
                                    " bytes, more than the ", kMaxConstantBytes, " bytes allowed");
    }
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(count));
    if (value_.empty()) {
      if (count > 0) std::memset(to, 0, count * out->value_bytes());
      return arrow::Status::OK();
    }
    for (uint64_t i = 0; i < count; ++i, to += value_.size()) std::memcpy(to, value_.data(), value_.size());
    return arrow::Status::OK();
  }

  const LevelMeaning meaning_;
  const std::vector<uint8_t> value_;
  const Levels levels_;
  const uint64_t num_values_;
};

/// A scalar too large to be inline: the Arrow buffers of an array of one value. u32 number of buffers, a u32 length
/// each, then the buffers. A fixed-width value has one.
arrow::Result<std::vector<uint8_t>> ParseScalarBuffer(const arrow::Buffer& buffer) {
  constexpr int64_t kHeader = 2 * sizeof(uint32_t);
  if (buffer.size() < kHeader || LoadLittleEndian<uint32_t>(buffer.data()) != 1 ||
      LoadLittleEndian<uint32_t>(buffer.data() + 4) != static_cast<uint64_t>(buffer.size() - kHeader)) {
    return arrow::Status::Invalid("a malformed scalar of ", buffer.size(), " bytes");
  }
  return std::vector<uint8_t>(buffer.data() + kHeader, buffer.data() + buffer.size());
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
  std::vector<uint8_t> value;
  const bool scalar_in_buffer = layout.has_scalar_buffer(page.buffers.size());
  const bool has_scalar = layout.inline_value || scalar_in_buffer;
  if (layout.inline_value) value.assign(layout.inline_value->begin(), layout.inline_value->end());
  if (scalar_in_buffer) {
    ARROW_ASSIGN_OR_RAISE(value, ParseScalarBuffer(*opening[0]));
  }
  if (has_scalar && value.size() != type.bytes()) {
    return arrow::Status::Invalid("a constant of ", value.size(), " bytes where values have ", type.bytes());
  }
  if (has_scalar && type.bits() == 1) value[0] &= 1;
  Levels levels;
  const size_t first = scalar_in_buffer ? 1 : 0;
  if (opening.size() == first + 2) {
    ARROW_ASSIGN_OR_RAISE(levels.repetition,
                          ParseLevels(layout.repetition, layout.num_repetition_levels, *opening[first]));
    ARROW_ASSIGN_OR_RAISE(levels.definition,
                          ParseLevels(layout.definition, layout.num_definition_levels, *opening[first + 1]));
  }
  if (!has_scalar && std::find(levels.definition.begin(), levels.definition.end(), 0) != levels.definition.end()) {
    return arrow::Status::Invalid("a constant page without a value for its valid rows");
  }
  if (!has_scalar && layout.levels.is_list && levels.definition.empty() && !levels.repetition.empty()) {
    return arrow::Status::Invalid("a constant page without a value for the items of its lists");
  }
  const uint64_t num_values = layout.levels.is_list ? CountValues(layout.levels, levels) : page.num_rows;
  return std::make_shared<ConstantPage>(layout.levels, std::move(value), std::move(levels), num_values);
}

}  // namespace fewter::lance
