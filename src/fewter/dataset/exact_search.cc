#include "fewter/dataset/exact_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <nlohmann/json.hpp>

#include "fewter/dataset/row_locations.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/side_by_side.h"
#include "fewter/vector/quantizer/registry.h"

namespace fewter {

namespace {

/// What is read of a fragment at a time, in bytes.
constexpr uint64_t kPieceBytes = 8 << 20;
/// And of a remote store at once: what keeps a connection of some Gbit/s busy.
constexpr uint64_t kBytesUnderWay = 64 << 20;
/// Fragments are gone through in groups of at least so many rows, of which the ids are held, 8 bytes each.
constexpr uint64_t kRowIdsAtOnce = 1 << 20;

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

namespace {

/// A few MiB of a fragment.
struct Piece {
  size_t fragment = 0;
  uint64_t start = 0;
  uint64_t length = 0;
};

/// The searches of all queries, as often as threads compare at once.
class SearchSets {
 public:
  using Set = std::vector<ExactSearch>;

  SearchSets(size_t most, const std::function<arrow::Result<Set>()>& make) : most_(most), make_(make) {}

  /// Takes one that nobody uses, makes one, or waits for one.
  arrow::Result<std::unique_ptr<Set>> Take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !idle_.empty() || made_ < most_; });
    if (idle_.empty()) {
      ++made_;
      lock.unlock();
      auto set = make_();
      if (set.ok()) return std::make_unique<Set>(*std::move(set));
      lock.lock();
      --made_;
      returned_.notify_one();
      return set.status();
    }
    auto set = std::move(idle_.back());
    idle_.pop_back();
    return set;
  }

  void Return(std::unique_ptr<Set> set) {
    {
      const std::lock_guard lock(mutex_);
      idle_.push_back(std::move(set));
    }
    returned_.notify_one();
  }

  /// What all together have found for each query. Requires that all have been returned.
  std::vector<std::vector<Neighbor>> Finish() {
    std::vector<std::vector<Neighbor>> found;
    for (const auto& set : idle_) {
      found.resize(set->size());
      for (size_t query = 0; query < set->size(); ++query) {
        const auto rows = (*set)[query].top_k.Finish();
        found[query].insert(found[query].end(), rows.begin(), rows.end());
      }
    }
    return found;
  }

 private:
  const size_t most_;
  const std::function<arrow::Result<Set>()>& make_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Set>> idle_;
  size_t made_ = 0;
};

/// Some fragments whose row ids are held at once.
class FragmentGroup {
 public:
  FragmentGroup(const ExactScan& scan, std::span<const lance::Fragment* const> fragments)
      : scan_(scan), fragments_(fragments), row_ids_(fragments.size()) {}

  arrow::Status Search(SearchSets* sets) {
    ARROW_RETURN_NOT_OK(Prepare());
    const std::vector<Piece> pieces = Pieces();
    std::atomic<bool> failed = false;
    const auto search = [&](size_t i) {
      if (failed) return arrow::Status::OK();
      auto outcome = SearchPiece(pieces[i], sets);
      if (!outcome.ok()) failed = true;
      return outcome;
    };
    if (!scan_.store.is_remote()) return TrySideBySide(scan_.executor, pieces.size(), search, scan_.threads);
    return TrySideBySide(scan_.store.executor(), pieces.size(), search, PiecesUnderWay(pieces));
  }

 private:
  uint64_t BytesOfVector() const { return uint64_t{scan_.column.dimension()} * SizeOf(scan_.column.element_type()); }

  /// Row ids and deletions do not wait for the data files' metadata, nor these for them.
  arrow::Status Prepare() {
    return scan_.store.RunTogether(2 * fragments_.size(), [&](size_t i) {
      const lance::Fragment& fragment = *fragments_[i / 2];
      return i % 2 == 0 ? RowIdsOfFragment(scan_.store, scan_.manifest, fragment).Value(&row_ids_[i / 2])
                        : scan_.column.Prepare(fragment);
    });
  }

  std::vector<Piece> Pieces() const {
    const uint64_t most = std::max<uint64_t>(kPieceBytes / BytesOfVector(), 1);
    std::vector<Piece> pieces;
    for (size_t i = 0; i < fragments_.size(); ++i) {
      const uint64_t rows = fragments_[i]->physical_rows;
      for (uint64_t start = 0; start < rows; start += most) pieces.push_back({i, start, std::min(most, rows - start)});
    }
    return pieces;
  }

  size_t PiecesUnderWay(const std::vector<Piece>& pieces) const {
    uint64_t longest = 1;
    for (const Piece& piece : pieces) longest = std::max(longest, piece.length);
    return std::max<size_t>(kBytesUnderWay / (longest * BytesOfVector()), 1);
  }

  arrow::Status SearchPiece(const Piece& piece, SearchSets* sets) {
    ARROW_ASSIGN_OR_RAISE(const auto vectors,
                          scan_.column.Read(*fragments_[piece.fragment], piece.start, piece.length));
    const auto first = row_ids_[piece.fragment].begin() + static_cast<std::ptrdiff_t>(piece.start);
    const std::vector<uint64_t> ids(first, first + static_cast<std::ptrdiff_t>(piece.length));
    ARROW_ASSIGN_OR_RAISE(auto set, sets->Take());
    arrow::Status status;
    for (auto& [scorer, top_k] : *set) {
      status = scorer.Score(ids, *vectors, &top_k);
      if (!status.ok()) break;
    }
    sets->Return(std::move(set));
    return status;
  }

  const ExactScan& scan_;
  const std::span<const lance::Fragment* const> fragments_;
  /// By fragment.
  std::vector<std::vector<uint64_t>> row_ids_;
};

}  // namespace

arrow::Result<std::vector<std::vector<Neighbor>>> SearchFragments(
    const ExactScan& scan, std::span<const lance::Fragment* const> fragments,
    const std::function<arrow::Result<std::vector<ExactSearch>>()>& make_searches) {
  SearchSets sets(std::max<size_t>(scan.threads, 1), make_searches);
  // A query that cannot be compared with these vectors fails before anything is read.
  ARROW_ASSIGN_OR_RAISE(auto first, sets.Take());
  sets.Return(std::move(first));
  for (size_t begin = 0; begin < fragments.size();) {
    size_t end = begin;
    for (uint64_t rows = 0; end < fragments.size() && (end == begin || rows < kRowIdsAtOnce); ++end) {
      rows += fragments[end]->physical_rows;
    }
    ARROW_RETURN_NOT_OK(FragmentGroup(scan, fragments.subspan(begin, end - begin)).Search(&sets));
    begin = end;
  }
  return sets.Finish();
}

}  // namespace fewter
