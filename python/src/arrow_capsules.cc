#include "arrow_capsules.h"

#include <memory>
#include <utility>

#include <nanobind/nanobind.h>

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

/// A reader as others take it over. They let it go with the interpreter's lock held or without it; its destructor may
/// wait for threads that want the lock, as cache backends in Python do.
class ReaderForOthers : public arrow::RecordBatchReader {
 public:
  explicit ReaderForOthers(std::shared_ptr<arrow::RecordBatchReader> reader) : reader_(std::move(reader)) {}
  ~ReaderForOthers() override {
    if (PyGILState_Check() == 0) return;
    const nb::gil_scoped_release released;
    reader_.reset();
  }

  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override { return reader_->ReadNext(batch); }

 private:
  std::shared_ptr<arrow::RecordBatchReader> reader_;
};

nb::capsule ExportReader(ReaderHandle& handle, const nb::object& /*requested_schema*/) {
  if (handle.reader == nullptr) Throw(arrow::Status::Invalid("the reader has been taken over already"));
  auto reader = std::make_shared<ReaderForOthers>(std::exchange(handle.reader, nullptr));
  auto stream = std::make_unique<ArrowArrayStream>();
  ThrowIfError(arrow::ExportRecordBatchReader(std::move(reader), stream.get()));
  return CapsuleOf(std::move(stream), "arrow_array_stream");
}

}  // namespace

void BindArrow(nb::module_& module) {
  nb::class_<SchemaHandle>(module, "Schema").def("__arrow_c_schema__", &ExportSchema);
  nb::class_<BatchHandle>(module, "RecordBatch")
      .def("__arrow_c_array__", &ExportBatch, nb::arg("requested_schema") = nb::none());
  nb::class_<ReaderHandle>(module, "RecordBatchReader")
      .def("__arrow_c_stream__", &ExportReader, nb::arg("requested_schema") = nb::none());
}

}  // namespace fewter::python
