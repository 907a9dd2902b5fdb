#include <cstring>
#include <utility>

#include <arrow/array/array_binary.h>

#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/util/bytes.h"

/// Pages of large values that lie elsewhere in the file: only where.

namespace fewter::lance {
namespace {

constexpr int32_t kDescriptorBytes = 2 * sizeof(uint64_t);

class BlobPage : public PageReader {
 public:
  BlobPage(const LevelMeaning& meaning, std::shared_ptr<const PageReader> descriptors)
      : meaning_(meaning), descriptors_(std::move(descriptors)) {}

  arrow::Result<std::vector<ByteRange>> Plan(std::span<const RowRange> rows) const override {
    return descriptors_->Plan(rows);
  }

  arrow::Status Decode(std::span<const RowRange> rows, Buffers bytes, ColumnBuilder* out) const override {
    ValueType type;
    type.primitive = arrow::fixed_size_binary(kDescriptorBytes);
    ColumnBuilder descriptors(type, {false});
    ARROW_RETURN_NOT_OK(descriptors_->Decode(rows, bytes, &descriptors));
    ARROW_ASSIGN_OR_RAISE(const auto array, descriptors.FinishValues());
    std::vector<uint16_t> definition;
    for (int64_t i = 0; i < array->length(); ++i) {
      const uint8_t* descriptor = static_cast<const arrow::FixedSizeBinaryArray&>(*array).GetValue(i);
      const auto position = LoadLittleEndian<uint64_t>(descriptor);
      const auto size = LoadLittleEndian<uint64_t>(descriptor + sizeof(uint64_t));
      constexpr int kDefinitionShift = 16;
      definition.push_back(size == 0 ? static_cast<uint16_t>(position >> kDefinitionShift) : uint16_t{0});
      ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(1));
      std::memcpy(to, descriptor, kDescriptorBytes);
    }
    return AppendValidity(meaning_, definition, {0, definition.size()}, out);
  }

 private:
  const LevelMeaning meaning_;
  const std::shared_ptr<const PageReader> descriptors_;
};

struct InnerRanges {
  const PageMetadata& page;
  template <typename Layout>
  std::vector<ByteRange> operator()(const Layout& layout) const {
    return OpeningRanges(layout, page);
  }
};

}  // namespace

std::vector<ByteRange> OpeningRanges(const BlobLayout& layout, const PageMetadata& page) {
  return std::visit(InnerRanges{page}, *layout.inner);
}

arrow::Result<std::shared_ptr<const PageReader>> OpenBlobPage(const BlobLayout& layout, const PageMetadata& page,
                                                              const ValueType& type, Buffers opening) {
  if (type.bits() != uint64_t{8} * kDescriptorBytes || layout.levels.values_per_row() != 1) {
    return arrow::Status::Invalid("blobs in a column of type ", type.ToArrow()->ToString());
  }
  const PageLayout inner = std::visit([](const auto& kind) { return PageLayout(kind); }, *layout.inner);
  ARROW_ASSIGN_OR_RAISE(auto descriptors, OpenPage(inner, page, type, opening));
  return std::make_shared<BlobPage>(layout.levels, std::move(descriptors));
}

}  // namespace fewter::lance
