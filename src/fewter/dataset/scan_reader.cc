#include "fewter/dataset/scan_reader.h"

#include <algorithm>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <arrow/util/byte_size.h>
#include <arrow/util/thread_pool.h>

#include "fewter/dataset/read_ahead.h"
#include "fewter/dataset/row_locations.h"

namespace fewter {

namespace {

/// What is read at a time, once it is known how large rows are: enough that opening and joining costs nothing, and
/// little enough to stay in the processor's cache, or to take a remote store not much longer than a round trip.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
constexpr uint64_t kRemotePieceBytes = uint64_t{8} << 20;
/// How many pieces are read ahead of a remote store.
constexpr size_t kRemotePieces = 8;

/// One fragment on its way through a scan. Thread safe.
class FragmentScan {
 public:
  /// `taken` may be null, for all rows.
  FragmentScan(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
               const lance::Fragment& fragment, const TakenRows* taken)
      : store_(std::move(store)),
        manifest_(std::move(manifest)),
        fragment_(fragment),
        is_filtered_(taken != nullptr),
        taken_(taken != nullptr ? taken->Offsets() : std::vector<uint64_t>()) {}

  /// That are wanted.
  uint64_t num_rows() const { return is_filtered_ ? taken_.size() : fragment_.live_rows(); }

  /// Some of the rows that are wanted.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Read(RowReader* reader, uint64_t first, uint64_t length,
                                                          const std::shared_ptr<arrow::Schema>& schema) {
    std::shared_ptr<const std::vector<uint64_t>> row_ids;
    std::span<const uint64_t> wanted_ids;
    if (manifest_->has_stable_row_ids() && schema->GetFieldIndex(RowReader::kRowId) >= 0) {
      ARROW_ASSIGN_OR_RAISE(row_ids, RowIds());
      wanted_ids = std::span(*row_ids).subspan(first, length);
    }
    if (is_filtered_) {
      return reader->Read(fragment_, RangesOf(std::span(taken_).subspan(first, length)), wanted_ids, schema);
    }
    ARROW_ASSIGN_OR_RAISE(const auto deleted, reader->DeletedOffsets(fragment_));
    return reader->Read(fragment_, LiveRanges(*deleted, first, length), wanted_ids, schema);
  }

 private:
  /// Of the rows that are wanted. As many ids as live rows: both follow from the same deletions, which fit the
  /// manifest.
  arrow::Result<std::shared_ptr<const std::vector<uint64_t>>> RowIds() {
    {
      const std::lock_guard lock(mutex_);
      if (row_ids_ != nullptr) return row_ids_;
    }
    std::vector<uint64_t> ids;
    if (is_filtered_) {
      ARROW_ASSIGN_OR_RAISE(const auto all, RowIdsOfFragment(*store_, *manifest_, fragment_));
      for (const uint64_t offset : taken_) ids.push_back(all[offset]);
    } else {
      ARROW_ASSIGN_OR_RAISE(ids, LiveRowIdsOfFragment(*store_, *manifest_, fragment_));
    }
    if (ids.size() != num_rows()) {
      return arrow::Status::Invalid("fragment ", fragment_.id, " has ", num_rows(), " rows and ", ids.size(), " ids");
    }
    const std::lock_guard lock(mutex_);
    if (row_ids_ == nullptr) row_ids_ = std::make_shared<const std::vector<uint64_t>>(std::move(ids));
    return row_ids_;
  }

  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
  const lance::Fragment& fragment_;
  const bool is_filtered_;
  /// Offsets, ascending; empty if all are wanted.
  const std::vector<uint64_t> taken_;
  std::mutex mutex_;
  std::shared_ptr<const std::vector<uint64_t>> row_ids_;
};

class ScanReader : public arrow::RecordBatchReader {
 public:
  ScanReader(std::shared_ptr<const lance::ObjectStore> store, std::shared_ptr<const lance::Manifest> manifest,
             std::shared_ptr<RowReader> rows, std::shared_ptr<arrow::Schema> schema, std::unique_ptr<TakenAhead> taken,
             uint64_t batch_size, arrow::internal::Executor* cpu_executor)
      : store_(std::move(store)),
        manifest_(std::move(manifest)),
        rows_(std::move(rows)),
        schema_(std::move(schema)),
        filter_(std::move(taken)),
        batch_size_(batch_size),
        max_pieces_(store_->is_remote() ? kRemotePieces : static_cast<size_t>(cpu_executor->GetCapacity()) + 1),
        piece_rows_(batch_size),
        pieces_(store_->is_remote() ? store_->executor() : cpu_executor) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    if (piece_ == nullptr || taken_ == piece_->num_rows()) {
      // Once it has failed nothing follows: rows would be left out.
      if (outcome_.ok()) outcome_ = NextPiece();
      if (!outcome_.ok() || piece_ == nullptr) return outcome_;
    }
    const int64_t left = piece_->num_rows() - taken_;
    const int64_t length = batch_size_ < static_cast<uint64_t>(left) ? static_cast<int64_t>(batch_size_) : left;
    *batch = length == piece_->num_rows() ? piece_ : piece_->Slice(taken_, length);
    taken_ += length;
    return arrow::Status::OK();
  }

 private:
  arrow::Status NextPiece() {
    // Who comes back for more may want all.
    if (piece_ != nullptr && filter_ != nullptr) filter_->BeginNextGroup();
    piece_ = nullptr;
    taken_ = 0;
    AddPieces(true);
    if (pieces_.size() == 0) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(piece_, pieces_.Take());
    const auto bytes = static_cast<uint64_t>(std::max<int64_t>(arrow::util::TotalBufferSize(*piece_), 1));
    const uint64_t target = store_->is_remote() ? kRemotePieceBytes : kPieceBytes;
    const uint64_t rows = target * static_cast<uint64_t>(piece_->num_rows()) / bytes;
    piece_rows_ = std::max(rows / batch_size_, uint64_t{1}) * batch_size_;
    AddPieces(false);
    return arrow::Status::OK();
  }

  /// If `is_waiting`, the caller wants a piece and has none; otherwise nothing is waited for.
  void AddPieces(bool is_waiting) {
    while (pieces_.size() < max_pieces_) {
      if (fragment_ == nullptr || next_row_ == fragment_->num_rows()) {
        const bool may_wait = is_waiting && pieces_.size() == 0;
        if (next_fragment_ == manifest_->fragments.size() || !NextFragment(may_wait)) return;
        continue;
      }
      const uint64_t length = std::min(piece_rows_, fragment_->num_rows() - next_row_);
      pieces_.Add([fragment = fragment_, rows = rows_, schema = schema_, first = next_row_, length] {
        return fragment->Read(rows.get(), first, length, schema);
      });
      next_row_ += length;
    }
  }

  /// False if it is not known yet which of its rows are wanted.
  bool NextFragment(bool may_wait) {
    std::shared_ptr<const TakenRows> taken;
    if (filter_ != nullptr) {
      if (!may_wait && !filter_->IsReady()) return false;
      auto rows = filter_->Next();
      if (!rows.ok()) {
        // Behind the rows that come before it.
        pieces_.Add([failure = rows.status()] { return failure; });
        next_fragment_ = manifest_->fragments.size();
        return true;
      }
      taken = *std::move(rows);
    }
    fragment_ = std::make_shared<FragmentScan>(store_, manifest_, manifest_->fragments[next_fragment_++], taken.get());
    next_row_ = 0;
    return true;
  }

  const std::shared_ptr<const lance::ObjectStore> store_;
  const std::shared_ptr<const lance::Manifest> manifest_;
  const std::shared_ptr<RowReader> rows_;
  const std::shared_ptr<arrow::Schema> schema_;
  /// Null if all rows are wanted.
  const std::unique_ptr<TakenAhead> filter_;
  const uint64_t batch_size_;
  const size_t max_pieces_;
  /// How many rows to read at a time: a multiple of the batch size.
  uint64_t piece_rows_;
  /// Where the pieces that have been added end.
  size_t next_fragment_ = 0;
  std::shared_ptr<FragmentScan> fragment_;
  uint64_t next_row_ = 0;
  ReadAhead<std::shared_ptr<arrow::RecordBatch>> pieces_;
  /// The piece that batches are cut from, and how many of its rows have been.
  std::shared_ptr<arrow::RecordBatch> piece_;
  int64_t taken_ = 0;
  arrow::Status outcome_;
};

}  // namespace

std::shared_ptr<arrow::RecordBatchReader> MakeScanReader(std::shared_ptr<const lance::ObjectStore> store,
                                                         std::shared_ptr<const lance::Manifest> manifest,
                                                         std::shared_ptr<RowReader> rows,
                                                         std::shared_ptr<arrow::Schema> schema,
                                                         std::unique_ptr<TakenAhead> taken, uint64_t batch_size,
                                                         arrow::internal::Executor* cpu_executor) {
  return std::make_shared<ScanReader>(std::move(store), std::move(manifest), std::move(rows), std::move(schema),
                                      std::move(taken), batch_size, cpu_executor);
}

}  // namespace fewter
