#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fewter/vector/fuzz_changes_internal.h"
#include "fewter/vector/quantizer/registry.h"

/// What the files of an index say of its storage, as an attacker would write it: metadata, the tensor of codebook or
/// rotation, and a partition's rows. What is accepted is scanned. The first byte of the input says which kind, the rest
/// is changes to something good.

namespace fewter {
namespace {

using storage_test::OrDie;
using storage_test::TestPartition;

constexpr size_t kNumRows = 40;
/// Each of its elements.
constexpr float kCentroid = 0.25F;

/// An index's files, good ones.
struct Files {
  const char* lance_name = "";
  ElementType element_type = ElementType::kFloat32;
  uint32_t dimension = 0;
  std::string metadata;
  std::vector<float> tensor;
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<Metric> metrics = {Metric::kL2, Metric::kCosine, Metric::kDot};
};

std::string PqText(uint32_t num_bits, bool transposed) {
  return R"({"codebook_position":2,"nbits":)" + std::to_string(num_bits) +
         R"(,"num_sub_vectors":4,"dimension":8,"codebook_tensor":[],"transposed":)" + (transposed ? "true" : "false") +
         "}";
}

Files PqFiles(uint32_t num_bits, bool transposed) {
  const size_t width = num_bits / 2;
  return {.lance_name = "PQ",
          .dimension = 8,
          .metadata = PqText(num_bits, transposed),
          .tensor = storage_test::RandomFloats((size_t{1} << num_bits) * 8, 2),
          .rows = storage_test::PqRows(storage_test::RandomBytes(kNumRows * width, 3), width)};
}

std::string FastRotation(uint32_t num_sign_bytes) {
  std::string text = R"("rotation_type":"fast","rotate_mat_position":null,"fast_rotation_signs":[)";
  for (uint32_t i = 0; i < num_sign_bytes; ++i) text += std::to_string(i * 37 % 256) + ",";
  text.back() = ']';
  return text + R"(,"query_estimator":"raw_query",)";
}

Files RabitqFiles(uint32_t num_bits, uint32_t dimension, bool is_old) {
  const uint32_t code_dimension = is_old ? dimension * num_bits : dimension;
  Files files{.lance_name = "RQ", .dimension = dimension};
  files.metadata = "{" + (is_old ? std::string(R"("rotate_mat_position":2,)") : FastRotation(dimension / 2)) +
                   R"("num_bits":)" + std::to_string(num_bits) + R"(,"code_dim":)" + std::to_string(code_dimension) +
                   R"(,"packed":)" + (is_old ? "false}" : "true}");
  if (is_old) files.tensor = storage_test::RandomFloats(size_t{code_dimension} * code_dimension, 4);
  files.rows = storage_test::RabitqRows(code_dimension, is_old ? 0 : num_bits - 1, kNumRows);
  return files;
}

std::vector<Files> EveryGoodFiles() {
  using storage_test::RandomBytes;
  using storage_test::RandomFloats;
  std::vector<Files> all;
  for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kFloat64}) {
    all.push_back(
        {"FLAT", type, 5, R"({"dim":5})", {}, storage_test::FlatRows(RandomFloats(kNumRows * 5, 1), 5, type)});
  }
  all.push_back({"FLAT",
                 ElementType::kUint8,
                 3,
                 R"({"dim":3})",
                 {},
                 storage_test::BinaryRows(RandomBytes(kNumRows * 3, 1), 3),
                 {Metric::kHamming}});
  all.push_back({"SQ",
                 ElementType::kFloat32,
                 5,
                 storage_test::SqMetadataOf(5, "-2.5", "3.25"),
                 {},
                 storage_test::SqRows(RandomBytes(kNumRows * 5, 1), 5)});
  for (const uint32_t num_bits : {8U, 4U}) {
    for (const bool transposed : {true, false}) all.push_back(PqFiles(num_bits, transposed));
  }
  for (const uint32_t num_bits : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U}) {
    all.push_back(RabitqFiles(num_bits, 24, false));
  }
  all.push_back(RabitqFiles(1, 24, true));
  all.push_back(RabitqFiles(2, 8, true));
  return all;
}

/// The column with its values copied, so that they may be changed.
std::shared_ptr<arrow::Array> WithValues(const arrow::Array& column, const fuzz::Change& change) {
  auto data = column.data()->Copy();
  auto* values = &data;
  if (!data->child_data.empty()) {
    data->child_data[0] = data->child_data[0]->Copy();
    values = &data->child_data[0];
  }
  (*values)->buffers[1] = fuzz::CopyOf(*(*values)->buffers[1]);
  fuzz::Overwrite(change, (*values)->buffers[1].get());
  return arrow::MakeArray(data);
}

/// The column as something else: of another type or width, longer than it is, with a null.
std::shared_ptr<arrow::Array> Misshapen(const std::shared_ptr<arrow::Array>& column, const fuzz::Change& change) {
  auto data = column->data()->Copy();
  switch (change.value % 5) {
    case 0:
      return ArrayOver(arrow::uint8(), arrow::Buffer::FromVector(storage_test::RandomBytes(kNumRows, 1)));
    case 1:
      if (data->child_data.empty()) return column;
      data->type = arrow::fixed_size_list(data->child_data[0]->type, static_cast<int32_t>(change.position % 70));
      break;
    case 2:
      data->length = change.position;
      break;
    case 3:
      data->buffers[0] = arrow::Buffer::FromVector(std::vector<uint8_t>(kNumRows, 0x7f));
      data->null_count = arrow::kUnknownNullCount;
      break;
    default:
      data->offset = change.position % 3;
  }
  return arrow::MakeArray(data);
}

void ChangeRows(const fuzz::Change& change, std::shared_ptr<arrow::RecordBatch>* rows) {
  const int column = change.what / 8 % (*rows)->num_columns();
  const auto array = (*rows)->column(column);
  const auto replace = [&](const std::shared_ptr<arrow::Array>& other) {
    auto columns = (*rows)->columns();
    columns[static_cast<size_t>(column)] = other;
    const auto schema =
        OrDie((*rows)->schema()->SetField(column, (*rows)->schema()->field(column)->WithType(other->type())));
    *rows = arrow::RecordBatch::Make(schema, (*rows)->num_rows(), std::move(columns));
  };
  const int which = change.what % 8;
  if (which < 5) {
    // Offsets and lengths that a change before gave it would lead beyond the copy.
    if (array->ValidateFull().ok()) replace(WithValues(*array, change));
  } else if (which == 5) {
    replace(Misshapen(array, change));
  } else if (which == 6 && (*rows)->num_columns() > 1) {
    *rows = OrDie((*rows)->RemoveColumn(column));
  } else if ((*rows)->Validate().ok()) {
    *rows = (*rows)->Slice(change.position % ((*rows)->num_rows() + 1), change.value);
  }
}

void ChangeFiles(const fuzz::Changes& changes, Files* files) {
  auto tensor = arrow::Buffer::FromVector(files->tensor);
  for (size_t i = 0; i < changes.size(); ++i) {
    const fuzz::Change change = changes[i];
    switch (change.what / 64) {
      case 0:
        if (change.what % 8 == 0) files->dimension = change.position;
        fuzz::Overwrite(change, &files->metadata);
        break;
      case 1:
        if (change.what % 8 == 0) tensor = arrow::SliceBuffer(tensor, 0, tensor->size() / 2 / 4 * 4);
        fuzz::Overwrite(change, tensor.get());
        break;
      default:
        ChangeRows(change, &files->rows);
    }
  }
  files->tensor.assign(tensor->data_as<float>(), tensor->data_as<float>() + tensor->size() / 4);
}

arrow::Result<std::shared_ptr<const Quantizer>> QuantizerFrom(const Files& files) {
  const auto read = [&](const auto&) -> arrow::Result<std::shared_ptr<arrow::FloatArray>> {
    return std::static_pointer_cast<arrow::FloatArray>(
        ArrayOver(arrow::float32(), arrow::Buffer::FromVector(files.tensor)));
  };
  const auto has_column = [&](std::string_view name) {
    return files.rows->schema()->GetFieldIndex(std::string(name)) >= 0;
  };
  const auto* kind = FindStorageKind(files.lance_name, files.element_type);
  return kind->quantizer_from_file({.metadata = files.metadata,
                                    .dimension = files.dimension,
                                    .element_type = files.element_type,
                                    .read_tensor = read,
                                    .parse_tensor = read,
                                    .has_column = has_column});
}

void Use(const Quantizer& quantizer, const PartitionStorage& storage, StorageLayout layout,
         const std::vector<Metric>& metrics) {
  if (!quantizer.CheckStorage(storage, layout).ok()) std::abort();
  const std::vector<float> query(quantizer.dimension(), 3.0F), centroid(query.size(), kCentroid);
  for (const Metric metric : metrics) {
    storage_test::ScanStorage(quantizer, storage, query.data(), metric, centroid.data(), 3);
    if (layout == StorageLayout::kRandomAccess) {
      storage_test::ScoreEveryRow(quantizer, storage, query.data(), metric, centroid.data());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<Files> kGood = EveryGoodFiles();
  if (size == 0) return 0;
  Files files = kGood[data[0] % kGood.size()];
  ChangeFiles(fuzz::Changes(data + 1, size - 1), &files);
  const auto quantizer = QuantizerFrom(files);
  // A dimension of billions is well formed, but no index has it that has no centroids of that size.
  if (!quantizer.ok() || (*quantizer)->dimension() > 1 << 16) return 0;
  const std::vector<float> centroid((*quantizer)->dimension(), kCentroid);
  for (const StorageLayout layout : {StorageLayout::kScan, StorageLayout::kRandomAccess}) {
    const auto storage = (*quantizer)->MakeStorage(*files.rows, layout, centroid.data());
    if (storage.ok()) Use(**quantizer, **storage, layout, files.metrics);
  }
  return 0;
}

}  // namespace fewter
