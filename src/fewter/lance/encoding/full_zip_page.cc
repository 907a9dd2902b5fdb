#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/util/bytes.h"

/// Pages of wide values, one after the other, each behind its levels.

namespace fewter::lance {
namespace {

/// The control word in front of a value: the repetition level in its high bits, the definition level in its low ones.
class ControlWord {
 public:
  explicit ControlWord(const FullZipLayout& layout)
      : bytes_(layout.control_bytes()),
        definition_bits_(layout.definition_bits),
        definition_mask_((uint32_t{1} << layout.definition_bits) - 1) {}

  uint32_t bytes() const { return bytes_; }
  uint32_t Load(const uint8_t* from) const {
    uint32_t word = 0;
    std::memcpy(&word, from, bytes_);
    return word;
  }
  uint16_t Repetition(uint32_t word) const { return static_cast<uint16_t>(word >> definition_bits_); }
  uint16_t Definition(uint32_t word) const { return static_cast<uint16_t>(word & definition_mask_); }

 private:
  uint32_t bytes_;
  uint32_t definition_bits_;
  uint32_t definition_mask_;
};

/// What follows the control word of a value of fixed width: the value, behind a bit for each of its items if these may
/// be null.
class FixedValue {
 public:
  explicit FixedValue(const Compression& values)
      : value_bytes_(*values.value_bits() / 8), is_bits_(values.element_bits() == 1) {
    if (const auto* nullable = values.nullable_items()) {
      dimensions_ = nullable->dimensions;
      validity_bytes_ = nullable->validity_bytes();
    }
  }

  uint64_t bytes() const { return validity_bytes_ + value_bytes_; }
  /// A value lies as it does in memory.
  bool is_plain() const { return validity_bytes_ == 0 && !is_bits_; }

  /// Requires bytes() bytes.
  arrow::Status Append(const uint8_t* from, ColumnBuilder* out) const {
    const uint8_t* value = from + validity_bytes_;
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(1));
    if (value_bytes_ == 0) {
      std::memset(to, 0, out->value_bytes());
    } else if (is_bits_) {
      SpreadBits(value, 0, out->value_bytes(), to);
    } else {
      std::memcpy(to, value, value_bytes_);
    }
    for (size_t depth = 0; depth < dimensions_.size(); ++depth) {
      if (!dimensions_[depth].has_validity) continue;
      out->AppendItemValidity(depth, from, 0, 1);
      from += dimensions_[depth].validity_bytes();
    }
    return arrow::Status::OK();
  }

 private:
  uint64_t value_bytes_;
  bool is_bits_;
  std::vector<FixedSizeListCompression::Dimension> dimensions_;
  uint64_t validity_bytes_ = 0;
};

/// Without lists every row of values of fixed width has the same size.
class FixedFullZipPage : public PageReader {
 public:
  FixedFullZipPage(const FullZipLayout& layout, ByteRange values)
      : meaning_(layout.levels), control_(layout), value_(layout.values), values_(values) {}

  arrow::Result<std::vector<ByteRange>> Plan(std::span<const RowRange> rows) const override {
    std::vector<ByteRange> ranges;
    for (const RowRange& range : rows) {
      ranges.push_back({values_.offset + range.start * row_bytes(), range.length * row_bytes()});
    }
    return ranges;
  }

  arrow::Status Decode(std::span<const RowRange> rows, Buffers bytes, ColumnBuilder* out) const override {
    // A single range may not have to be copied at all.
    if (rows.size() > 1) {
      ARROW_RETURN_NOT_OK(out->ReserveValues(TotalLength(rows) * meaning_.values_per_row(), TotalSize(bytes)));
    }
    for (size_t i = 0; i < rows.size(); ++i) ARROW_RETURN_NOT_OK(DecodeRange(rows[i].length, bytes[i], out));
    return arrow::Status::OK();
  }

 private:
  arrow::Status DecodeRange(uint64_t num_rows, const std::shared_ptr<arrow::Buffer>& bytes, ColumnBuilder* out) const {
    const uint64_t count = num_rows * meaning_.values_per_row();
    if (control_.bytes() == 0 && value_.is_plain()) {
      ARROW_RETURN_NOT_OK(AppendValidity(meaning_, {}, {0, count}, out));
      return out->AppendValues(bytes);
    }
    ARROW_RETURN_NOT_OK(out->ReserveValues(count, static_cast<uint64_t>(bytes->size())));
    std::vector<uint16_t> definition;
    const uint8_t* from = bytes->data();
    for (uint64_t i = 0; i < count; ++i, from += stride()) {
      if (control_.bytes() > 0) definition.push_back(control_.Definition(control_.Load(from)));
      ARROW_RETURN_NOT_OK(value_.Append(from + control_.bytes(), out));
    }
    return AppendValidity(meaning_, definition, {0, count}, out);
  }

  uint64_t stride() const { return control_.bytes() + value_.bytes(); }
  uint64_t row_bytes() const { return stride() * meaning_.values_per_row(); }

  const LevelMeaning meaning_;
  const ControlWord control_;
  const FixedValue value_;
  const ByteRange values_;
};

/// With lists, or values of varying length, an index says where each row starts. A null or empty list is a control word
/// without a value. A null value of varying length is one, too.
class IndexedFullZipPage : public PageReader {
 public:
  IndexedFullZipPage(const FullZipLayout& layout, ByteRange values, std::shared_ptr<arrow::Buffer> index,
                     uint32_t index_width)
      : meaning_(layout.levels),
        control_(layout),
        compression_(layout.values),
        length_bytes_(layout.length_bits / 8),
        values_(values),
        index_(std::move(index)),
        index_width_(index_width) {
    if (length_bytes_ == 0) fixed_.emplace(layout.values);
  }

  arrow::Result<std::vector<ByteRange>> Plan(std::span<const RowRange> rows) const override {
    std::vector<ByteRange> ranges;
    for (const RowRange& range : rows) {
      const uint64_t begin = EntryStart(range.start);
      const uint64_t end = EntryStart(range.end());
      if (begin > end || end > values_.length) {
        return arrow::Status::Invalid("rows at bytes ", begin, " to ", end, " of a full-zip page of ", values_.length);
      }
      ranges.push_back({values_.offset + begin, end - begin});
    }
    return ranges;
  }

  arrow::Status Decode(std::span<const RowRange> rows, Buffers bytes, ColumnBuilder* out) const override {
    const uint64_t size = TotalSize(bytes);
    ARROW_RETURN_NOT_OK(
        out->ReserveValues(fixed_ ? size / std::max<uint64_t>(fixed_->bytes(), 1) : TotalLength(rows), size));
    for (size_t i = 0; i < rows.size(); ++i) ARROW_RETURN_NOT_OK(DecodeRange(rows[i].length, BytesOf(*bytes[i]), out));
    return arrow::Status::OK();
  }

 private:
  arrow::Status DecodeRange(uint64_t num_rows, Bytes left, ColumnBuilder* out) const {
    Levels levels;
    uint64_t num_values = 0;
    // Without control words, only the number of rows says how many values there are: they may be empty.
    const bool count_rows = control_.bytes() == 0;
    const uint64_t count = num_rows * meaning_.values_per_row();
    while (count_rows ? num_values < count : !left.empty()) {
      if (left.size() < control_.bytes()) return TooShort();
      uint16_t definition = 0;
      if (!count_rows) {
        const uint32_t word = control_.Load(left.data());
        definition = control_.Definition(word);
        levels.repetition.push_back(control_.Repetition(word));
        levels.definition.push_back(definition);
      }
      left = left.subspan(control_.bytes());
      if (!meaning_.HasValue(definition)) continue;
      ARROW_RETURN_NOT_OK(TakeValue(definition, &left, out));
      ++num_values;
    }
    if (!left.empty()) return arrow::Status::Invalid("a full-zip page with bytes outside its rows");
    if (!meaning_.has_lists()) {
      if (num_values != count) return WrongCount();
      return AppendValidity(meaning_, levels.definition, {0, count}, out);
    }
    const RowRange all{0, num_rows};
    ARROW_ASSIGN_OR_RAISE(const auto ranges, AppendLists(meaning_, levels, {&all, 1}, num_values, out));
    return ranges.front().length == num_values ? arrow::Status::OK() : WrongCount();
  }

  static arrow::Status TooShort() { return arrow::Status::Invalid("a full-zip page that ends within a value"); }
  static arrow::Status WrongCount() {
    return arrow::Status::Invalid("a full-zip page with another number of values than its rows have");
  }

  arrow::Status TakeValue(uint16_t definition, Bytes* left, ColumnBuilder* out) const {
    uint64_t size = 0;
    if (fixed_) {
      size = fixed_->bytes();
      if (left->size() < size) return TooShort();
      ARROW_RETURN_NOT_OK(fixed_->Append(left->data(), out));
    } else {
      if (!LevelMeaning::HasValidValue(definition)) return out->AppendNothing();
      if (left->size() < length_bytes_) return TooShort();
      std::memcpy(&size, left->data(), length_bytes_);
      *left = left->subspan(length_bytes_);
      if (left->size() < size) return TooShort();
      ARROW_RETURN_NOT_OK(AppendZippedValue(compression_, left->first(size), out));
    }
    *left = left->subspan(size);
    return arrow::Status::OK();
  }

  uint64_t EntryStart(uint64_t row) const {
    uint64_t start = 0;
    if (!meaning_.has_lists()) row *= meaning_.values_per_row();
    std::memcpy(&start, index_->data() + row * index_width_, index_width_);
    return start;
  }

  const LevelMeaning meaning_;
  const ControlWord control_;
  const Compression compression_;
  const uint64_t length_bytes_;
  /// Of values of fixed width.
  std::optional<FixedValue> fixed_;
  const ByteRange values_;
  const std::shared_ptr<arrow::Buffer> index_;
  const uint32_t index_width_;
};

arrow::Result<std::shared_ptr<const PageReader>> OpenFixed(const FullZipLayout& layout, const PageMetadata& page) {
  const uint64_t stride = layout.control_bytes() + FixedValue(layout.values).bytes();
  uint64_t size = 0;
  if (!CheckedMultiply(stride, page.num_rows, &size) || size != page.buffers[0].length) {
    return arrow::Status::Invalid("a full-zip page of ", page.num_rows, " rows of ", stride, " bytes has ",
                                  page.buffers[0].length, " bytes");
  }
  return std::make_shared<FixedFullZipPage>(layout, page.buffers[0]);
}

}  // namespace

std::vector<ByteRange> OpeningRanges(const FullZipLayout& layout, const PageMetadata& page) {
  if (!layout.has_index()) return {};
  return {page.buffers[1]};
}

arrow::Result<std::shared_ptr<const PageReader>> OpenFullZipPage(const FullZipLayout& layout, const PageMetadata& page,
                                                                 Buffers opening) {
  if (!layout.has_index()) return OpenFixed(layout, page);
  const auto index_size = static_cast<uint64_t>(opening[0]->size());
  const uint64_t width = page.num_rows < index_size ? index_size / (page.num_rows + 1) : 0;
  if ((width != 1 && width != 2 && width != 4 && width != 8) || width * (page.num_rows + 1) != index_size) {
    return arrow::Status::Invalid("a repetition index of ", index_size, " bytes for ", page.num_rows, " rows");
  }
  return std::make_shared<IndexedFullZipPage>(layout, page.buffers[0], opening[0], static_cast<uint32_t>(width));
}

}  // namespace fewter::lance
