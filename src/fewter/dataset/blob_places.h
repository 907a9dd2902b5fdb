#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <arrow/array/array_nested.h>
#include <arrow/result.h>

#include "fewter/lance/manifest.h"

namespace fewter {

/// Whether rows present this field's values by what says where they lie.
bool DescribesBlobs(const arrow::Field& field);

/// How many bytes the described blobs of each row of a batch have, together; 0 for those whose size it does not say.
std::vector<uint64_t> BlobBytesOfRows(const arrow::ArrayVector& columns, const arrow::Schema& schema, int64_t rows);

/// Blobs in the order of their descriptions, and where they lie.
struct BlobPlaces {
  struct Part {
    lance::ByteRange range;
    /// Which blob it is.
    size_t blob = 0;
  };
  struct File {
    /// In bytes, 0 if unknown.
    uint64_t size = 0;
    std::vector<Part> parts;
  };
  /// By path; each has some blob that is not empty.
  std::map<std::string, File> files;
  /// Of each blob, 0 if it is null.
  std::vector<uint64_t> sizes;
  std::vector<bool> is_valid;
};

/// Where the described blobs of the field at `position` lie, whose rows have these addresses. NotImplemented for one
/// outside of the dataset, Invalid for a kind that there is not and for a row of no fragment with such data.
arrow::Result<BlobPlaces> PlacesOf(const arrow::StructArray& described, const lance::Manifest& manifest,
                                   size_t position, std::span<const uint64_t> addresses);

}  // namespace fewter
