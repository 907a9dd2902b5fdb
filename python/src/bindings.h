#pragma once

#include <nanobind/nanobind.h>

/// What each source of the module adds to it.

namespace fewter::python {

/// Schema and RecordBatch, which others take over through the Arrow PyCapsule interface, and RecordBatchReader.
void BindArrow(nanobind::module_& module);
/// CacheBackend, and the functions that make one.
void BindCache(nanobind::module_& module);
void BindSession(nanobind::module_& module);
/// Filter, and the functions that make one.
void BindFilter(nanobind::module_& module);
void BindSearchRequest(nanobind::module_& module);
void BindDataset(nanobind::module_& module);
void BindLatestDataset(nanobind::module_& module);

}  // namespace fewter::python
