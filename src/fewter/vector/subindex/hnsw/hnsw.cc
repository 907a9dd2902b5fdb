#include "fewter/vector/subindex/hnsw/hnsw.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <utility>

#include <arrow/status.h>
#include <arrow/type.h>
#include <nlohmann/json.hpp>

#include "fewter/util/bytes.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"
#include "fewter/vector/subindex/hnsw/hnsw_graph_internal.h"

namespace fewter {
namespace {

using Json = nlohmann::json;

constexpr char kMetadataName[] = "lance:hnsw";
constexpr char kShapeColumn[] = "shape";
constexpr char kTotalRowsColumn[] = "total_rows";
constexpr char kFirstRowsColumn[] = "first_rows";
constexpr char kNumRowsColumn[] = "num_rows";
constexpr char kEntryPointsColumn[] = "entry_points";
constexpr char kLevelStartsColumn[] = "level_starts";
constexpr char kLevelOffsetsColumn[] = "level_offsets";

constexpr uint64_t kMaxU32 = std::numeric_limits<uint32_t>::max();

template <typename... What>
arrow::Status InvalidPartition(size_t partition, What&&... what) {
  return arrow::Status::Invalid(kMetadataName, ", partition ", partition, ": ", std::forward<What>(what)...);
}

template <typename T>
std::span<const T> ValuesOf(const arrow::Buffer& buffer) {
  return {buffer.data_as<T>(), static_cast<size_t>(buffer.size()) / sizeof(T)};
}

/// The arrays of the model; one value a partition where nothing else is said.
struct HnswPartitions {
  /// Of index.idx.
  uint64_t total_rows = 0;
  std::shared_ptr<arrow::Buffer> first_rows;    // u64
  std::shared_ptr<arrow::Buffer> num_rows;      // u32, as all that follow
  std::shared_ptr<arrow::Buffer> entry_points;  // 0 if the partition is empty
  /// Where the partition's offsets start among all, and the end of the last.
  std::shared_ptr<arrow::Buffer> level_starts;
  /// Relative to the partition's first row; level L has the rows from one to the next. None if the partition is empty.
  std::shared_ptr<arrow::Buffer> level_offsets;
};

class HnswModel final : public SubIndexModel {
 public:
  /// Invalid, naming partition and field, if a partition's rows are not all there, or its levels not among them.
  static arrow::Result<std::shared_ptr<const SubIndexModel>> Checked(HnswPartitions partitions) {
    auto model = std::shared_ptr<HnswModel>(new HnswModel(std::move(partitions)));
    const auto level_starts = ValuesOf<uint32_t>(*model->arrays_.level_starts);
    const auto num_offsets = ValuesOf<uint32_t>(*model->arrays_.level_offsets).size();
    if (level_starts.front() != 0 || level_starts.back() != num_offsets ||
        !std::is_sorted(level_starts.begin(), level_starts.end())) {
      return arrow::Status::Invalid(kMetadataName, ": level_starts do not ascend from 0 to ", num_offsets);
    }
    for (uint32_t i = 0; i < model->num_partitions(); ++i) ARROW_RETURN_NOT_OK(model->CheckPartition(i));
    return model;
  }

  SubIndexKind kind() const override { return SubIndexKind::kHnsw; }

  int64_t SizeInBytes() const override {
    int64_t size = sizeof(*this);
    for (const auto* buffer : Buffers()) size += (*buffer)->size();
    return size;
  }

  void AppendBuffers(std::vector<std::shared_ptr<arrow::Buffer>>* buffers) const override {
    for (const auto* buffer : Buffers()) buffers->push_back(*buffer);
  }

  const std::vector<std::string>& columns() const override {
    static const std::vector<std::string> kColumns = {kVectorIdColumn, kNeighborListColumn};
    return kColumns;
  }

  uint32_t num_partitions() const override {
    return static_cast<uint32_t>(ValuesOf<uint32_t>(*arrays_.num_rows).size());
  }
  uint64_t first_row(uint32_t partition) const override { return ValuesOf<uint64_t>(*arrays_.first_rows)[partition]; }
  uint64_t num_rows(uint32_t partition) const override { return ValuesOf<uint32_t>(*arrays_.num_rows)[partition]; }

  arrow::Result<std::shared_ptr<const SubIndex>> Make(uint32_t partition, const arrow::RecordBatch& rows,
                                                      uint32_t storage_rows) const override {
    if (static_cast<uint64_t>(rows.num_rows()) != num_rows(partition)) {
      return InvalidPartition(partition, rows.num_rows(), " rows instead of ", num_rows(partition));
    }
    return HnswGraph::FromRows(rows, LevelOffsets(partition), EntryPoint(partition), storage_rows);
  }

  arrow::Status Serialize(arrow::io::OutputStream* out) const override {
    const auto& u32 = arrow::uint32();
    const auto& u64 = arrow::uint64();
    const auto shape = arrow::Buffer::FromVector(std::vector<uint32_t>{
        num_partitions(), static_cast<uint32_t>(ValuesOf<uint32_t>(*arrays_.level_offsets).size())});
    const auto total_rows = arrow::Buffer::FromVector(std::vector<uint64_t>{arrays_.total_rows});
    const auto batch =
        MakeOneRowBatch({kShapeColumn, kTotalRowsColumn, kFirstRowsColumn, kNumRowsColumn, kEntryPointsColumn,
                         kLevelStartsColumn, kLevelOffsetsColumn},
                        {ArrayOver(u32, shape), ArrayOver(u64, total_rows), ArrayOver(u64, arrays_.first_rows),
                         ArrayOver(u32, arrays_.num_rows), ArrayOver(u32, arrays_.entry_points),
                         ArrayOver(u32, arrays_.level_starts), ArrayOver(u32, arrays_.level_offsets)});
    return ipc::WriteSection(*batch, out);
  }

 private:
  explicit HnswModel(HnswPartitions arrays) : arrays_(std::move(arrays)) {}

  std::array<const std::shared_ptr<arrow::Buffer>*, 5> Buffers() const {
    return {&arrays_.first_rows, &arrays_.num_rows, &arrays_.entry_points, &arrays_.level_starts,
            &arrays_.level_offsets};
  }

  uint32_t EntryPoint(uint32_t partition) const { return ValuesOf<uint32_t>(*arrays_.entry_points)[partition]; }

  std::span<const uint32_t> LevelOffsets(uint32_t partition) const {
    const auto starts = ValuesOf<uint32_t>(*arrays_.level_starts);
    return ValuesOf<uint32_t>(*arrays_.level_offsets)
        .subspan(starts[partition], starts[partition + 1] - starts[partition]);
  }

  arrow::Status CheckPartition(uint32_t partition) const {
    const uint64_t first = first_row(partition), rows = num_rows(partition);
    const uint32_t entry_point = EntryPoint(partition);
    const auto levels = LevelOffsets(partition);
    if (!RangeIsInside(first, rows, arrays_.total_rows)) {
      return InvalidPartition(partition, "rows ", first, " + ", rows, " of ", arrays_.total_rows);
    }
    if (rows == 0) {
      if (levels.empty() && entry_point == 0) return arrow::Status::OK();
      return InvalidPartition(partition, "level_offsets or entry_point, but no rows");
    }
    if (levels.size() < 2 || levels[0] != 0 || levels.back() > rows || !std::is_sorted(levels.begin(), levels.end())) {
      return InvalidPartition(partition, "level_offsets do not ascend from 0 within ", rows, " rows");
    }
    if (entry_point >= levels[1]) {
      return InvalidPartition(partition, "entry_point is ", entry_point, ", of ", levels[1], " rows on level 0");
    }
    return arrow::Status::OK();
  }

  HnswPartitions arrays_;
};

/// What the metadata says of one partition.
struct PartitionMetadata {
  uint32_t entry_point = 0;
  std::vector<uint32_t> level_offsets;
};

bool IsU32(const Json& json) {
  return json.is_number_unsigned() && json.get<uint64_t>() <= kMaxU32;
}

arrow::Result<PartitionMetadata> ParsePartition(size_t partition, const std::string& text) {
  const auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return InvalidPartition(partition, "not a JSON object");
  const auto entry_point = json.find("entry_point"), offsets = json.find("level_offsets");
  if (entry_point == json.end() || !IsU32(*entry_point)) {
    return InvalidPartition(partition, "entry_point is missing or not a number of 32 bits");
  }
  if (offsets == json.end() || !offsets->is_array() || !std::all_of(offsets->begin(), offsets->end(), IsU32)) {
    return InvalidPartition(partition, "level_offsets is missing or not a list of numbers of 32 bits");
  }
  return PartitionMetadata{entry_point->get<uint32_t>(), offsets->get<std::vector<uint32_t>>()};
}

arrow::Result<Json> ParseMetadata(const SubIndexSource& source) {
  auto json = Json::parse(source.metadata, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), [](const Json& text) { return text.is_string(); })) {
    return arrow::Status::Invalid(kMetadataName, ": not a JSON array of texts");
  }
  if (json.size() != source.lengths.size() || json.size() != source.offsets.size() || json.size() >= kMaxU32) {
    return arrow::Status::Invalid(kMetadataName, ": ", json.size(), " partitions, but ", source.lengths.size(),
                                  " lengths and ", source.offsets.size(), " offsets");
  }
  return json;
}

arrow::Result<std::shared_ptr<const SubIndexModel>> ModelFromSections(ipc::SectionReader* sections) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections->Next());
  const auto& u32 = *arrow::uint32();
  const auto& u64 = *arrow::uint64();
  ARROW_ASSIGN_OR_RAISE(const auto shape, BufferOfOneRow(*batch, kShapeColumn, u32, 2));
  ARROW_ASSIGN_OR_RAISE(const auto total_rows, BufferOfOneRow(*batch, kTotalRowsColumn, u64, 1));
  const uint64_t partitions = ValuesOf<uint32_t>(*shape)[0], offsets = ValuesOf<uint32_t>(*shape)[1];
  HnswPartitions arrays;
  arrays.total_rows = ValuesOf<uint64_t>(*total_rows)[0];
  ARROW_ASSIGN_OR_RAISE(arrays.first_rows, BufferOfOneRow(*batch, kFirstRowsColumn, u64, partitions));
  ARROW_ASSIGN_OR_RAISE(arrays.num_rows, BufferOfOneRow(*batch, kNumRowsColumn, u32, partitions));
  ARROW_ASSIGN_OR_RAISE(arrays.entry_points, BufferOfOneRow(*batch, kEntryPointsColumn, u32, partitions));
  ARROW_ASSIGN_OR_RAISE(arrays.level_starts, BufferOfOneRow(*batch, kLevelStartsColumn, u32, partitions + 1));
  ARROW_ASSIGN_OR_RAISE(arrays.level_offsets, BufferOfOneRow(*batch, kLevelOffsetsColumn, u32, offsets));
  return HnswModel::Checked(std::move(arrays));
}

arrow::Result<std::shared_ptr<const SubIndex>> GraphFromBatch(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                              uint32_t storage_rows) {
  return HnswGraph::FromBatch(*batch, storage_rows);
}

}  // namespace

arrow::Result<std::shared_ptr<const SubIndexModel>> MakeHnswModel(const SubIndexSource& source) {
  ARROW_ASSIGN_OR_RAISE(const Json json, ParseMetadata(source));
  std::vector<uint32_t> entry_points, level_starts = {0}, level_offsets;
  for (size_t i = 0; i < json.size(); ++i) {
    PartitionMetadata partition;
    if (source.lengths[i] > 0) {
      ARROW_ASSIGN_OR_RAISE(partition, ParsePartition(i, json[i].get_ref<const std::string&>()));
    }
    entry_points.push_back(partition.entry_point);
    level_offsets.insert(level_offsets.end(), partition.level_offsets.begin(), partition.level_offsets.end());
    if (level_offsets.size() > kMaxU32) return InvalidPartition(i, "level_offsets are too many");
    level_starts.push_back(static_cast<uint32_t>(level_offsets.size()));
  }
  return HnswModel::Checked({.total_rows = source.total_rows,
                             .first_rows = arrow::Buffer::FromVector(source.offsets),
                             .num_rows = arrow::Buffer::FromVector(source.lengths),
                             .entry_points = arrow::Buffer::FromVector(std::move(entry_points)),
                             .level_starts = arrow::Buffer::FromVector(std::move(level_starts)),
                             .level_offsets = arrow::Buffer::FromVector(std::move(level_offsets))});
}

constinit const SubIndexKindEntry kHnswKind = {
    SubIndexKind::kHnsw, "HNSW",        "HNSW_",        StorageLayout::kRandomAccess,
    kMetadataName,       MakeHnswModel, GraphFromBatch, ModelFromSections};

}  // namespace fewter
