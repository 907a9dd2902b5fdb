#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/ipc/sections.h"
#include "fewter/vector/quantizer/one_row_batch.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"
#include "fewter/vector/quantizer/storage_test_data_internal.h"
#include "fewter/vector/subindex/hnsw/hnsw.h"

/// Graphs as index.idx has them, made in memory, and points to stand under them, for tests and fuzzers.

namespace fewter::hnsw_test {

using storage_test::OrDie;
using storage_test::RowIdOf;

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A storage of points on which scoring can be watched. Row i has the id RowIdOf(i).
class PointStorage final : public PartitionStorage {
 public:
  PointStorage(size_t num_rows, size_t dimension, uint32_t seed)
      : dimension_(dimension), values_(storage_test::RandomFloats(num_rows * dimension, seed)) {
    for (size_t i = 0; i < num_rows; ++i) row_ids_.push_back(RowIdOf(i));
  }

  StorageKind kind() const override { return StorageKind::kFlat; }
  uint32_t num_rows() const override { return static_cast<uint32_t>(row_ids_.size()); }
  const uint64_t* row_ids() const override { return row_ids_.data(); }
  int64_t SizeInBytes() const override { return 0; }
  std::shared_ptr<arrow::RecordBatch> ToBatch() const override { return nullptr; }
  StorageParameters Parameters() const override { return {}; }
  arrow::Result<std::shared_ptr<const PartitionStorage>> Select(std::span<const uint32_t> /*rows*/,
                                                                std::vector<uint64_t> /*row_ids*/) const override {
    return arrow::Status::NotImplemented("points stay where they are");
  }

  size_t dimension() const { return dimension_; }
  const float* point(size_t row) const { return values_.data() + row * dimension_; }
  /// Gives the row a distance of NaN.
  void Spoil(size_t row) { values_[row * dimension_] = kNan; }

 private:
  size_t dimension_;
  std::vector<float> values_;
  std::vector<uint64_t> row_ids_;
};

inline float SquaredDistance(const float* a, const float* b, size_t dimension) {
  float sum = 0;
  for (size_t i = 0; i < dimension; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// Squared L2; counts the rows that it scores, and aborts for one that the storage does not have.
class PointScorer final : public QueryScorer {
 public:
  explicit PointScorer(std::vector<float> query) : query_(std::move(query)) {}

  void BeginPartitions(std::span<const ProbedPartition> /*partitions*/) override {}
  void ScanPartition(size_t /*i*/, const PartitionStorage& /*storage*/, TopK* /*top_k*/) override {}
  void ScoreRows(size_t /*i*/, const PartitionStorage& storage, std::span<const uint32_t> rows, float* out) override {
    const auto& points = static_cast<const PointStorage&>(storage);
    for (uint32_t row : rows) {
      if (row >= points.num_rows()) std::abort();
      *out++ = SquaredDistance(query_.data(), points.point(row), query_.size());
    }
    rows_scored_ += rows.size();
  }

  size_t rows_scored() const { return rows_scored_; }

 private:
  std::vector<float> query_;
  size_t rows_scored_ = 0;
};

/// The neighbours of the nodes of each level, level 0 first.
struct Links {
  std::vector<std::map<uint32_t, std::vector<uint32_t>>> levels;
  uint32_t entry_point = 0;
};

/// Links every node of a level to its `m` nearest, and these to it.
inline std::map<uint32_t, std::vector<uint32_t>> LinkNearest(const PointStorage& points,
                                                             const std::vector<uint32_t>& nodes, size_t m) {
  std::map<uint32_t, std::set<uint32_t>> linked;
  for (uint32_t node : nodes) {
    std::vector<std::pair<float, uint32_t>> others;
    for (uint32_t other : nodes) {
      if (other == node) continue;
      others.emplace_back(SquaredDistance(points.point(node), points.point(other), points.dimension()), other);
    }
    const auto end = others.begin() + std::min(std::ssize(others), static_cast<std::ptrdiff_t>(m));
    std::partial_sort(others.begin(), end, others.end());
    others.erase(end, others.end());
    linked[node];
    for (const auto& [distance, other] : others) {
      linked[node].insert(other);
      linked[other].insert(node);
    }
  }
  std::map<uint32_t, std::vector<uint32_t>> links;
  for (const auto& [node, others] : linked) links[node].assign(others.begin(), others.end());
  return links;
}

/// The graph of the nearest neighbours, of which an eighth of each level is on the next; all rows of level 0 are also
/// linked one after another, so that there is a way from each to each.
inline Links LinksOver(const PointStorage& points, size_t m, uint32_t seed) {
  std::mt19937 generator(seed);
  Links links;
  std::vector<uint32_t> nodes(points.num_rows());
  for (uint32_t i = 0; i < nodes.size(); ++i) nodes[i] = i;
  while (!nodes.empty()) {
    links.levels.push_back(LinkNearest(points, nodes, m));
    links.entry_point = nodes.front();
    std::erase_if(nodes, [&](uint32_t) { return generator() % 8 != 0; });
  }
  for (uint32_t i = 1; i < points.num_rows(); ++i) {
    links.levels[0][i - 1].push_back(i);
    links.levels[0][i].push_back(i - 1);
  }
  return links;
}

/// Rows of index.idx.
inline std::shared_ptr<arrow::RecordBatch> RowsOf(std::vector<uint32_t> ids,
                                                  const std::vector<std::vector<uint32_t>>& lists) {
  std::vector<int32_t> offsets = {0};
  std::vector<uint32_t> values;
  for (const auto& list : lists) {
    values.insert(values.end(), list.begin(), list.end());
    offsets.push_back(static_cast<int32_t>(values.size()));
  }
  const auto num_rows = std::ssize(ids);
  const auto id_array = ArrayOver(arrow::uint32(), arrow::Buffer::FromVector(std::move(ids)));
  const auto items = ArrayOver(arrow::uint32(), arrow::Buffer::FromVector(std::move(values)));
  const auto type = arrow::list(arrow::uint32());
  const auto list_array =
      std::make_shared<arrow::ListArray>(type, num_rows, arrow::Buffer::FromVector(std::move(offsets)), items);
  const auto schema = arrow::schema({arrow::field("__vector_id", arrow::uint32()), arrow::field("__neighbors", type)});
  return arrow::RecordBatch::Make(schema, num_rows, {id_array, list_array});
}

inline std::shared_ptr<arrow::RecordBatch> RowsOf(const Links& links) {
  std::vector<uint32_t> ids;
  std::vector<std::vector<uint32_t>> lists;
  for (const auto& level : links.levels) {
    for (const auto& [id, list] : level) {
      ids.push_back(id);
      lists.push_back(list);
    }
  }
  return RowsOf(std::move(ids), lists);
}

/// Where the levels start, as index.idx has it: of eight levels, most of them empty.
inline std::vector<uint32_t> LevelOffsetsOf(const Links& links) {
  std::vector<uint32_t> offsets = {0};
  for (size_t i = 0; i < std::max<size_t>(8, links.levels.size()); ++i) {
    offsets.push_back(offsets.back() + (i < links.levels.size() ? static_cast<uint32_t>(links.levels[i].size()) : 0));
  }
  return offsets;
}

inline std::string MetadataOf(uint32_t entry_point, const std::vector<uint32_t>& level_offsets) {
  std::string text = "{\"entry_point\":" + std::to_string(entry_point);
  text += ",\"params\":{\"max_level\":7,\"m\":20,\"ef_construction\":150,\"prefetch_distance\":2},\"level_offsets\":[";
  for (uint32_t offset : level_offsets) text += std::to_string(offset) + ",";
  text.back() = ']';
  return text + "}";
}

/// The value of lance:hnsw: an array of texts.
inline std::string ArrayOf(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) {
    json += json.size() > 1 ? ",\"" : "\"";
    for (char c : text) json += c == '"' ? std::string("\\\"") : std::string(1, c);
    json += "\"";
  }
  return json + "]";
}

/// What index.idx says of an index of this one partition.
inline SubIndexSource SourceOf(const Links& links) {
  const auto offsets = LevelOffsetsOf(links);
  SubIndexSource source;
  source.metadata = ArrayOf({offsets.back() == 0 ? "" : MetadataOf(links.entry_point, offsets)});
  source.offsets = {0};
  source.lengths = {offsets.back()};
  source.total_rows = offsets.back();
  return source;
}

inline std::shared_ptr<const SubIndex> GraphOf(const Links& links) {
  const auto model = OrDie(MakeHnswModel(SourceOf(links)));
  const auto num_rows = links.levels.empty() ? 0 : static_cast<uint32_t>(links.levels[0].size());
  return OrDie(model->Make(0, *RowsOf(links), num_rows));
}

inline std::shared_ptr<arrow::Buffer> SectionOf(const arrow::RecordBatch& batch) {
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  if (!ipc::WriteSection(batch, out.get()).ok()) std::abort();
  return OrDie(out->Finish());
}

/// The graph in a section, over as many rows.
inline arrow::Result<std::shared_ptr<const SubIndex>> GraphFrom(const std::shared_ptr<arrow::Buffer>& section,
                                                                uint32_t num_rows) {
  ipc::SectionReader sections(section);
  ARROW_ASSIGN_OR_RAISE(const auto batch, sections.Next());
  ARROW_RETURN_NOT_OK(sections.Finish());
  return kHnswKind.from_batch(batch, num_rows);
}

/// Allows the ids for which `id % modulus < below`.
class ModuloFilter final : public RowFilter {
 public:
  ModuloFilter(uint64_t modulus, uint64_t below) : modulus_(modulus), below_(below) {}
  bool Allows(uint64_t row_id) const override { return row_id % modulus_ < below_; }

 private:
  uint64_t modulus_;
  uint64_t below_;
};

}  // namespace fewter::hnsw_test
