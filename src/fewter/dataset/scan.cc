#include <algorithm>
#include <iterator>
#include <ranges>
#include <span>
#include <utility>

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_locations.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/lance/deletions.h"
#include "fewter/util/argument_error.h"

/// Rows of a dataset: all of them in order, or those with some ids.

namespace fewter {

namespace {

/// The offsets of a fragment's rows that have not been deleted.
arrow::Result<std::vector<uint64_t>> LiveOffsets(const lance::ObjectStore& store, const lance::Fragment& fragment) {
  ARROW_ASSIGN_OR_RAISE(const auto deleted, lance::ReadDeletions(store, fragment));
  std::vector<uint64_t> offsets;
  offsets.reserve(fragment.physical_rows - deleted.size());
  std::ranges::set_difference(std::views::iota(uint64_t{0}, fragment.physical_rows), deleted,
                              std::back_inserter(offsets));
  return offsets;
}

/// A piece of a vector that has one; of an empty one nothing.
std::vector<uint64_t> Piece(const std::vector<uint64_t>& all, size_t begin, size_t length) {
  const std::span<const uint64_t> piece =
      all.empty() ? std::span<const uint64_t>() : std::span(all).subspan(begin, length);
  return {piece.begin(), piece.end()};
}

class ScanReader : public arrow::RecordBatchReader {
 public:
  ScanReader(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
             std::shared_ptr<RowReader> rows, std::shared_ptr<arrow::Schema> schema, uint64_t batch_size)
      : store_(std::move(store)),
        manifest_(std::move(manifest)),
        rows_(std::move(rows)),
        schema_(std::move(schema)),
        batch_size_(batch_size) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    while (next_ == offsets_.size()) {
      if (next_fragment_ == manifest_->fragments.size()) return arrow::Status::OK();
      ARROW_RETURN_NOT_OK(Enter(manifest_->fragments[next_fragment_++]));
    }
    const uint64_t length = std::min<uint64_t>(batch_size_, offsets_.size() - next_);
    ARROW_ASSIGN_OR_RAISE(*batch, rows_->Read(manifest_->fragments[next_fragment_ - 1], Piece(offsets_, next_, length),
                                              Piece(row_ids_, next_, length), schema_));
    next_ += length;
    return arrow::Status::OK();
  }

 private:
  arrow::Status Enter(const lance::Fragment& fragment) {
    ARROW_ASSIGN_OR_RAISE(offsets_, LiveOffsets(*store_, fragment));
    next_ = 0;
    if (schema_->GetFieldIndex(RowReader::kRowId) < 0) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(row_ids_, LiveRowIdsOfFragment(*store_, *manifest_, fragment));
    return arrow::Status::OK();
  }

  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
  const std::shared_ptr<RowReader> rows_;
  const std::shared_ptr<arrow::Schema> schema_;
  const uint64_t batch_size_;
  size_t next_fragment_ = 0;
  /// Of the fragment before that; the ids only if they are wanted.
  std::vector<uint64_t> offsets_, row_ids_;
  size_t next_ = 0;
};

/// Wanted rows of one fragment: their offsets, their ids, and their places among all that are wanted.
struct FragmentRows {
  const lance::Fragment* fragment = nullptr;
  std::vector<uint64_t> offsets;
  std::vector<uint64_t> row_ids;
  std::vector<size_t> places;
};

arrow::Status NoSuchRow(uint64_t row_id) {
  return arrow::Status::KeyError("the dataset has no row with id ", row_id);
}

arrow::Status CheckLive(const lance::ObjectStore& store, const FragmentRows& rows) {
  ARROW_ASSIGN_OR_RAISE(const auto deleted, lance::ReadDeletions(store, *rows.fragment));
  for (size_t i = 0; i < rows.offsets.size(); ++i) {
    const uint64_t offset = rows.offsets[i];
    const bool is_deleted = std::binary_search(deleted.begin(), deleted.end(), offset);
    if (offset >= rows.fragment->physical_rows || is_deleted) return NoSuchRow(rows.row_ids[i]);
  }
  return arrow::Status::OK();
}

/// Puts the rows of several batches in the order of their places.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> InOrder(const std::vector<FragmentRows>& fragments,
                                                           const arrow::RecordBatchVector& batches, size_t num_rows) {
  std::vector<int64_t> order(num_rows);
  int64_t row = 0;
  for (const FragmentRows& rows : fragments) {
    for (const size_t place : rows.places) order[place] = row++;
  }
  arrow::Int64Builder builder;
  ARROW_RETURN_NOT_OK(builder.AppendValues(order));
  ARROW_ASSIGN_OR_RAISE(const auto indices, builder.Finish());
  ARROW_ASSIGN_OR_RAISE(auto joined, arrow::ConcatenateRecordBatches(batches));
  ARROW_ASSIGN_OR_RAISE(const auto ordered,
                        arrow::compute::Take(arrow::Datum(std::move(joined)), arrow::Datum(indices)));
  return ordered.record_batch();
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Schema>> Dataset::Schema() const {
  return GetRowReader()->SchemaOf({});
}

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> Dataset::Scan(const ScanRequest& request) const {
  if (request.batch_size == 0) return ArgumentError("batches of no rows");
  auto rows = GetRowReader();
  ARROW_ASSIGN_OR_RAISE(auto schema, rows->SchemaOf(request.columns));
  return std::make_shared<ScanReader>(store_, manifest_, std::move(rows), std::move(schema), request.batch_size);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Dataset::Take(std::span<const uint64_t> row_ids,
                                                                 const std::vector<std::string>& columns) const {
  ARROW_ASSIGN_OR_RAISE(const auto schema, GetRowReader()->SchemaOf(columns));
  return TakeRows(row_ids, schema, false);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Dataset::TakeRows(std::span<const uint64_t> row_ids,
                                                                     const std::shared_ptr<arrow::Schema>& schema,
                                                                     bool are_live) const {
  ARROW_ASSIGN_OR_RAISE(const auto locations, GetRowLocations());
  std::vector<FragmentRows> fragments;
  for (size_t i = 0; i < row_ids.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t address, locations->AddressOf(row_ids[i]));
    auto rows = std::find_if(fragments.begin(), fragments.end(),
                             [&](const FragmentRows& one) { return one.fragment->id == address >> 32; });
    if (rows == fragments.end()) {
      const lance::Fragment* fragment = manifest_->FindFragment(address >> 32);
      if (fragment == nullptr) return NoSuchRow(row_ids[i]);
      rows = fragments.insert(fragments.end(), FragmentRows{fragment, {}, {}, {}});
    }
    rows->offsets.push_back(address & 0xffffffff);
    rows->row_ids.push_back(row_ids[i]);
    rows->places.push_back(i);
  }
  const auto reader = GetRowReader();
  arrow::RecordBatchVector batches(fragments.size());
  std::vector<arrow::Status> outcomes(fragments.size());
  store_->RunTogether(fragments.size(), [&](size_t i) {
    const FragmentRows& rows = fragments[i];
    if (!are_live) outcomes[i] = CheckLive(*store_, rows);
    if (!outcomes[i].ok()) return;
    outcomes[i] = reader->Read(*rows.fragment, rows.offsets, rows.row_ids, schema).Value(&batches[i]);
  });
  for (const auto& outcome : outcomes) ARROW_RETURN_NOT_OK(outcome);
  if (batches.size() == 1) return batches.front();
  if (batches.empty()) return arrow::RecordBatch::MakeEmpty(schema);
  return InOrder(fragments, batches, row_ids.size());
}

}  // namespace fewter
