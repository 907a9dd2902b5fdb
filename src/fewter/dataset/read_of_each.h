#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

#include "fewter/lance/manifest.h"
#include "fewter/lance/object_store.h"

namespace fewter {

/// What `read` gives for each of some fragments; of a remote store they are read side by side, and `read` must then be
/// safe to call from several threads. The first error in their order if there is one.
template <typename T, typename Read>
arrow::Result<std::vector<T>> ReadOfEach(const lance::ObjectStore& store,
                                         const std::vector<const lance::Fragment*>& fragments, const Read& read) {
  std::vector<T> values(fragments.size());
  ARROW_RETURN_NOT_OK(
      store.RunTogether(fragments.size(), [&](size_t i) { return read(*fragments[i]).Value(&values[i]); }));
  return values;
}

}  // namespace fewter
