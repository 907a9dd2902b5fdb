#include "fewter/vector/subindex/hnsw/hnsw_graph_internal.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

namespace fewter {
namespace {

constexpr char kShapeColumn[] = "shape";
constexpr char kLevelStartsColumn[] = "level_starts";
constexpr char kNodesColumn[] = "nodes";
constexpr char kOffsetsColumn[] = "offsets";
constexpr char kNeighborsColumn[] = "neighbors";

template <typename... What>
arrow::Status InvalidColumn(const char* name, What&&... what) {
  return arrow::Status::Invalid("column ", name, ": ", std::forward<What>(what)...);
}

// No branch in the loops of these two: they look at all of an entry's numbers whenever one is read from a cache.
bool AllBelow(const uint32_t* values, size_t n, uint32_t bound) {
  bool outside = false;
  for (size_t i = 0; i < n; ++i) outside |= values[i] >= bound;
  return !outside;
}

bool NeverDescends(const uint32_t* values, size_t n) {
  bool descends = false;
  for (size_t i = 1; i < n; ++i) descends |= values[i] < values[i - 1];
  return !descends;
}

bool Ascends(const uint32_t* values, size_t n) {
  return std::adjacent_find(values, values + n, std::greater_equal<>()) == values + n;
}

// A column of index.idx.
template <typename ArrayType>
arrow::Result<std::shared_ptr<ArrayType>> ColumnOf(const arrow::RecordBatch& rows, const char* name) {
  const auto column = rows.GetColumnByName(name);
  if (column == nullptr) return InvalidColumn(name, "missing");
  auto array = std::dynamic_pointer_cast<ArrayType>(column);
  if (array == nullptr) return InvalidColumn(name, "of type ", column->type()->ToString());
  if (array->null_count() != 0) return InvalidColumn(name, "has nulls");
  return array;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> CopyOf(const std::vector<uint32_t>& values) {
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(uint32_t));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer, arrow::AllocateBuffer(bytes));
  std::copy(values.begin(), values.end(), buffer->mutable_data_as<uint32_t>());
  return buffer;
}

}  // namespace

/// A partition's rows of index.idx: a list each.
class HnswGraph::FileRows {
 public:
  static arrow::Result<FileRows> Open(const arrow::RecordBatch& rows) {
    // The ends of lists too: what is read may come from a damaged file.
    ARROW_RETURN_NOT_OK(rows.ValidateFull());
    FileRows opened;
    ARROW_ASSIGN_OR_RAISE(opened.ids_, ColumnOf<arrow::UInt32Array>(rows, kVectorIdColumn));
    ARROW_ASSIGN_OR_RAISE(opened.lists_, ColumnOf<arrow::ListArray>(rows, kNeighborListColumn));
    const auto& lists = *opened.lists_;
    if (lists.value_type()->id() != arrow::Type::UINT32 || lists.values()->null_count() != 0) {
      return InvalidColumn(kNeighborListColumn, "of type ", lists.type()->ToString(), ", or a list has nulls");
    }
    opened.neighbors_ = static_cast<const arrow::UInt32Array&>(*lists.values()).raw_values();
    return opened;
  }

  /// Level 0: one row for each of the storage's.
  arrow::Status TakeLevel0(std::span<const uint32_t> level_offsets, uint32_t storage_rows) {
    const uint32_t num_rows = level_offsets.empty() ? 0 : level_offsets[1];
    if (num_rows != storage_rows) {
      return InvalidColumn(kVectorIdColumn, num_rows, " rows on level 0, over a storage of ", storage_rows);
    }
    for (uint32_t row = 0; row < num_rows; ++row) {
      if (ids_->Value(row) != row) {
        return InvalidColumn(kVectorIdColumn, ids_->Value(row), " in row ", row, " of level 0");
      }
      taken_.push_back(row);
    }
    num_rows_ = num_rows;
    return arrow::Status::OK();
  }

  /// An upper level. Of several rows of one id the last is right: in old files a level starts with the last row of the
  /// level below.
  arrow::Status TakeUpperLevel(uint32_t begin, uint32_t end) {
    std::vector<std::pair<uint32_t, uint32_t>> found;
    for (uint32_t row = begin; row < end; ++row) {
      const uint32_t id = ids_->Value(row);
      if (id >= num_rows_) return InvalidColumn(kVectorIdColumn, id, " in row ", row, ", of ", num_rows_, " vectors");
      found.emplace_back(id, row);
    }
    std::sort(found.begin(), found.end());
    for (size_t i = 0; i < found.size(); ++i) {
      if (i + 1 < found.size() && found[i + 1].first == found[i].first) continue;
      nodes_.push_back(found[i].first);
      taken_.push_back(found[i].second);
    }
    if (nodes_.size() > level_starts_.back()) level_starts_.push_back(static_cast<uint32_t>(nodes_.size()));
    return arrow::Status::OK();
  }

  /// The arrays of what has been taken.
  arrow::Result<std::shared_ptr<const HnswGraph>> Build(uint32_t entry_point) const {
    uint64_t total = 0;
    for (uint32_t row : taken_) total += static_cast<uint32_t>(lists_->value_length(row));
    if (total > std::numeric_limits<uint32_t>::max()) return InvalidColumn(kNeighborListColumn, total, " neighbours");
    const Shape shape{.entry_point = entry_point,
                      .num_upper_levels = static_cast<uint32_t>(level_starts_.size() - 1),
                      .num_upper_lists = static_cast<uint32_t>(nodes_.size()),
                      .num_neighbors = static_cast<uint32_t>(total)};
    Buffers buffers;
    ARROW_ASSIGN_OR_RAISE(buffers.level_starts, CopyOf(level_starts_));
    ARROW_ASSIGN_OR_RAISE(buffers.nodes, CopyOf(nodes_));
    ARROW_ASSIGN_OR_RAISE(buffers.offsets, arrow::AllocateBuffer((std::ssize(taken_) + 1) * int64_t{4}));
    ARROW_ASSIGN_OR_RAISE(buffers.neighbors, arrow::AllocateBuffer(static_cast<int64_t>(total) * 4));
    ARROW_RETURN_NOT_OK(
        CopyLists(buffers.offsets->mutable_data_as<uint32_t>(), buffers.neighbors->mutable_data_as<uint32_t>()));
    return std::shared_ptr<const HnswGraph>(new HnswGraph(num_rows_, shape, std::move(buffers)));
  }

 private:
  arrow::Status CopyLists(uint32_t* offsets, uint32_t* neighbors) const {
    uint32_t end = 0;
    for (uint32_t row : taken_) {
      *offsets++ = end;
      const uint32_t* list = neighbors_ + lists_->value_offset(row);
      const auto length = static_cast<uint32_t>(lists_->value_length(row));
      if (!AllBelow(list, length, num_rows_)) {
        return InvalidColumn(kNeighborListColumn, "row ", row, " has a neighbour that is none of ", num_rows_,
                             " vectors");
      }
      std::copy_n(list, length, neighbors + end);
      end += length;
    }
    *offsets = end;
    return arrow::Status::OK();
  }

  std::shared_ptr<arrow::UInt32Array> ids_;
  std::shared_ptr<arrow::ListArray> lists_;
  const uint32_t* neighbors_ = nullptr;
  uint32_t num_rows_ = 0;
  /// The file's row of each list of the graph.
  std::vector<uint32_t> taken_;
  std::vector<uint32_t> nodes_;
  std::vector<uint32_t> level_starts_ = {0};
};

arrow::Result<std::shared_ptr<const HnswGraph>> HnswGraph::FromRows(const arrow::RecordBatch& rows,
                                                                    std::span<const uint32_t> level_offsets,
                                                                    uint32_t entry_point, uint32_t storage_rows) {
  ARROW_ASSIGN_OR_RAISE(auto file, FileRows::Open(rows));
  ARROW_RETURN_NOT_OK(file.TakeLevel0(level_offsets, storage_rows));
  for (size_t level = 1; level + 1 < level_offsets.size(); ++level) {
    ARROW_RETURN_NOT_OK(file.TakeUpperLevel(level_offsets[level], level_offsets[level + 1]));
  }
  return file.Build(entry_point);
}

HnswGraph::HnswGraph(uint32_t num_rows, const Shape& shape, Buffers buffers)
    : num_rows_(num_rows),
      shape_(shape),
      buffers_(std::move(buffers)),
      level_starts_(buffers_.level_starts->data_as<uint32_t>()),
      nodes_(buffers_.nodes->data_as<uint32_t>()),
      offsets_(buffers_.offsets->data_as<uint32_t>()),
      neighbors_(buffers_.neighbors->data_as<uint32_t>()) {}

arrow::Result<std::shared_ptr<const HnswGraph>> HnswGraph::FromBatch(const arrow::RecordBatch& batch,
                                                                     uint32_t storage_rows) {
  const auto& type = *arrow::uint32();
  ARROW_ASSIGN_OR_RAISE(const auto scalars, BufferOfOneRow(batch, kShapeColumn, type, sizeof(Shape) / 4));
  const auto shape = LoadLittleEndian<Shape>(scalars->data());
  const uint64_t num_lists = uint64_t{storage_rows} + shape.num_upper_lists;
  Buffers buffers;
  ARROW_ASSIGN_OR_RAISE(buffers.level_starts,
                        BufferOfOneRow(batch, kLevelStartsColumn, type, uint64_t{shape.num_upper_levels} + 1));
  ARROW_ASSIGN_OR_RAISE(buffers.nodes, BufferOfOneRow(batch, kNodesColumn, type, shape.num_upper_lists));
  ARROW_ASSIGN_OR_RAISE(buffers.offsets, BufferOfOneRow(batch, kOffsetsColumn, type, num_lists + 1));
  ARROW_ASSIGN_OR_RAISE(buffers.neighbors, BufferOfOneRow(batch, kNeighborsColumn, type, shape.num_neighbors));
  std::shared_ptr<const HnswGraph> graph(new HnswGraph(storage_rows, shape, std::move(buffers)));
  if (shape.entry_point >= std::max<uint32_t>(storage_rows, 1)) {
    return InvalidColumn(kShapeColumn, "entry point ", shape.entry_point, " of ", storage_rows, " rows");
  }
  ARROW_RETURN_NOT_OK(graph->CheckUpperLevels());
  ARROW_RETURN_NOT_OK(graph->CheckLists());
  return graph;
}

arrow::Status HnswGraph::CheckUpperLevels() const {
  const uint32_t levels = shape_.num_upper_levels, lists = shape_.num_upper_lists;
  if (level_starts_[0] != 0 || level_starts_[levels] != lists || !Ascends(level_starts_, size_t{levels} + 1)) {
    return InvalidColumn(kLevelStartsColumn, "they do not ascend from 0 to ", lists);
  }
  for (uint32_t level = 0; level < levels; ++level) {
    const uint32_t begin = level_starts_[level], end = level_starts_[level + 1];
    if (!Ascends(nodes_ + begin, end - begin)) {
      return InvalidColumn(kNodesColumn, "upper level ", level, " does not ascend");
    }
  }
  if (!AllBelow(nodes_, lists, num_rows_)) return InvalidColumn(kNodesColumn, "one is none of ", num_rows_, " rows");
  return arrow::Status::OK();
}

arrow::Status HnswGraph::CheckLists() const {
  const size_t lists = size_t{num_rows_} + shape_.num_upper_lists;
  const uint32_t total = shape_.num_neighbors;
  if (offsets_[0] != 0 || offsets_[lists] != total || !NeverDescends(offsets_, lists + 1)) {
    return InvalidColumn(kOffsetsColumn, "they do not ascend from 0 to ", total);
  }
  if (AllBelow(neighbors_, total, num_rows_)) return arrow::Status::OK();
  return InvalidColumn(kNeighborsColumn, "one is none of ", num_rows_, " rows");
}

int64_t HnswGraph::SizeInBytes() const {
  return buffers_.level_starts->size() + buffers_.nodes->size() + buffers_.offsets->size() +
         buffers_.neighbors->size() + int64_t{sizeof(*this)};
}

std::shared_ptr<arrow::RecordBatch> HnswGraph::ToBatch() const {
  const auto& type = arrow::uint32();
  auto scalars = arrow::Buffer::FromVector(
      std::vector<uint32_t>{shape_.entry_point, shape_.num_upper_levels, shape_.num_upper_lists, shape_.num_neighbors});
  return MakeOneRowBatch(
      {kShapeColumn, kLevelStartsColumn, kNodesColumn, kOffsetsColumn, kNeighborsColumn},
      {ArrayOver(type, scalars), ArrayOver(type, buffers_.level_starts), ArrayOver(type, buffers_.nodes),
       ArrayOver(type, buffers_.offsets), ArrayOver(type, buffers_.neighbors)});
}

std::span<const uint32_t> HnswGraph::UpperNeighborsOf(uint32_t level, uint32_t row) const {
  const uint32_t* begin = nodes_ + level_starts_[level];
  const uint32_t* end = nodes_ + level_starts_[level + 1];
  const uint32_t* found = std::lower_bound(begin, end, row);
  if (found == end || *found != row) return {};
  return List(num_rows_ + static_cast<size_t>(found - nodes_));
}

void HnswGraph::PrefetchNeighborsOf(uint32_t row) const {
  constexpr uint32_t kNeighborsPerLine = kBufferAlignment / sizeof(uint32_t);
  // Lance's default is 40 at most. The rest of a longer list has time to arrive.
  constexpr uint32_t kMost = 4 * kNeighborsPerLine;
  const uint32_t begin = offsets_[row], end = offsets_[row + 1];
  for (uint32_t i = begin; i < std::min(end, begin + kMost); i += kNeighborsPerLine) {
    __builtin_prefetch(neighbors_ + i);
  }
}

}  // namespace fewter
