#include <cstring>
#include <utility>

#include "fewter/lance/encoding/page_reader_internal.h"
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

/// What follows the control word: the value, behind a bit for each of its items if these may be null.
class ZippedValue {
 public:
  explicit ZippedValue(const Compression& values) : value_bytes_(values.value_bits() / 8) {
    if (const auto* nullable = values.nullable_items()) {
      num_items_ = nullable->num_items;
      validity_bytes_ = nullable->validity_bytes();
    }
  }

  uint64_t bytes() const { return validity_bytes_ + value_bytes_; }
  bool is_plain() const { return validity_bytes_ == 0; }

  /// Requires bytes() bytes.
  arrow::Status Append(const uint8_t* from, ColumnBuilder* out) const {
    ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(1));
    // Items without values, which are all null, are zero.
    if (value_bytes_ == 0) std::memset(to, 0, out->value_bytes());
    std::memcpy(to, from + validity_bytes_, value_bytes_);
    if (!is_plain()) out->AppendItemValidity(from, 0, 1, num_items_);
    return arrow::Status::OK();
  }

 private:
  uint64_t value_bytes_;
  uint64_t num_items_ = 0;
  uint64_t validity_bytes_ = 0;
};

/// Without lists every row has the same size.
class FixedFullZipPage : public PageReader {
 public:
  FixedFullZipPage(const FullZipLayout& layout, ByteRange values)
      : meaning_(layout.levels), control_(layout), value_(layout.values), values_(values) {}

  arrow::Result<std::vector<ByteRange>> Plan(RowRange rows) const override {
    return std::vector<ByteRange>{{values_.offset + rows.start * stride(), rows.length * stride()}};
  }

  arrow::Status Decode(RowRange rows, Buffers bytes, ColumnBuilder* out) const override {
    if (control_.bytes() == 0 && value_.is_plain()) {
      out->value_validity().Append(true, rows.length);
      return out->AppendValues(bytes[0]);
    }
    ARROW_RETURN_NOT_OK(out->ReserveValues(rows.length, static_cast<uint64_t>(bytes[0]->size())));
    const uint8_t* from = bytes[0]->data();
    for (uint64_t i = 0; i < rows.length; ++i, from += stride()) {
      const uint16_t level = control_.Definition(control_.Load(from));
      if (level > meaning_.max_definition) return arrow::Status::Invalid("a definition level out of range: ", level);
      out->value_validity().Append(level == 0);
      ARROW_RETURN_NOT_OK(value_.Append(from + control_.bytes(), out));
    }
    return arrow::Status::OK();
  }

 private:
  uint64_t stride() const { return control_.bytes() + value_.bytes(); }

  const LevelMeaning meaning_;
  const ControlWord control_;
  const ZippedValue value_;
  const ByteRange values_;
};

/// With lists an index says where each row starts. A null or empty list is a control word without a value.
class ListFullZipPage : public PageReader {
 public:
  ListFullZipPage(const FullZipLayout& layout, ByteRange values, std::shared_ptr<arrow::Buffer> index,
                  uint32_t index_width)
      : meaning_(layout.levels),
        control_(layout),
        value_(layout.values),
        values_(values),
        index_(std::move(index)),
        index_width_(index_width) {}

  arrow::Result<std::vector<ByteRange>> Plan(RowRange rows) const override {
    const uint64_t begin = RowStart(rows.start);
    const uint64_t end = RowStart(rows.end());
    if (begin > end || end > values_.length) {
      return arrow::Status::Invalid("rows at bytes ", begin, " to ", end, " of a full-zip page of ", values_.length);
    }
    return std::vector<ByteRange>{{values_.offset + begin, end - begin}};
  }

  arrow::Status Decode(RowRange rows, Buffers bytes, ColumnBuilder* out) const override {
    Levels levels;
    const uint8_t* from = bytes[0]->data();
    auto left = static_cast<uint64_t>(bytes[0]->size());
    ARROW_RETURN_NOT_OK(out->ReserveValues(left / value_.bytes(), left));
    uint64_t num_values = 0;
    while (left > 0) {
      if (left < control_.bytes()) return arrow::Status::Invalid("a full-zip page that ends within a control word");
      const uint32_t word = control_.Load(from);
      from += control_.bytes();
      left -= control_.bytes();
      levels.repetition.push_back(control_.Repetition(word));
      levels.definition.push_back(control_.Definition(word));
      if (!meaning_.HasValue(levels.definition.back())) continue;
      if (left < value_.bytes()) return arrow::Status::Invalid("a full-zip page that ends within a value");
      ARROW_RETURN_NOT_OK(value_.Append(from, out));
      from += value_.bytes();
      left -= value_.bytes();
      ++num_values;
    }
    ARROW_ASSIGN_OR_RAISE(const ValueRange range, AppendLists(meaning_, levels, 0, rows.length, num_values, out));
    if (range.length != num_values) return arrow::Status::Invalid("a full-zip page with values outside its rows");
    return arrow::Status::OK();
  }

 private:
  uint64_t RowStart(uint64_t row) const {
    uint64_t start = 0;
    std::memcpy(&start, index_->data() + row * index_width_, index_width_);
    return start;
  }

  const LevelMeaning meaning_;
  const ControlWord control_;
  const ZippedValue value_;
  const ByteRange values_;
  const std::shared_ptr<arrow::Buffer> index_;
  const uint32_t index_width_;
};

arrow::Result<std::shared_ptr<const PageReader>> OpenFixed(const FullZipLayout& layout, const PageMetadata& page) {
  const uint64_t stride = layout.control_bytes() + ZippedValue(layout.values).bytes();
  uint64_t size = 0;
  if (!CheckedMultiply(stride, page.num_rows, &size) || size != page.buffers[0].length) {
    return arrow::Status::Invalid("a full-zip page of ", page.num_rows, " rows of ", stride, " bytes has ",
                                  page.buffers[0].length, " bytes");
  }
  return std::make_shared<FixedFullZipPage>(layout, page.buffers[0]);
}

}  // namespace

std::vector<ByteRange> OpeningRanges(const FullZipLayout& layout, const PageMetadata& page) {
  if (!layout.levels.is_list) return {};
  return {page.buffers[1]};
}

arrow::Result<std::shared_ptr<const PageReader>> OpenFullZipPage(const FullZipLayout& layout, const PageMetadata& page,
                                                                 Buffers opening) {
  if (!layout.levels.is_list) return OpenFixed(layout, page);
  const auto index_size = static_cast<uint64_t>(opening[0]->size());
  const uint64_t width = page.num_rows < index_size ? index_size / (page.num_rows + 1) : 0;
  if ((width != 1 && width != 2 && width != 4 && width != 8) || width * (page.num_rows + 1) != index_size) {
    return arrow::Status::Invalid("a repetition index of ", index_size, " bytes for ", page.num_rows, " rows");
  }
  return std::make_shared<ListFullZipPage>(layout, page.buffers[0], opening[0], static_cast<uint32_t>(width));
}

}  // namespace fewter::lance
