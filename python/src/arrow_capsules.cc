#include "arrow_capsules.h"

#include <memory>
#include <optional>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>

#include "bindings.h"
#include "status.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

/// A capsule of one of the C structures, which it releases unless somebody has taken over what is in it.
template <typename T>
nb::capsule CapsuleOf(std::unique_ptr<T> structure, const char* name) {
  return nb::capsule(structure.release(), name, [](void* pointer) noexcept {
    const std::unique_ptr<T> owned(static_cast<T*>(pointer));
    if (owned->release != nullptr) owned->release(owned.get());
  });
}

nb::capsule ExportSchema(const SchemaHandle& handle) {
  auto schema = std::make_unique<ArrowSchema>();
  ThrowIfError(arrow::ExportSchema(*handle.schema, schema.get()));
  return CapsuleOf(std::move(schema), "arrow_schema");
}

/// The protocol lets a producer ignore the schema that is asked for.
nb::tuple ExportBatch(const BatchHandle& handle, const nb::object& /*requested_schema*/) {
  auto schema = std::make_unique<ArrowSchema>();
  auto array = std::make_unique<ArrowArray>();
  ThrowIfError(arrow::ExportRecordBatch(*handle.batch, array.get(), schema.get()));
  return nb::make_tuple(CapsuleOf(std::move(schema), "arrow_schema"), CapsuleOf(std::move(array), "arrow_array"));
}

/// The next batch; nothing at the end.
std::optional<BatchHandle> ReadNext(const ReaderHandle& handle) {
  std::shared_ptr<arrow::RecordBatch> batch;
  ThrowIfError(WithoutLock([&] { return handle->ReadNext(&batch); }));
  if (batch == nullptr) return std::nullopt;
  return BatchHandle{std::move(batch)};
}

}  // namespace

void BindArrow(nb::module_& module) {
  nb::class_<SchemaHandle>(module, "Schema").def("__arrow_c_schema__", &ExportSchema);
  nb::class_<BatchHandle>(module, "RecordBatch")
      .def("__arrow_c_array__", &ExportBatch, nb::arg("requested_schema") = nb::none());
  nb::class_<ReaderHandle>(module, "RecordBatchReader")
      .def("schema", [](const ReaderHandle& handle) { return SchemaHandle{handle->schema()}; })
      .def("read_next", &ReadNext);
}

}  // namespace fewter::python
