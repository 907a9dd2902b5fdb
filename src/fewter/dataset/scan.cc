#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <arrow/array/array_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "fewter/dataset/blobs.h"
#include "fewter/dataset/dataset.h"
#include "fewter/dataset/filtered_rows.h"
#include "fewter/dataset/row_locations.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/dataset/scan_reader.h"
#include "fewter/dataset/taken_ahead.h"
#include "fewter/dataset/traced_call.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/side_by_side.h"

/// Rows of a dataset: all of them in order, or those with some ids.

namespace fewter {

namespace {

/// Of a local store fewer rows are taken in less time than waking threads saves.
constexpr size_t kRowsWorthThreads = 200;

arrow::Status NoSuchRow(uint64_t row_id) {
  return arrow::Status::KeyError("the dataset has no row with id ", row_id);
}

/// A row that is wanted: where it lies, its id, and its place among all that are wanted.
struct WantedRow {
  uint64_t address = 0;
  uint64_t row_id = 0;
  size_t place = 0;

  uint64_t offset() const { return address & 0xffffffff; }
};

/// Wanted rows of one fragment, ascending.
struct FragmentRows {
  const lance::Fragment* fragment = nullptr;
  std::span<const WantedRow> rows;
};

arrow::Status CheckLive(RowReader* reader, const FragmentRows& wanted) {
  ARROW_ASSIGN_OR_RAISE(const auto deleted, reader->DeletedOffsets(*wanted.fragment));
  for (const WantedRow& row : wanted.rows) {
    const bool is_deleted = std::binary_search(deleted->begin(), deleted->end(), row.offset());
    if (row.offset() >= wanted.fragment->physical_rows || is_deleted) return NoSuchRow(row.row_id);
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> TakeOfFragment(RowReader* reader, const FragmentRows& wanted,
                                                                  const std::shared_ptr<arrow::Schema>& schema) {
  std::vector<uint64_t> offsets, row_ids;
  for (const WantedRow& row : wanted.rows) {
    offsets.push_back(row.offset());
    row_ids.push_back(row.row_id);
  }
  return reader->Read(*wanted.fragment, RangesOf(offsets), row_ids, schema);
}

/// Puts the rows of several batches in the order of their places.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> InOrder(const std::vector<WantedRow>& wanted,
                                                           const arrow::RecordBatchVector& batches) {
  std::vector<int64_t> order(wanted.size());
  for (size_t row = 0; row < wanted.size(); ++row) order[wanted[row].place] = static_cast<int64_t>(row);
  auto joined = batches.front();
  if (batches.size() > 1) {
    ARROW_ASSIGN_OR_RAISE(joined, arrow::ConcatenateRecordBatches(batches));
  }
  if (std::is_sorted(order.begin(), order.end())) return joined;
  const auto indices =
      std::make_shared<arrow::Int64Array>(joined->num_rows(), arrow::Buffer::FromVector(std::move(order)));
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
  const auto blobs = std::make_shared<const BlobReader>(store_, manifest_);
  const auto with_bytes = request.blobs == BlobHandling::kBinary ? blobs->SchemaOf(*schema) : schema;
  const bool reads_blobs = !with_bytes->Equals(*schema);
  if (reads_blobs) schema = WithRowAddress(schema);
  std::unique_ptr<TakenAhead> taken;
  if (request.filter != nullptr) {
    ARROW_ASSIGN_OR_RAISE(auto condition, Bind(*request.filter));
    taken = std::make_unique<TakenAhead>(GetFragmentFilter(), std::move(condition), *manifest_);
  }
  auto reader = MakeScanReader(store_, manifest_, std::move(rows), std::move(schema), std::move(taken),
                               request.batch_size, session_->cpu_executor());
  if (!reads_blobs) return reader;
  auto* executor = store_->is_remote() ? store_->executor() : session_->cpu_executor();
  return MakeBlobScanReader(std::move(reader), blobs, with_bytes, executor);
}

arrow::Result<uint64_t> Dataset::CountRows(const std::shared_ptr<const Filter>& filter) const {
  if (filter == nullptr) return manifest_->live_rows();
  ARROW_ASSIGN_OR_RAISE(const auto taken, TakenOfEach(*filter, AllFragments(*manifest_)));
  uint64_t rows = 0;
  for (const auto& of_fragment : taken) rows += of_fragment->num_taken();
  return rows;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Dataset::Take(std::span<const uint64_t> row_ids,
                                                                 const std::vector<std::string>& columns,
                                                                 BlobHandling blobs) const {
  ARROW_ASSIGN_OR_RAISE(const auto schema, GetRowReader()->SchemaOf(columns));
  const auto take = [&]() -> arrow::Result<std::shared_ptr<arrow::RecordBatch>> {
    if (blobs == BlobHandling::kDescriptions) return TakeRows(row_ids, schema, false);
    const BlobReader reader(store_, manifest_);
    ARROW_ASSIGN_OR_RAISE(const auto described, TakeRows(row_ids, WithRowAddress(schema), false));
    return reader.Read(*described, reader.SchemaOf(*schema));
  };
  return TracedCall("fewter.take", *session_, store_->identity(), take);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Dataset::TakeRows(std::span<const uint64_t> row_ids,
                                                                     const std::shared_ptr<arrow::Schema>& schema,
                                                                     bool are_live) const {
  if (row_ids.empty()) return arrow::RecordBatch::MakeEmpty(schema);
  ARROW_ASSIGN_OR_RAISE(const auto locations, GetRowLocations());
  std::vector<WantedRow> wanted;
  wanted.reserve(row_ids.size());
  for (size_t i = 0; i < row_ids.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t address, locations->AddressOf(row_ids[i]));
    wanted.push_back({address, row_ids[i], i});
  }
  std::ranges::sort(wanted, {}, &WantedRow::address);
  std::vector<FragmentRows> fragments;
  for (auto begin = wanted.begin(); begin != wanted.end();) {
    const uint64_t id = begin->address >> 32;
    const auto end = std::find_if(begin, wanted.end(), [&](const WantedRow& row) { return row.address >> 32 != id; });
    const lance::Fragment* fragment = manifest_->FindFragment(id);
    if (fragment == nullptr) return NoSuchRow(begin->row_id);
    fragments.push_back({fragment, {begin, end}});
    begin = end;
  }
  const auto reader = GetRowReader();
  arrow::RecordBatchVector taken(fragments.size());
  const auto take = [&](size_t i) {
    if (!are_live) ARROW_RETURN_NOT_OK(CheckLive(reader.get(), fragments[i]));
    return TakeOfFragment(reader.get(), fragments[i], schema).Value(&taken[i]);
  };
  if (store_->is_remote() || wanted.size() < kRowsWorthThreads) {
    ARROW_RETURN_NOT_OK(store_->RunTogether(fragments.size(), take));
  } else {
    ARROW_RETURN_NOT_OK(TrySideBySide(session_->cpu_executor(), fragments.size(), take));
  }
  return InOrder(wanted, taken);
}

}  // namespace fewter
