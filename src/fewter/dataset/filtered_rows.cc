#include "fewter/dataset/filtered_rows.h"

#include <algorithm>
#include <utility>

#include <arrow/util/bitmap_ops.h>

#include "fewter/dataset/data_files.h"
#include "fewter/dataset/row_filters.h"
#include "fewter/dataset/row_locations.h"
#include "fewter/lance/deletions.h"
#include "fewter/util/side_by_side.h"
#include "fewter/vector/ivf/moved_rows.h"

namespace fewter {

namespace {

/// How many offsets of a fragment are looked at together; a multiple of 8, so that no two pieces share a byte of bits.
constexpr uint64_t kPieceRows = 1 << 16;

/// What the values of the columns depend on, but for the fragment: their fields, and the data files, which are named by
/// UUID and never change.
std::string DataOf(const lance::Manifest& manifest, const lance::Fragment& fragment, const arrow::Schema& columns) {
  std::string data;
  for (const auto& column : columns.fields()) {
    // None if it is a row's id or address.
    const lance::Field* field = manifest.FindField(column->name());
    data += (field != nullptr ? std::to_string(field->id) : column->name()) + " " + column->type()->ToString() + "\n";
  }
  for (const auto& file : fragment.files) data += file.path + "\n";
  return data;
}

}  // namespace

std::vector<const lance::Fragment*> AllFragments(const lance::Manifest& manifest) {
  std::vector<const lance::Fragment*> fragments;
  fragments.reserve(manifest.fragments.size());
  for (const auto& fragment : manifest.fragments) fragments.push_back(&fragment);
  return fragments;
}

arrow::Result<std::shared_ptr<const FilteredRows>> FilteredRows::Make(
    const lance::ObjectStore& store, const lance::Manifest& manifest, std::span<const lance::Fragment* const> fragments,
    const std::vector<std::shared_ptr<const TakenRows>>& taken) {
  auto made = std::make_shared<FilteredRows>();
  std::vector<std::pair<uint64_t, std::shared_ptr<const TakenRows>>> of_each;
  for (size_t i = 0; i < fragments.size(); ++i) of_each.emplace_back(fragments[i]->id, taken[i]);
  made->bytes_ = static_cast<int64_t>(sizeof(FilteredRows) + of_each.size() * sizeof(of_each.front()));
  made->fragments_ = FragmentTable(std::move(of_each));
  if (!manifest.has_stable_row_ids()) return made;
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < fragments.size(); ++i) {
    if (taken[i]->num_taken() == 0) continue;
    ARROW_ASSIGN_OR_RAISE(const auto of_fragment, RowIdsOfFragment(store, manifest, *fragments[i]));
    for (const uint64_t offset : taken[i]->Offsets()) ids.push_back(of_fragment[offset]);
  }
  made->by_stable_id_ = AllowRows(ids);
  // At most: the bitmap packs runs and dense pieces.
  made->bytes_ += static_cast<int64_t>(ids.size() * sizeof(uint64_t));
  return made;
}

/// A fragment that is being looked at.
struct FragmentFilter::Work {
  const lance::Fragment* fragment = nullptr;
  std::shared_ptr<const std::vector<uint32_t>> deleted;
  /// By offset; only if the filter asks for stable ids.
  std::vector<uint64_t> row_ids;
  std::shared_ptr<arrow::Buffer> taken;
  arrow::Status outcome;
};

TakenRowsKey FragmentFilter::KeyOf(const BoundFilter& filter, const lance::Fragment& fragment) const {
  return {.fragment = fragment.id,
          .physical_rows = fragment.physical_rows,
          .deletion_file =
              fragment.deletion_file ? lance::DeletionFilePath(fragment.id, *fragment.deletion_file) : std::string(),
          .data = DataOf(*manifest_, fragment, *filter.columns()),
          .filter = filter.canonical_bytes()};
}

arrow::Result<std::vector<std::shared_ptr<const TakenRows>>> FragmentFilter::Evaluate(
    const BoundFilter& filter, std::span<const lance::Fragment* const> fragments) const {
  std::vector<TakenRowsKey> keys;
  keys.reserve(fragments.size());
  for (const lance::Fragment* fragment : fragments) keys.push_back(KeyOf(filter, *fragment));
  const auto load = [&](const std::vector<size_t>& wanted) {
    std::vector<const lance::Fragment*> absent;
    absent.reserve(wanted.size());
    for (const size_t place : wanted) absent.push_back(fragments[place]);
    return Load(filter, absent);
  };
  auto found = cache_.GetOrLoadMany(std::span<const TakenRowsKey>(keys), load);
  std::vector<std::shared_ptr<const TakenRows>> taken;
  taken.reserve(fragments.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto rows, std::move(found[i]));
    if (rows->num_rows() != fragments[i]->physical_rows) {
      // Well formed, and of something else.
      ARROW_ASSIGN_OR_RAISE(rows, std::move(Load(filter, fragments.subspan(i, 1)).front()));
    }
    taken.push_back(std::move(rows));
  }
  return taken;
}

std::vector<arrow::Result<std::shared_ptr<const TakenRows>>> FragmentFilter::Load(
    const BoundFilter& filter, std::span<const lance::Fragment* const> fragments) const {
  std::vector<Work> works(fragments.size());
  for (size_t i = 0; i < works.size(); ++i) works[i].fragment = fragments[i];
  // Data files are opened beside their deletion files; what fails of that is said when they are read.
  RunTogether(2 * works.size(), [&](size_t i) {
    Work& work = works[i / 2];
    if (i % 2 == 0) {
      work.outcome = Begin(filter, &work);
    } else if (work.fragment->deletion_file) {
      (void)rows_->OpenFiles(*work.fragment, *filter.columns());
    }
  });
  std::vector<std::pair<Work*, size_t>> pieces;
  for (Work& work : works) {
    for (size_t piece = 0; work.outcome.ok() && piece * kPieceRows < work.fragment->physical_rows; ++piece) {
      pieces.emplace_back(&work, piece);
    }
  }
  std::vector<arrow::Status> outcomes(pieces.size());
  RunTogether(pieces.size(), [&](size_t i) { outcomes[i] = EvaluatePiece(filter, pieces[i].second, pieces[i].first); });
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].first->outcome.ok()) pieces[i].first->outcome = outcomes[i];
  }
  std::vector<arrow::Result<std::shared_ptr<const TakenRows>>> taken;
  for (Work& work : works) {
    if (!work.outcome.ok()) {
      taken.emplace_back(work.outcome);
    } else {
      taken.emplace_back(std::make_shared<const TakenRows>(std::move(work.taken), work.fragment->physical_rows));
    }
  }
  return taken;
}

arrow::Status FragmentFilter::Begin(const BoundFilter& filter, Work* work) const {
  const lance::Fragment& fragment = *work->fragment;
  ARROW_ASSIGN_OR_RAISE(work->deleted, rows_->DeletedOffsets(fragment));
  if (manifest_->has_stable_row_ids() && filter.columns()->GetFieldIndex(RowReader::kRowId) >= 0) {
    ARROW_ASSIGN_OR_RAISE(work->row_ids, RowIdsOfFragment(*store_, *manifest_, fragment));
  }
  ARROW_ASSIGN_OR_RAISE(work->taken, arrow::AllocateEmptyBitmap(static_cast<int64_t>(fragment.physical_rows)));
  return arrow::Status::OK();
}

arrow::Status FragmentFilter::EvaluatePiece(const BoundFilter& filter, size_t piece, Work* work) const {
  const uint64_t start = piece * kPieceRows;
  const uint64_t end = std::min(start + kPieceRows, work->fragment->physical_rows);
  const auto deleted_before = [&](uint64_t offset) {
    const auto place = std::lower_bound(work->deleted->begin(), work->deleted->end(), offset);
    return static_cast<uint64_t>(place - work->deleted->begin());
  };
  const uint64_t first_live = start - deleted_before(start);
  const auto ranges = LiveRanges(*work->deleted, first_live, end - deleted_before(end) - first_live);
  std::vector<uint64_t> row_ids;
  for (const lance::RowRange& range : ranges) {
    if (work->row_ids.empty()) break;
    const auto first = work->row_ids.begin() + static_cast<std::ptrdiff_t>(range.start);
    row_ids.insert(row_ids.end(), first, first + static_cast<std::ptrdiff_t>(range.length));
  }
  if (ranges.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto rows, rows_->Read(*work->fragment, ranges, row_ids, filter.columns()));
  ARROW_ASSIGN_OR_RAISE(const auto taken, filter.Evaluate(*rows));
  int64_t place = 0;
  for (const lance::RowRange& range : ranges) {
    const auto length = static_cast<int64_t>(range.length);
    arrow::internal::CopyBitmap(taken->data(), place, length, work->taken->mutable_data(),
                                static_cast<int64_t>(range.start));
    place += length;
  }
  return arrow::Status::OK();
}

void FragmentFilter::RunTogether(size_t count, const std::function<void(size_t)>& work) const {
  RunSideBySide(is_remote() ? store_->executor() : cpu_executor_, count, work);
}

}  // namespace fewter
