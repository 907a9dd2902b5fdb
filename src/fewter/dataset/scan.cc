#include <algorithm>
#include <utility>

#include <arrow/array/concatenate.h>
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
  auto next_deleted = deleted.begin();
  for (uint64_t offset = 0; offset < fragment.physical_rows; ++offset) {
    if (next_deleted != deleted.end() && *next_deleted == offset) {
      ++next_deleted;
    } else {
      offsets.push_back(offset);
    }
  }
  return offsets;
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
      ARROW_ASSIGN_OR_RAISE(offsets_, LiveOffsets(*store_, manifest_->fragments[next_fragment_++]));
      next_ = 0;
    }
    const uint64_t length = std::min<uint64_t>(batch_size_, offsets_.size() - next_);
    const auto begin = offsets_.begin() + static_cast<std::ptrdiff_t>(next_);
    next_ += length;
    ARROW_ASSIGN_OR_RAISE(*batch, rows_->Read(manifest_->fragments[next_fragment_ - 1],
                                              {begin, begin + static_cast<std::ptrdiff_t>(length)}, schema_));
    return arrow::Status::OK();
  }

 private:
  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
  const std::shared_ptr<RowReader> rows_;
  const std::shared_ptr<arrow::Schema> schema_;
  const uint64_t batch_size_;
  size_t next_fragment_ = 0;
  /// Of the fragment before that.
  std::vector<uint64_t> offsets_;
  size_t next_ = 0;
};

/// Wanted rows of one fragment: their offsets, and their places among all that are wanted.
struct FragmentRows {
  const lance::Fragment* fragment = nullptr;
  std::vector<uint64_t> offsets;
  std::vector<size_t> places;
};

arrow::Status NoSuchRow(uint64_t row_id) {
  return arrow::Status::KeyError("the dataset has no row with id ", row_id);
}

arrow::Status CheckLive(const lance::ObjectStore& store, const FragmentRows& rows, std::span<const uint64_t> row_ids) {
  ARROW_ASSIGN_OR_RAISE(const auto deleted, lance::ReadDeletions(store, *rows.fragment));
  for (size_t i = 0; i < rows.offsets.size(); ++i) {
    const uint64_t offset = rows.offsets[i];
    const bool is_deleted = std::binary_search(deleted.begin(), deleted.end(), offset);
    if (offset >= rows.fragment->physical_rows || is_deleted) return NoSuchRow(row_ids[rows.places[i]]);
  }
  return arrow::Status::OK();
}

/// Puts the rows of several batches in the order of their places.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> InOrder(
    const std::vector<FragmentRows>& fragments, const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
    const std::shared_ptr<arrow::Schema>& schema, size_t num_rows) {
  arrow::ArrayVector columns;
  for (int column = 0; column < schema->num_fields(); ++column) {
    arrow::ArrayVector rows(num_rows);
    for (size_t i = 0; i < fragments.size(); ++i) {
      for (size_t row = 0; row < fragments[i].places.size(); ++row) {
        rows[fragments[i].places[row]] = batches[i]->column(column)->Slice(static_cast<int64_t>(row), 1);
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto joined, arrow::Concatenate(rows));
    columns.push_back(std::move(joined));
  }
  return arrow::RecordBatch::Make(schema, static_cast<int64_t>(num_rows), std::move(columns));
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Schema>> Dataset::Schema() const {
  return GetRowReader()->SchemaOf({});
}

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> Dataset::Scan(const std::vector<std::string>& columns,
                                                                       uint64_t batch_size) const {
  if (batch_size == 0) return ArgumentError("batches of no rows");
  auto rows = GetRowReader();
  ARROW_ASSIGN_OR_RAISE(auto schema, rows->SchemaOf(columns));
  return std::make_shared<ScanReader>(store_, manifest_, std::move(rows), std::move(schema), batch_size);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Dataset::Take(std::span<const uint64_t> row_ids,
                                                                 const std::vector<std::string>& columns) const {
  const auto reader = GetRowReader();
  ARROW_ASSIGN_OR_RAISE(const auto schema, reader->SchemaOf(columns));
  ARROW_ASSIGN_OR_RAISE(const auto locations, GetRowLocations());
  std::vector<FragmentRows> fragments;
  for (size_t i = 0; i < row_ids.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t address, locations->AddressOf(row_ids[i]));
    auto rows = std::find_if(fragments.begin(), fragments.end(),
                             [&](const FragmentRows& one) { return one.fragment->id == address >> 32; });
    if (rows == fragments.end()) {
      const auto fragment = std::find_if(manifest_->fragments.begin(), manifest_->fragments.end(),
                                         [&](const auto& one) { return one.id == address >> 32; });
      if (fragment == manifest_->fragments.end()) return NoSuchRow(row_ids[i]);
      rows = fragments.insert(fragments.end(), FragmentRows{&*fragment, {}, {}});
    }
    rows->offsets.push_back(address & 0xffffffff);
    rows->places.push_back(i);
  }
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const FragmentRows& rows : fragments) {
    ARROW_RETURN_NOT_OK(CheckLive(*store_, rows, row_ids));
    ARROW_ASSIGN_OR_RAISE(auto batch, reader->Read(*rows.fragment, rows.offsets, schema));
    batches.push_back(std::move(batch));
  }
  if (batches.size() == 1) return batches.front();
  if (batches.empty()) return arrow::RecordBatch::MakeEmpty(schema);
  return InOrder(fragments, batches, schema, row_ids.size());
}

}  // namespace fewter
