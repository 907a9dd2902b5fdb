#include "fewter/dataset/dataset.h"

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrow_capsules.h"
#include "bindings.h"
#include "handle.h"
#include "interrupt.h"
#include "search_output.h"
#include "stats.h"
#include "status.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

using Queries = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using RowIds = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<nb::numpy, T, nb::ndim<2>>;

DatasetHandle Open(const std::string& uri, std::optional<uint64_t> version, const SessionHandle& session,
                   const lance::StorageOptions& storage_options) {
  const DatasetOptions options{.version = version, .session = session.shared(), .storage_options = storage_options};
  return DatasetHandle(RunInterruptibly(nullptr, [&](const auto&) { return Dataset::Open(uri, options); }));
}

arrow::Result<std::vector<SearchResult>> SearchAll(const Dataset& dataset, const SearchRequest& request,
                                                   const Queries& queries) {
  std::vector<std::vector<float>> vectors;
  vectors.reserve(queries.shape(0));
  for (size_t i = 0; i < queries.shape(0); ++i) {
    const float* vector = queries.data() + i * queries.shape(1);
    vectors.emplace_back(vector, vector + queries.shape(1));
  }
  return dataset.SearchMany(request, vectors);
}

/// The queries are the rows of a matrix; the columns are those of RowsOf. `stop` may be null.
BatchHandle Search(const DatasetHandle& dataset, const SearchRequest& request, const Queries& queries,
                   const std::vector<std::string>& columns, StopHandle* stop) {
  SearchRequest whole = request;
  whole.columns = DatasetColumns(columns);
  return {RunInterruptibly(stop == nullptr ? nullptr : &stop->source,
                           [&](const arrow::StopToken& token) -> arrow::Result<std::shared_ptr<arrow::RecordBatch>> {
                             whole.stop_token = token;
                             ARROW_ASSIGN_OR_RAISE(const auto results, SearchAll(*dataset, whole, queries));
                             return RowsOf(*dataset, results, columns);
                           })};
}

template <typename T>
Matrix<T> MatrixOf(std::vector<T> values, size_t rows, size_t columns) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* const data = owned->data();
  const nb::capsule owner(owned.release(), [](void* vector) noexcept { delete static_cast<std::vector<T>*>(vector); });
  return Matrix<T>(data, {rows, columns}, owner);
}

/// Distances and row ids, a row for each query; what is missing of k rows is an infinite distance and the id -1.
nb::tuple SearchArrays(const DatasetHandle& dataset, const SearchRequest& request, const Queries& queries,
                       StopHandle* stop) {
  SearchRequest whole = request;
  const auto results = RunInterruptibly(stop == nullptr ? nullptr : &stop->source, [&](const arrow::StopToken& token) {
    whole.stop_token = token;
    return SearchAll(*dataset, whole, queries);
  });
  const size_t places = results.size() * request.k;
  std::vector<float> distances(places, std::numeric_limits<float>::infinity());
  std::vector<int64_t> ids(places, -1);
  for (size_t query = 0; query < results.size(); ++query) {
    for (size_t i = 0; i < results[query].rows.size(); ++i) {
      distances[query * request.k + i] = results[query].rows[i].distance;
      ids[query * request.k + i] = static_cast<int64_t>(results[query].rows[i].row_id);
    }
  }
  return nb::make_tuple(MatrixOf(std::move(distances), results.size(), request.k),
                        MatrixOf(std::move(ids), results.size(), request.k));
}

BlobHandling HandlingOf(bool blob_bytes) {
  return blob_bytes ? BlobHandling::kBinary : BlobHandling::kDescriptions;
}

BatchHandle Take(const DatasetHandle& dataset, const RowIds& row_ids, const std::vector<std::string>& columns,
                 bool blob_bytes) {
  const std::span ids(row_ids.data(), row_ids.size());
  return {RunInterruptibly(nullptr, [&](const auto&) { return dataset->Take(ids, columns, HandlingOf(blob_bytes)); })};
}

ReaderHandle Scan(const DatasetHandle& dataset, const std::vector<std::string>& columns, const FilterHandle* filter,
                  uint64_t batch_size, bool blob_bytes) {
  const ScanRequest request{
      .columns = columns, .filter = SharedOrNull(filter), .batch_size = batch_size, .blobs = HandlingOf(blob_bytes)};
  return ReaderHandle(RunInterruptibly(nullptr, [&](const auto&) { return dataset->Scan(request); }));
}

uint64_t CountRows(const DatasetHandle& dataset, const FilterHandle* filter) {
  return RunInterruptibly(nullptr, [&](const auto&) { return dataset->CountRows(SharedOrNull(filter)); });
}

SchemaHandle SchemaOf(const DatasetHandle& dataset) {
  return {ValueOrThrow(dataset->Schema())};
}

/// `progress` is called with partitions done, partitions, and bytes read; what it raises ends the prewarming.
nb::dict Prewarm(const DatasetHandle& dataset, const std::string& column, const std::string& index, bool strict,
                 std::optional<uint64_t> max_bytes, uint64_t bytes_per_second, const nb::object& progress) {
  arrow::StopSource stop;
  std::optional<nb::python_error> raised;
  PrewarmLimits limits{.bytes_per_second = bytes_per_second};
  if (max_bytes) limits.max_bytes = *max_bytes;
  limits.progress = [&](const PrewarmProgress& state) {
    if (progress.is_none() || raised) return;
    const nb::gil_scoped_acquire lock;
    try {
      progress(state.partitions_done, state.partitions, state.bytes_read);
    } catch (nb::python_error& error) {
      raised.emplace(std::move(error));
      stop.RequestStop();
    }
  };
  const auto mode = strict ? PrewarmMode::kStrict : PrewarmMode::kBestEffort;
  const PrewarmReport report =
      RunInterruptibly(&stop, [&](const arrow::StopToken& token) -> arrow::Result<PrewarmReport> {
        limits.stop_token = token;
        auto prewarmed = dataset->Prewarm(column, index, mode, limits);
        // What was interrupted is not done, whatever was asked for of parts that cannot be read.
        if (!raised) ARROW_RETURN_NOT_OK(token.Poll());
        return raised ? PrewarmReport() : prewarmed;
      });
  if (raised) throw nb::python_error(*std::move(raised));
  nb::dict resident;
  for (const auto& [tier, partitions] : report.resident) resident[tier.c_str()] = partitions;
  nb::dict result;
  result["partitions"] = report.partitions;
  result["loaded"] = report.loaded;
  result["failed"] = report.failed;
  result["first_error"] = report.first_error.ok() ? std::string() : report.first_error.message();
  result["resident"] = resident;
  return result;
}

nb::dict FileOf(const IndexFileReference& file) {
  nb::dict result;
  result["path"] = file.path;
  result["bytes"] = file.size;
  return result;
}

nb::dict SegmentOf(const SegmentDescription& segment) {
  nb::dict result;
  result["uuid"] = segment.uuid;
  result["dataset_version"] = segment.dataset_version;
  result["fragments"] = segment.fragments;
  result["type"] = segment.index_type;
  result["metric"] = std::string(ToString(segment.metric));
  result["dimension"] = segment.dimension;
  result["partitions"] = segment.num_partitions;
  result["largest_partition"] = segment.largest_partition;
  result["empty_partitions"] = segment.empty_partitions;
  result["rows"] = segment.num_rows;
  result["storage"] = segment.storage;
  nb::list files;
  for (const IndexFileReference* file : {&segment.index_file, &segment.storage_file}) {
    if (!file->path.empty()) files.append(FileOf(*file));
  }
  result["files"] = files;
  return result;
}

nb::list DescribeIndex(const DatasetHandle& dataset, const std::string& name) {
  nb::list segments;
  for (const auto& segment : RunInterruptibly(nullptr, [&](const auto&) { return dataset->DescribeIndex(name); })) {
    segments.append(SegmentOf(segment));
  }
  return segments;
}

}  // namespace

void BindDataset(nb::module_& module) {
  nb::class_<DatasetHandle>(module, "Dataset")
      .def_static("open", &Open, nb::arg("uri"), nb::arg("version").none(), nb::arg("session"),
                  nb::arg("storage_options"))
      .def_prop_ro("version", [](const DatasetHandle& dataset) { return dataset->manifest().version; })
      .def("schema", &SchemaOf)
      .def("count_rows", &CountRows, nb::arg("filter").none())
      .def("vector_index_names", [](const DatasetHandle& dataset) { return dataset->VectorIndexNames(); })
      .def("describe_index", &DescribeIndex, nb::arg("name"))
      .def("io_stats", [](const DatasetHandle& dataset) { return StatsOf(dataset->io_stats()); })
      .def("search", &Search, nb::arg("request"), nb::arg("queries"), nb::arg("columns"), nb::arg("stop").none())
      .def("search_arrays", &SearchArrays, nb::arg("request"), nb::arg("queries"), nb::arg("stop").none())
      .def("take", &Take, nb::arg("row_ids"), nb::arg("columns"), nb::arg("blob_bytes"))
      .def("scan", &Scan, nb::arg("columns"), nb::arg("filter").none(), nb::arg("batch_size"), nb::arg("blob_bytes"))
      .def("prewarm", &Prewarm, nb::arg("column"), nb::arg("index"), nb::arg("strict"), nb::arg("max_bytes").none(),
           nb::arg("bytes_per_second"), nb::arg("progress").none());
}

}  // namespace fewter::python
