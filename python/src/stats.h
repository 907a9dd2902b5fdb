#pragma once

#include <nanobind/nanobind.h>

#include "fewter/cache/backend.h"
#include "fewter/cache/query.h"
#include "fewter/lance/io_stats.h"

/// Counts as dictionaries, with the names that the command line's JSON has.

namespace fewter::python {

nanobind::dict StatsOf(const CacheBackend& cache);
nanobind::dict StatsOf(const lance::IoStats& io);

}  // namespace fewter::python
