#pragma once

#include <cstdint>
#include <string_view>

#include <arrow/result.h>

namespace fewter {

/// A number of bytes as people write it: 1048576, 512KiB, 1.5GiB, 20GB (powers of ten without the i).
arrow::Result<int64_t> ParseByteSize(std::string_view text);

}  // namespace fewter
