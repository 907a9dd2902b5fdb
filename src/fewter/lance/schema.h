#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/field.h"

namespace fewter::lance {

/// The field that stands there, with all that is below it, as Arrow has it, metadata included: a field of an extension
/// type has the type that it is stored as, and says in its metadata which one it is. Blobs are what stands for them
/// (see docs/format/lance_file.md). NotImplemented, naming the type, for types that are not read; Invalid for a
/// malformed schema.
arrow::Result<std::shared_ptr<arrow::Field>> ToArrowField(const std::vector<Field>& fields, size_t position);

}  // namespace fewter::lance
