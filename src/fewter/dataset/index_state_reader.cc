#include "fewter/dataset/index_state_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <nlohmann/json.hpp>

#include "fewter/dataset/index_tensors_internal.h"
#include "fewter/dataset/single_file_state_internal.h"
#include "fewter/lance/file_reader.h"
#include "fewter/lance/index_messages.h"
#include "fewter/util/bytes.h"
#include "fewter/util/side_by_side.h"
#include "fewter/vector/quantizer/registry.h"
#include "fewter/vector/subindex/sub_index.h"

namespace fewter {

namespace {

using lance::FileReader;

/// The parameters that index files keep in their schema's metadata, with errors that name file and field.
class Parameters {
 public:
  explicit Parameters(const FileReader& reader)
      : path_(reader.metadata().path()), values_(reader.metadata().schema_metadata()) {}

  arrow::Result<std::string> Get(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return arrow::Status::Invalid(path_, ": no '", name, "' in the schema metadata");
    return found->second;
  }

  arrow::Result<nlohmann::json> Json(const std::string& name) const {
    ARROW_ASSIGN_OR_RAISE(const std::string text, Get(name));
    auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) return arrow::Status::Invalid(path_, ": '", name, "' is not JSON");
    return json;
  }

  arrow::Result<uint32_t> Number(const std::string& name) const {
    ARROW_ASSIGN_OR_RAISE(const std::string text, Get(name));
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      return arrow::Status::Invalid(path_, ": '", name, "' is not a number: ", text);
    }
    return number;
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const std::map<std::string, std::string>& values_;
};

arrow::Result<Metric> MetricNamed(const std::string& name, const std::string& path) {
  const auto metric = ParseMetric(name);
  return metric.ok() ? metric : metric.status().WithMessage(path, ": ", metric.status().message());
}

/// `lance:index` of index.idx.
struct IndexHeader {
  std::string type;
  Metric metric = Metric::kL2;
};

arrow::Result<IndexHeader> ReadHeader(const Parameters& parameters) {
  ARROW_ASSIGN_OR_RAISE(const auto json, parameters.Json("lance:index"));
  const auto text = [&](const char* field) -> arrow::Result<std::string> {
    if (!json.is_object() || !json.contains(field) || !json[field].is_string()) {
      return arrow::Status::Invalid(parameters.path(), ": 'lance:index' has no text '", field, "'");
    }
    return json[field].get<std::string>();
  };
  IndexHeader header;
  ARROW_ASSIGN_OR_RAISE(header.type, text("type"));
  ARROW_ASSIGN_OR_RAISE(const std::string metric, text("distance_type"));
  ARROW_ASSIGN_OR_RAISE(header.metric, MetricNamed(metric, parameters.path()));
  return header;
}

/// Both files say what the distance is; those of different indexes must not be taken for one.
arrow::Status CheckMetric(const IndexHeader& header, const std::string& index_path, const Parameters& storage) {
  ARROW_ASSIGN_OR_RAISE(const std::string name, storage.Get("distance_type"));
  ARROW_ASSIGN_OR_RAISE(const Metric metric, MetricNamed(name, storage.path()));
  if (metric == header.metric) return arrow::Status::OK();
  return arrow::Status::Invalid(storage.path(), ": its 'distance_type' is ", ToString(metric), ", that of ", index_path,
                                " is ", ToString(header.metric));
}

/// The kinds that an index is made of.
struct IndexKinds {
  const SubIndexKindEntry* sub_index = nullptr;
  const StorageKindEntry* storage = nullptr;
};

arrow::Result<IndexKinds> FindKinds(const std::string& path, const IndexHeader& header, ElementType element_type) {
  constexpr std::string_view kPrefix = "IVF_";
  IndexKinds kinds;
  if (header.type.starts_with(kPrefix)) {
    const std::string_view rest = std::string_view(header.type).substr(kPrefix.size());
    kinds.sub_index = &FindSubIndexKind(rest);
    kinds.storage = FindStorageKind(rest.substr(kinds.sub_index->lance_prefix.size()), element_type);
  }
  const bool is_known = kinds.storage != nullptr &&
                        (kinds.sub_index->kind == SubIndexKind::kFlat || kinds.storage->has_random_access) &&
                        (kinds.storage->kind == StorageKind::kFlatBinary) == (header.metric == Metric::kHamming);
  if (is_known) return kinds;
  return arrow::Status::NotImplemented(path, ": an index of type ", header.type, " over ", ToString(element_type),
                                       " with metric ", ToString(header.metric), " is not supported");
}

arrow::Result<lance::IvfMessage> ReadIvf(FileReader* reader) {
  ARROW_ASSIGN_OR_RAISE(const uint32_t buffer, Parameters(*reader).Number("lance:ivf"));
  ARROW_ASSIGN_OR_RAISE(auto bytes, reader->ReadGlobalBuffer(buffer));
  return lance::ParseIvf(bytes, reader->metadata().path());
}

/// Where each partition's rows start: as written, or one partition after the other.
std::vector<uint64_t> OffsetsOf(const lance::IvfMessage& ivf) {
  if (!ivf.offsets.empty()) return ivf.offsets;
  std::vector<uint64_t> offsets(ivf.lengths.size());
  uint64_t total = 0;
  for (size_t i = 0; i < offsets.size(); ++i) {
    offsets[i] = total;
    total += ivf.lengths[i];
  }
  return offsets;
}

/// Centroids come from index.idx, the rows of the codes from auxiliary.idx.
arrow::Result<std::shared_ptr<const IvfModel>> MakeModel(const lance::IvfMessage& coarse, const std::string& index_path,
                                                         FileReader* storage) {
  const std::string& storage_path = storage->metadata().path();
  ARROW_ASSIGN_OR_RAISE(const auto rows, ReadIvf(storage));
  const auto& shape = coarse.centroids->shape;
  if (shape[0] != rows.lengths.size()) {
    return arrow::Status::Invalid(storage_path, ": lengths of ", rows.lengths.size(), " partitions, but ", shape[0],
                                  " centroids");
  }
  ARROW_ASSIGN_OR_RAISE(auto centroids, ArrayOf(*coarse.centroids, index_path + ": IVF centroids"));
  ARROW_ASSIGN_OR_RAISE(auto offsets, (Built<arrow::UInt64Array, arrow::UInt64Builder>(OffsetsOf(rows))));
  ARROW_ASSIGN_OR_RAISE(auto lengths, (Built<arrow::UInt32Array, arrow::UInt32Builder>(rows.lengths)));
  auto model = IvfModel::Make(static_cast<uint32_t>(shape[1]), std::move(centroids), std::move(offsets),
                              std::move(lengths), storage->metadata().num_rows());
  if (model.ok()) return model;
  return model.status().WithMessage(storage_path, ": ", model.status().message());
}

/// The IVF message of index.idx, with centroids that make sense.
arrow::Result<lance::IvfMessage> ReadCoarse(FileReader* index) {
  const std::string& path = index->metadata().path();
  ARROW_ASSIGN_OR_RAISE(auto coarse, ReadIvf(index));
  if (!coarse.centroids || coarse.centroids->shape.size() != 2) {
    return arrow::Status::Invalid(path, ": no two-dimensional IVF centroids");
  }
  const uint64_t dimension = coarse.centroids->shape[1];
  if (dimension == 0 || dimension > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::Invalid(path, ": IVF centroids of dimension ", dimension);
  }
  return coarse;
}

/// `storage_metadata` of auxiliary.idx: a JSON array that holds one JSON text.
arrow::Result<std::string> ReadStorageMetadata(const Parameters& parameters) {
  ARROW_ASSIGN_OR_RAISE(const auto json, parameters.Json("storage_metadata"));
  if (!json.is_array() || json.size() != 1 || !json[0].is_string()) {
    return arrow::Status::Invalid(parameters.path(), ": 'storage_metadata' is not an array of one text");
  }
  return json[0].get<std::string>();
}

arrow::Result<std::shared_ptr<const Quantizer>> ReadQuantizer(const StorageKindEntry& kind, uint32_t dimension,
                                                              ElementType element_type, FileReader* storage) {
  const Parameters parameters(*storage);
  ARROW_ASSIGN_OR_RAISE(const std::string metadata, ReadStorageMetadata(parameters));
  QuantizerSource source{.metadata = metadata, .dimension = dimension, .element_type = element_type};
  source.read_tensor = [&](uint32_t buffer) -> arrow::Result<std::shared_ptr<arrow::FloatArray>> {
    ARROW_ASSIGN_OR_RAISE(const auto bytes, storage->ReadGlobalBuffer(buffer));
    return FloatsOf(bytes, "global buffer " + std::to_string(buffer));
  };
  source.parse_tensor = [](const std::string& bytes) {
    return FloatsOf(arrow::Buffer::FromString(bytes), "inline tensor");
  };
  source.has_column = [&](std::string_view column) {
    const auto& fields = storage->metadata().fields();
    return std::any_of(fields.begin(), fields.end(), [&](const lance::Field& field) { return field.name == column; });
  };
  auto quantizer = kind.quantizer_from_file(source);
  if (!quantizer.ok()) {
    return quantizer.status().WithMessage(parameters.path(), ": ", quantizer.status().message());
  }
  if ((*quantizer)->dimension() != dimension) {
    return arrow::Status::Invalid(parameters.path(), ": storage of dimension ", (*quantizer)->dimension(),
                                  ", centroids of dimension ", dimension);
  }
  return quantizer;
}

/// Null for a flat one.
arrow::Result<std::shared_ptr<const SubIndexModel>> ReadSubIndexModel(const SubIndexKindEntry& kind,
                                                                      const lance::IvfMessage& coarse,
                                                                      const FileReader& index) {
  if (kind.model_from_file == nullptr) return nullptr;
  const Parameters parameters(index);
  SubIndexSource source{.offsets = OffsetsOf(coarse), .lengths = coarse.lengths};
  source.total_rows = index.metadata().num_rows();
  ARROW_ASSIGN_OR_RAISE(source.metadata, parameters.Get(kind.metadata_name));
  auto model = kind.model_from_file(source);
  if (!model.ok()) return model.status().WithMessage(parameters.path(), ": ", model.status().message());
  if ((*model)->num_partitions() == coarse.centroids->shape[0]) return model;
  return arrow::Status::Invalid(parameters.path(), ": sub-indexes of ", (*model)->num_partitions(), " partitions, but ",
                                coarse.centroids->shape[0], " centroids");
}

}  // namespace

arrow::Result<std::shared_ptr<const IvfIndexState>> ReadIndexState(const lance::ObjectStore& store,
                                                                   const WeakCache& cache,
                                                                   const lance::IndexMetadata& index,
                                                                   IndexReaders* readers) {
  auto state = std::make_shared<IvfIndexState>();
  state->uuid = index.uuid.ToString();
  state->index_file = {IndexFolder(index) + "/index.idx", index.FileSize("index.idx")};
  state->storage_file = {IndexFolder(index) + "/auxiliary.idx", index.FileSize("auxiliary.idx")};
  std::array<arrow::Result<std::shared_ptr<FileReader>>, 2> opened;
  const std::array files = {&state->index_file, &state->storage_file};
  RunSideBySide(store.executor(), files.size(), [&](size_t i) {
    const bool begins_with_centroids = files[i] == &state->index_file;
    opened[i] = OpenLanceFile(store, cache, *files[i], lance::IoKind::kIndex, begins_with_centroids);
  });
  if (lance::IsFirstContainer(opened[0].status())) return ReadSingleFileState(store, index);
  ARROW_ASSIGN_OR_RAISE(const auto index_reader, std::move(opened[0]));
  ARROW_ASSIGN_OR_RAISE(const auto storage_reader, std::move(opened[1]));
  state->index_file.size = index_reader->metadata().file_size();
  state->storage_file.size = storage_reader->metadata().file_size();
  const std::string& index_path = index_reader->metadata().path();

  ARROW_ASSIGN_OR_RAISE(const IndexHeader header, ReadHeader(Parameters(*index_reader)));
  ARROW_RETURN_NOT_OK(CheckMetric(header, index_path, Parameters(*storage_reader)));
  ARROW_ASSIGN_OR_RAISE(const auto coarse, ReadCoarse(index_reader.get()));
  ARROW_ASSIGN_OR_RAISE(state->element_type, ElementTypeOf(coarse.centroids->type, index_path + ": IVF centroids"));
  ARROW_ASSIGN_OR_RAISE(const IndexKinds kinds, FindKinds(index_path, header, state->element_type));
  state->index_type = header.type;
  state->metric = header.metric;
  ARROW_ASSIGN_OR_RAISE(state->model, MakeModel(coarse, index_path, storage_reader.get()));
  ARROW_ASSIGN_OR_RAISE(state->quantizer, ReadQuantizer(*kinds.storage, state->model->dimension(), state->element_type,
                                                        storage_reader.get()));
  ARROW_ASSIGN_OR_RAISE(state->sub_index, ReadSubIndexModel(*kinds.sub_index, coarse, *index_reader));
  *readers = {index_reader, storage_reader};
  return state;
}

}  // namespace fewter
