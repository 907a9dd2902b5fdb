#include "fewter/dataset/taken_rows.h"

#include <utility>

#include <arrow/io/interfaces.h>
#include <arrow/util/bit_run_reader.h>
#include <arrow/util/bitmap_ops.h>

#include "fewter/util/bytes.h"

namespace fewter {

TakenRows::TakenRows(std::shared_ptr<arrow::Buffer> bits, uint64_t num_rows)
    : bits_(std::move(bits)),
      num_rows_(num_rows),
      num_taken_(
          static_cast<uint64_t>(arrow::internal::CountSetBits(bits_->data(), 0, static_cast<int64_t>(num_rows)))) {}

std::vector<uint64_t> TakenRows::Offsets() const {
  std::vector<uint64_t> offsets;
  offsets.reserve(num_taken_);
  arrow::internal::VisitSetBitRunsVoid(bits_->data(), 0, static_cast<int64_t>(num_rows_),
                                       [&](int64_t start, int64_t length) {
                                         for (int64_t i = 0; i < length; ++i) {
                                           offsets.push_back(static_cast<uint64_t>(start + i));
                                         }
                                       });
  return offsets;
}

arrow::Status TakenRows::Serialize(arrow::io::OutputStream* out) const {
  ARROW_RETURN_NOT_OK(out->Write(&num_rows_, sizeof(num_rows_)));
  return out->Write(bits_);
}

arrow::Result<std::shared_ptr<const TakenRows>> TakenRows::Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
  const auto size = static_cast<uint64_t>(body->size());
  if (size < sizeof(uint64_t)) return arrow::Status::Invalid("taken rows: ", size, " bytes");
  const auto num_rows = LoadLittleEndian<uint64_t>(body->data());
  const uint64_t bytes = size - sizeof(uint64_t);
  if (num_rows / 8 + (num_rows % 8 != 0 ? 1 : 0) != bytes) {
    return arrow::Status::Invalid("taken rows: ", bytes, " bytes for ", num_rows, " rows");
  }
  ARROW_ASSIGN_OR_RAISE(auto bits, SliceChecked(body, sizeof(uint64_t), bytes, "taken rows"));
  return std::make_shared<const TakenRows>(std::move(bits), num_rows);
}

}  // namespace fewter
