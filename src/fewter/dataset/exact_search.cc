#include "fewter/dataset/exact_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <nlohmann/json.hpp>

#include "fewter/util/argument_error.h"
#include "fewter/vector/quantizer/registry.h"

namespace fewter {

namespace {

/// What is read of a fragment at a time, in bytes.
constexpr uint64_t kPieceBytes = 8 << 20;

/// A batch as auxiliary.idx of a FLAT index has it.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> FlatRows(std::vector<uint64_t> row_ids,
                                                            std::shared_ptr<arrow::Array> vectors) {
  const auto rows = static_cast<int64_t>(row_ids.size());
  auto ids = std::make_shared<arrow::UInt64Array>(rows, arrow::Buffer::FromVector(std::move(row_ids)));
  const auto schema = arrow::schema({arrow::field("_rowid", arrow::uint64()), arrow::field("flat", vectors->type())});
  return arrow::RecordBatch::Make(schema, rows, {std::move(ids), std::move(vectors)});
}

/// The rows that have a vector.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithoutNulls(const std::vector<uint64_t>& row_ids,
                                                                const arrow::FixedSizeListArray& vectors) {
  const auto& type = static_cast<const arrow::FixedSizeListType&>(*vectors.type());
  const int64_t width =
      type.list_size() * static_cast<const arrow::FixedWidthType&>(*type.value_type()).bit_width() / 8;
  const int64_t kept = vectors.length() - vectors.null_count();
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values, arrow::AllocateBuffer(kept * width));
  // The first value of the first row; those of other rows follow, those of nulls included.
  const uint8_t* from = vectors.values()->data()->buffers[1]->data() +
                        (vectors.values()->offset() + vectors.value_offset(0)) * (width / type.list_size());
  uint8_t* to = values->mutable_data();
  std::vector<uint64_t> ids;
  for (int64_t i = 0; i < vectors.length(); ++i) {
    if (vectors.IsNull(i)) continue;
    ids.push_back(row_ids[static_cast<size_t>(i)]);
    std::memcpy(to, from + i * width, static_cast<size_t>(width));
    to += width;
  }
  const auto items = arrow::MakeArray(
      arrow::ArrayData::Make(type.value_type(), kept * type.list_size(), {nullptr, std::move(values)}, 0));
  return FlatRows(std::move(ids), std::make_shared<arrow::FixedSizeListArray>(vectors.type(), kept, items));
}

/// The vectors with what their null elements happen to hold, nearly always zero: Lance computes with that.
std::shared_ptr<arrow::Array> WithoutItemNulls(const arrow::FixedSizeListArray& vectors) {
  if (vectors.values()->null_count() == 0) return arrow::MakeArray(vectors.data());
  auto items = vectors.values()->data()->Copy();
  items->buffers[0] = nullptr;
  items->null_count = 0;
  auto data = vectors.data()->Copy();
  data->child_data[0] = std::move(items);
  return arrow::MakeArray(data);
}

}  // namespace

arrow::Result<ExactScorer> ExactScorer::Make(ElementType element_type, uint32_t dimension, Metric metric,
                                             const float* query) {
  const bool is_binary = element_type == ElementType::kUint8;
  if (is_binary != (metric == Metric::kHamming)) {
    return ArgumentError("metric ", ToString(metric), " over vectors of ", ToString(element_type), " is not supported");
  }
  const std::string metadata = nlohmann::json{{"dim", dimension}}.dump();
  const StorageKindEntry* kind = FindStorageKind("FLAT", element_type);
  ExactScorer made;
  ARROW_ASSIGN_OR_RAISE(
      made.quantizer_,
      kind->quantizer_from_file({.metadata = metadata, .dimension = dimension, .element_type = element_type}));
  std::vector<float> rounded(query, query + dimension);
  for (float& value : rounded) value = RoundTo(element_type, value);
  made.scorer_ = made.quantizer_->MakeScorer(rounded.data(), {.metric = metric, .element_type = element_type});
  made.scorer_->BeginPartition({});
  return made;
}

arrow::Status ExactScorer::Score(const std::vector<uint64_t>& row_ids, const arrow::FixedSizeListArray& vectors,
                                 TopK* top_k) {
  if (vectors.length() == 0) return arrow::Status::OK();
  std::shared_ptr<arrow::RecordBatch> rows;
  if (vectors.null_count() > 0) {
    ARROW_ASSIGN_OR_RAISE(rows, WithoutNulls(row_ids, vectors));
  } else {
    ARROW_ASSIGN_OR_RAISE(rows, FlatRows(row_ids, WithoutItemNulls(vectors)));
  }
  ARROW_ASSIGN_OR_RAISE(const auto storage, quantizer_->MakeStorage(*rows, StorageLayout::kRandomAccess));
  scorer_->Scan(*storage, top_k);
  return arrow::Status::OK();
}

arrow::Status SearchFragment(VectorColumn* column, const lance::Fragment& fragment,
                             const std::vector<uint64_t>& row_ids, std::span<ExactSearch> searches) {
  const uint64_t bytes = uint64_t{column->dimension()} * SizeOf(column->element_type());
  const uint64_t piece = std::max<uint64_t>(kPieceBytes / bytes, 1);
  for (uint64_t start = 0; start < fragment.physical_rows; start += piece) {
    const uint64_t length = std::min(piece, fragment.physical_rows - start);
    ARROW_ASSIGN_OR_RAISE(const auto vectors, column->Read(fragment, start, length));
    const auto first = row_ids.begin() + static_cast<std::ptrdiff_t>(start);
    const std::vector<uint64_t> ids(first, first + static_cast<std::ptrdiff_t>(length));
    for (auto& [scorer, top_k] : searches) ARROW_RETURN_NOT_OK(scorer.Score(ids, *vectors, &top_k));
  }
  return arrow::Status::OK();
}

}  // namespace fewter
