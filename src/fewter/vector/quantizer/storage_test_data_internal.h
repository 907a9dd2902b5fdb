#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>

#include "fewter/vector/partition.h"
#include "fewter/vector/quantizer/flat/flat.h"
#include "fewter/vector/quantizer/flat_binary/flat_binary.h"
#include "fewter/vector/quantizer/pq/pq.h"
#include "fewter/vector/quantizer/rabitq/rabitq.h"
#include "fewter/vector/quantizer/sq/sq.h"
#include "fewter/vector/quantizer/storage_buffers_internal.h"

/// Rows as auxiliary.idx has them, made in memory, for tests and fuzzers.

namespace fewter::storage_test {

template <typename T>
T OrDie(arrow::Result<T> result) {
  if (!result.ok()) std::abort();
  return std::move(result).ValueUnsafe();
}

inline std::vector<float> RandomFloats(size_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

inline std::vector<uint8_t> RandomBytes(size_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<uint8_t> bytes(n);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(generator());
  return bytes;
}

/// Row i has this id: different ones, not in ascending order.
inline uint64_t RowIdOf(size_t i) {
  return (uint64_t{i} * 7919 + 13) % 1000003 + (uint64_t{3} << 32);
}

/// A batch of `_rowid` and a column of fixed-size lists.
template <typename T>
std::shared_ptr<arrow::RecordBatch> MakeRows(const std::string& name, const std::shared_ptr<arrow::DataType>& type,
                                             std::vector<T> values, size_t list_size) {
  const size_t num_rows = values.size() / list_size;
  std::vector<uint64_t> ids(num_rows);
  for (size_t i = 0; i < num_rows; ++i) ids[i] = RowIdOf(i);
  const auto row_ids = ArrayOver(arrow::uint64(), arrow::Buffer::FromVector(std::move(ids)));
  const auto items = ArrayOver(type, arrow::Buffer::FromVector(std::move(values)));
  const auto lists = OrDie(arrow::FixedSizeListArray::FromArrays(items, static_cast<int32_t>(list_size)));
  const auto schema = arrow::schema({arrow::field(kRowIdColumn, arrow::uint64()), arrow::field(name, lists->type())});
  return arrow::RecordBatch::Make(schema, static_cast<int64_t>(num_rows), {row_ids, lists});
}

/// Vectors of a type, each element the nearest that the type has.
inline std::shared_ptr<arrow::RecordBatch> FlatRows(std::vector<float> vectors, size_t dimension,
                                                    ElementType type = ElementType::kFloat32) {
  const auto& arrow_type = ArrowTypeOf(type);
  if (type == ElementType::kFloat64) {
    return MakeRows("flat", arrow_type, std::vector<double>(vectors.begin(), vectors.end()), dimension);
  }
  if (type != ElementType::kFloat16) return MakeRows("flat", arrow_type, std::move(vectors), dimension);
  std::vector<uint16_t> halves;
  for (const float value : vectors) halves.push_back(arrow::util::Float16(value).bits());
  return MakeRows("flat", arrow_type, std::move(halves), dimension);
}

inline std::shared_ptr<arrow::RecordBatch> BinaryRows(std::vector<uint8_t> vectors, size_t dimension) {
  return MakeRows("flat", arrow::uint8(), std::move(vectors), dimension);
}

inline std::shared_ptr<arrow::RecordBatch> SqRows(std::vector<uint8_t> codes, size_t dimension) {
  return MakeRows("__sq_code", arrow::uint8(), std::move(codes), dimension);
}

inline std::shared_ptr<arrow::RecordBatch> PqRows(std::vector<uint8_t> codes, size_t width) {
  return MakeRows("__pq_code", arrow::uint8(), std::move(codes), width);
}

/// `rows` with another array in the place of a column.
inline std::shared_ptr<arrow::RecordBatch> WithColumn(const arrow::RecordBatch& rows, int index,
                                                      const std::shared_ptr<arrow::Array>& column) {
  const auto field = rows.schema()->field(index)->WithType(column->type());
  return OrDie(rows.SetColumn(index, field, column));
}

inline std::shared_ptr<const Quantizer> FlatQuantizerOf(uint32_t dimension, ElementType type = ElementType::kFloat32) {
  const std::string metadata = "{\"dim\":" + std::to_string(dimension) + "}";
  return OrDie(MakeFlatQuantizer({.metadata = metadata, .dimension = dimension, .element_type = type}));
}

inline std::shared_ptr<const Quantizer> BinaryQuantizerOf(uint32_t dimension) {
  const std::string metadata = "{\"dim\":" + std::to_string(dimension) + "}";
  return OrDie(
      MakeFlatBinaryQuantizer({.metadata = metadata, .dimension = dimension, .element_type = ElementType::kUint8}));
}

/// The bounds as JSON numbers.
inline std::string SqMetadataOf(uint32_t dimension, const std::string& start, const std::string& end) {
  return "{\"dim\":" + std::to_string(dimension) + R"(,"num_bits":8,"bounds":{"start":)" + start + ",\"end\":" + end +
         "}}";
}

inline std::shared_ptr<const Quantizer> SqQuantizerOf(uint32_t dimension, const std::string& start,
                                                      const std::string& end) {
  return OrDie(MakeSqQuantizer({.metadata = SqMetadataOf(dimension, start, end), .dimension = dimension}));
}

inline PqMetadata PqMetadataOf(uint32_t num_bits, uint32_t num_sub_vectors, uint32_t dimension, bool transposed) {
  PqMetadata metadata;
  metadata.num_bits = num_bits;
  metadata.num_sub_vectors = num_sub_vectors;
  metadata.dimension = dimension;
  metadata.transposed = transposed;
  return metadata;
}

inline std::shared_ptr<const Quantizer> PqQuantizerOf(const PqMetadata& metadata, std::vector<float> codebook) {
  const auto array = ArrayOver(arrow::float32(), arrow::Buffer::FromVector(std::move(codebook)));
  return OrDie(MakePqQuantizer(metadata, static_cast<const arrow::FloatArray&>(*array)));
}

/// A partition of a random index, its quantizer, and how they may be used.
struct TestPartition {
  std::shared_ptr<const Quantizer> quantizer;
  std::shared_ptr<const Partition> partition;
  /// What the partition was made of, as auxiliary.idx has it.
  std::shared_ptr<arrow::RecordBatch> rows;
  /// What the storage was made for.
  StorageLayout layout = StorageLayout::kScan;
  std::vector<Metric> metrics = {Metric::kL2, Metric::kCosine, Metric::kDot};
};

inline TestPartition TestPartitionOf(std::shared_ptr<const Quantizer> quantizer,
                                     std::shared_ptr<arrow::RecordBatch> rows,
                                     StorageLayout layout = StorageLayout::kScan, const float* centroid = nullptr) {
  auto storage = OrDie(quantizer->MakeStorage(*rows, layout, centroid));
  return {std::move(quantizer), std::make_shared<const Partition>(std::move(storage)), std::move(rows), layout};
}

inline TestPartition FlatTestPartition(uint32_t dimension, size_t num_rows, ElementType type = ElementType::kFloat32,
                                       StorageLayout layout = StorageLayout::kRandomAccess) {
  return TestPartitionOf(FlatQuantizerOf(dimension, type),
                         FlatRows(RandomFloats(num_rows * dimension, 1), dimension, type), layout);
}

inline TestPartition BinaryTestPartition(uint32_t dimension, size_t num_rows) {
  auto test = TestPartitionOf(BinaryQuantizerOf(dimension), BinaryRows(RandomBytes(num_rows * dimension, 1), dimension),
                              StorageLayout::kRandomAccess);
  test.metrics = {Metric::kHamming};
  return test;
}

inline TestPartition SqTestPartition(uint32_t dimension, size_t num_rows) {
  return TestPartitionOf(SqQuantizerOf(dimension, "-2.5", "3.25"),
                         SqRows(RandomBytes(num_rows * dimension, 1), dimension), StorageLayout::kRandomAccess);
}

/// With a centroid it has the rows' squared lengths.
inline TestPartition PqTestPartition(uint32_t num_bits, uint32_t num_sub_vectors, uint32_t dimension, size_t num_rows,
                                     StorageLayout layout = StorageLayout::kScan, const float* centroid = nullptr) {
  const size_t width = num_sub_vectors * num_bits / 8;
  return TestPartitionOf(PqQuantizerOf(PqMetadataOf(num_bits, num_sub_vectors, dimension, true),
                                       RandomFloats((size_t{1} << num_bits) * dimension, 2)),
                         PqRows(RandomBytes(num_rows * width, 3), width), layout, centroid);
}

/// A column of every name that RaBitQ has, those of ex codes for as many further bits.
inline std::shared_ptr<arrow::RecordBatch> RabitqRows(uint32_t code_dimension, uint32_t ex_bits, size_t num_rows) {
  const uint32_t width = code_dimension / 8;
  auto rows = MakeRows("_rabit_codes", arrow::uint8(), RandomBytes(num_rows * width, 2), width);
  const auto add = [&rows](const char* name, const std::shared_ptr<arrow::Array>& column) {
    rows = OrDie(rows->AddColumn(rows->num_columns(), name, column));
  };
  uint32_t seed = 3;
  for (const char* name :
       {"__scale_factors", "__add_factors", "__error_factors", "__scale_factors_ex", "__add_factors_ex"}) {
    add(name, ArrayOver(arrow::float32(), arrow::Buffer::FromVector(RandomFloats(num_rows, seed++))));
  }
  const uint32_t ex_width = (code_dimension + 63) / 64 * 8 * ex_bits;
  if (ex_width > 0) {
    add("__blocked_ex_codes",
        MakeRows("", arrow::uint8(), RandomBytes(num_rows * ex_width, seed), ex_width)->column(1));
  }
  return rows;
}

/// With a rotation of its kind, over rows of one-bit elements and ex codes.
inline TestPartition RabitqTestPartitionOf(RabitqMetadata metadata, uint32_t dimension, uint32_t code_dimension,
                                           uint32_t ex_bits, size_t num_rows) {
  std::shared_ptr<arrow::FloatArray> matrix;
  if (metadata.rotation == RabitqRotation::kHadamard) {
    metadata.code_dimension = code_dimension;
    metadata.signs = RandomBytes(code_dimension / 2, 1);
  } else {
    metadata.matrix_position = 2;
    matrix = std::static_pointer_cast<arrow::FloatArray>(ArrayOver(
        arrow::float32(), arrow::Buffer::FromVector(RandomFloats(size_t{code_dimension} * code_dimension, 1))));
  }
  return TestPartitionOf(OrDie(MakeRabitqQuantizer(metadata, dimension, matrix)),
                         RabitqRows(code_dimension, ex_bits, num_rows));
}

inline TestPartition RabitqTestPartition(uint32_t num_bits, uint32_t dimension, size_t num_rows,
                                         RabitqRotation rotation = RabitqRotation::kHadamard) {
  RabitqMetadata metadata{.num_bits = num_bits};
  metadata.estimator = RabitqEstimator::kRawQuery;
  metadata.rotation = rotation;
  return RabitqTestPartitionOf(metadata, dimension, dimension, num_bits - 1, num_rows);
}

/// As releases before 8.0 wrote it: residuals of the query, at first rotated by a matrix.
inline TestPartition OldRabitqTestPartition(uint32_t num_bits, uint32_t dimension, size_t num_rows,
                                            RabitqRotation rotation = RabitqRotation::kMatrix) {
  RabitqMetadata metadata{.num_bits = num_bits};
  metadata.packed = false;
  metadata.rotation = rotation;
  return RabitqTestPartitionOf(metadata, dimension, dimension * num_bits, 0, num_rows);
}

/// A small one of every storage that there is. What all storages must have in common is tested over this list.
struct NamedTestPartition {
  const char* name;
  TestPartition (*make)(size_t num_rows);
};
inline constexpr NamedTestPartition kTestPartitions[] = {
    {"flat", [](size_t n) { return FlatTestPartition(3, n); }},
    {"flat of halves", [](size_t n) { return FlatTestPartition(5, n, ElementType::kFloat16); }},
    {"flat of doubles", [](size_t n) { return FlatTestPartition(3, n, ElementType::kFloat64); }},
    {"flat with sketches",
     [](size_t n) { return FlatTestPartition(33, n, ElementType::kFloat32, StorageLayout::kScan); }},
    {"binary", [](size_t n) { return BinaryTestPartition(3, n); }},
    {"SQ", [](size_t n) { return SqTestPartition(5, n); }},
    {"PQ of 8 bits", [](size_t n) { return PqTestPartition(8, 3, 6, n); }},
    {"PQ of 4 bits", [](size_t n) { return PqTestPartition(4, 4, 8, n); }},
    {"PQ with squared lengths",
     [](size_t n) { return PqTestPartition(8, 3, 6, n, StorageLayout::kScan, RandomFloats(6, 4).data()); }},
    {"RaBitQ of 1 bit", [](size_t n) { return RabitqTestPartition(1, 24, n); }},
    {"RaBitQ of 4 bits", [](size_t n) { return RabitqTestPartition(4, 8, n); }},
    {"RaBitQ of 5 bits by a matrix", [](size_t n) { return RabitqTestPartition(5, 16, n, RabitqRotation::kMatrix); }},
    {"RaBitQ of residuals by a matrix", [](size_t n) { return OldRabitqTestPartition(2, 8, n); }},
    {"RaBitQ of residuals by transforms",
     [](size_t n) { return OldRabitqTestPartition(2, 16, n, RabitqRotation::kHadamard); }},
    {"PQ of 8 bits for graphs", [](size_t n) { return PqTestPartition(8, 3, 6, n, StorageLayout::kRandomAccess); }},
    {"PQ of 4 bits for graphs", [](size_t n) { return PqTestPartition(4, 4, 8, n, StorageLayout::kRandomAccess); }},
};

inline std::vector<TestPartition> EveryTestPartition(size_t num_rows) {
  std::vector<TestPartition> partitions;
  for (const NamedTestPartition& test : kTestPartitions) partitions.push_back(test.make(num_rows));
  return partitions;
}

inline std::shared_ptr<arrow::Buffer> SerializedBody(const Partition& partition) {
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  if (!partition.Serialize(out.get()).ok()) std::abort();
  return OrDie(out->Finish());
}

/// The k nearest of a storage's rows. `centroid` may be null for storages that do not keep residuals.
inline std::vector<Neighbor> ScanStorage(const Quantizer& quantizer, const PartitionStorage& storage,
                                         const float* query, Metric metric, const float* centroid, size_t k) {
  const auto scorer = quantizer.MakeScorer(query, {.metric = metric});
  TopK top_k(k);
  scorer->BeginPartition({.centroid = centroid});
  scorer->Scan(storage, &top_k);
  return top_k.Finish();
}

/// All rows of a storage, by ScoreRows in an order of its own.
inline std::vector<Neighbor> ScoreEveryRow(const Quantizer& quantizer, const PartitionStorage& storage,
                                           const float* query, Metric metric, const float* centroid) {
  const auto scorer = quantizer.MakeScorer(query, {.metric = metric});
  scorer->BeginPartition({.centroid = centroid});
  std::vector<uint32_t> rows(storage.num_rows());
  std::iota(rows.begin(), rows.end(), 0u);
  std::shuffle(rows.begin(), rows.end(), std::mt19937(4));
  std::vector<float> distances(rows.size());
  scorer->ScoreRows(0, storage, rows, distances.data());
  TopK top_k(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) top_k.Push(distances[i], storage.row_ids()[rows[i]]);
  return top_k.Finish();
}

/// Reads a quantizer's sections with each bit flipped in turn; those that are accepted must give scorers. Returns how
/// many were.
inline size_t CountSoundSections(const StorageKindEntry& kind, const Quantizer& quantizer) {
  const auto out = OrDie(arrow::io::BufferOutputStream::Create());
  if (!quantizer.Serialize(out.get()).ok()) std::abort();
  const auto body = OrDie(out->Finish());
  size_t sound = 0;
  for (int64_t bit = 0; bit < body->size() * 8; ++bit) {
    const auto copy = OrDie(body->CopySlice(0, body->size()));
    const_cast<uint8_t*>(copy->data())[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    ipc::SectionReader sections(copy);
    const auto back = kind.quantizer_from_sections(&sections);
    if (!back.ok()) continue;
    ++sound;
    // A dimension of that many elements is well formed, but too much to try.
    if ((*back)->dimension() > 1 << 20) continue;
    const std::vector<float> query((*back)->dimension(), 1.0f), centroid((*back)->dimension(), 0.5f);
    (*back)->MakeScorer(query.data(), {.metric = Metric::kL2})->BeginPartition({.centroid = centroid.data()});
  }
  return sound;
}

}  // namespace fewter::storage_test
