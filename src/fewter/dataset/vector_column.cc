#include "fewter/dataset/vector_column.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>
#include <utility>

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/type.h>

#include "fewter/dataset/data_files.h"

namespace fewter {

namespace {

/// Rows between two that are wanted which are read along with them, rather than in another request.
constexpr uint64_t kLargestGap = 32;

/// "fixed_size_list:float:384".
arrow::Result<std::pair<ElementType, uint32_t>> ParseType(const lance::Field& field) {
  constexpr std::string_view kPrefix = "fixed_size_list:";
  const std::string_view type = field.logical_type;
  for (const ElementType element :
       {ElementType::kFloat32, ElementType::kFloat16, ElementType::kFloat64, ElementType::kUint8}) {
    const std::string prefix = std::string(kPrefix) + std::string(ToString(element)) + ":";
    if (!type.starts_with(prefix)) continue;
    uint32_t dimension = 0;
    const std::string_view digits = type.substr(prefix.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), dimension);
    if (error != std::errc() || end != digits.data() + digits.size() || dimension == 0) break;
    return std::pair{element, dimension};
  }
  if (type == "list" || type == "large_list") {
    return arrow::Status::NotImplemented("column '", field.name, "' has several vectors a row, or none (", type,
                                         "), which is not supported");
  }
  return arrow::Status::NotImplemented("column '", field.name, "' is ", field.logical_type,
                                       "; only columns of one vector of float, halffloat, double or uint8 a row "
                                       "(fixed_size_list) are supported");
}

}  // namespace

arrow::Result<std::shared_ptr<VectorColumn>> VectorColumn::Make(std::shared_ptr<const lance::ObjectStore> store,
                                                                std::shared_ptr<const lance::Manifest> manifest,
                                                                const lance::Field& field, WeakCache cache) {
  ARROW_ASSIGN_OR_RAISE(const auto type, ParseType(field));
  return std::shared_ptr<VectorColumn>(
      new VectorColumn(std::move(store), std::move(manifest), field, std::move(cache), type.first, type.second));
}

arrow::Result<VectorColumn::OpenFile> VectorColumn::Open(const lance::Fragment& fragment) {
  {
    std::lock_guard lock(mutex_);
    const auto found = files_.find(fragment.id);
    if (found != files_.end()) return found->second;
  }
  OpenFile opened;
  if (const lance::DataFile* file = FindDataFile(fragment, field_.id)) {
    auto reader = OpenDataFile(*store_, cache_, fragment, *file);
    if (reader.status().IsNotImplemented()) {
      return reader.status().WithMessage(reader.status().message(), ", or search indexed rows only, without refining");
    }
    ARROW_ASSIGN_OR_RAISE(opened.reader, std::move(reader));
    ARROW_ASSIGN_OR_RAISE(const size_t position, PositionInFile(opened.reader->metadata(), field_));
    opened.column = lance::PathOf(opened.reader->metadata().fields(), position);
  }
  std::lock_guard lock(mutex_);
  return files_.emplace(fragment.id, std::move(opened)).first->second;
}

arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> VectorColumn::AllNull(uint64_t length) const {
  const auto type = arrow::fixed_size_list(ArrowTypeOf(element_type_), static_cast<int32_t>(dimension_));
  ARROW_ASSIGN_OR_RAISE(auto nulls, arrow::MakeArrayOfNull(type, static_cast<int64_t>(length)));
  return std::static_pointer_cast<arrow::FixedSizeListArray>(nulls);
}

arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> VectorColumn::Checked(
    const OpenFile& file, const arrow::Result<std::shared_ptr<arrow::RecordBatch>>& rows) const {
  ARROW_RETURN_NOT_OK(rows.status());
  const auto& array = (*rows)->column(0);
  const auto* type = dynamic_cast<const arrow::FixedSizeListType*>(array->type().get());
  if (type == nullptr || type->list_size() != static_cast<int64_t>(dimension_) ||
      !type->value_type()->Equals(*ArrowTypeOf(element_type_))) {
    return arrow::Status::Invalid(file.reader->metadata().path(), ": column '", file.column, "' is ",
                                  array->type()->ToString(), ", the table says ", field_.logical_type);
  }
  return std::static_pointer_cast<arrow::FixedSizeListArray>(array);
}

arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> VectorColumn::Read(const lance::Fragment& fragment,
                                                                             uint64_t start, uint64_t length) {
  ARROW_ASSIGN_OR_RAISE(const OpenFile file, Open(fragment));
  if (file.reader == nullptr) return AllNull(length);
  return Checked(file, file.reader->ReadRows({file.column}, start, length));
}

/// Addresses that are taken together: those of one fragment.
struct VectorColumn::Share {
  const lance::Fragment* fragment = nullptr;
  /// Runs of rows that lie close together.
  std::vector<lance::RowRange> runs;
  /// For each address its place in the answer, its run, and its row there.
  struct Row {
    size_t place;
    size_t run;
    int64_t offset;
  };
  std::vector<Row> rows;
};

arrow::Result<std::vector<VectorColumn::Share>> VectorColumn::Distribute(std::span<const uint64_t> addresses) const {
  std::vector<size_t> order(addresses.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return addresses[a] < addresses[b]; });
  std::vector<Share> shares;
  for (const size_t place : order) {
    const uint64_t id = addresses[place] >> 32, row = addresses[place] & 0xffffffff;
    if (shares.empty() || shares.back().fragment->id != id) shares.push_back({manifest_->FindFragment(id), {}, {}});
    Share& share = shares.back();
    if (share.fragment == nullptr || row >= share.fragment->physical_rows) {
      return arrow::Status::KeyError("the dataset has no row at address ", addresses[place]);
    }
    if (share.runs.empty() || row - (share.runs.back().end() - 1) > kLargestGap) share.runs.push_back({row, 0});
    lance::RowRange& run = share.runs.back();
    run.length = row - run.start + 1;
    share.rows.push_back({place, share.runs.size() - 1, static_cast<int64_t>(row - run.start)});
  }
  return shares;
}

arrow::Status VectorColumn::TakeShare(const Share& share, arrow::ArrayVector* taken) {
  ARROW_ASSIGN_OR_RAISE(const OpenFile file, Open(*share.fragment));
  arrow::ArrayVector runs;
  if (file.reader == nullptr) {
    for (const auto& run : share.runs) {
      ARROW_ASSIGN_OR_RAISE(runs.emplace_back(), AllNull(run.length));
    }
  } else {
    for (const auto& rows : file.reader->ReadRanges({file.column}, share.runs, nullptr)) {
      ARROW_ASSIGN_OR_RAISE(runs.emplace_back(), Checked(file, rows));
    }
  }
  for (const Share::Row& row : share.rows) (*taken)[row.place] = runs[row.run]->Slice(row.offset, 1);
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::FixedSizeListArray>> VectorColumn::Take(std::span<const uint64_t> addresses) {
  if (addresses.empty()) return AllNull(0);
  ARROW_ASSIGN_OR_RAISE(const std::vector<Share> shares, Distribute(addresses));
  arrow::ArrayVector taken(addresses.size());
  ARROW_RETURN_NOT_OK(store_->RunTogether(shares.size(), [&](size_t i) { return TakeShare(shares[i], &taken); }));
  ARROW_ASSIGN_OR_RAISE(auto all, arrow::Concatenate(taken));
  return std::static_pointer_cast<arrow::FixedSizeListArray>(all);
}

}  // namespace fewter
