#include <limits>

#include <arrow/status.h>
#include <nlohmann/json.hpp>

#include "fewter/vector/quantizer/pq/pq.h"

namespace fewter {
namespace {

using Json = nlohmann::json;

arrow::Status InvalidField(const char* field, const char* what) {
  return arrow::Status::Invalid("storage_metadata: ", field, " ", what);
}

arrow::Result<uint32_t> ParseNumber(const Json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end()) return InvalidField(field, "is missing");
  if (!found->is_number_unsigned()) return InvalidField(field, "is not a number of at least 0");
  const auto value = found->get<uint64_t>();
  if (value > std::numeric_limits<uint32_t>::max()) return InvalidField(field, "is too large");
  return static_cast<uint32_t>(value);
}

arrow::Result<bool> ParseTransposed(const Json& object) {
  const auto found = object.find("transposed");
  if (found == object.end()) return false;
  if (!found->is_boolean()) return InvalidField("transposed", "is not true or false");
  return found->get<bool>();
}

arrow::Result<std::string> ParseInlineCodebook(const Json& object) {
  const auto found = object.find("codebook_tensor");
  if (found == object.end() || !found->is_array() || found->empty()) {
    return InvalidField("codebook_tensor", "is not a list of bytes, and codebook_position is 0");
  }
  std::string bytes;
  bytes.reserve(found->size());
  for (const Json& byte : *found) {
    if (!byte.is_number_unsigned() || byte.get<uint64_t>() > 255) {
      return InvalidField("codebook_tensor", "has an element that is not a byte");
    }
    bytes.push_back(static_cast<char>(byte.get<uint64_t>()));
  }
  return bytes;
}

}  // namespace

arrow::Result<PqMetadata> PqMetadata::Parse(std::string_view storage_metadata) {
  const Json object = Json::parse(storage_metadata, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return arrow::Status::Invalid("storage_metadata: not a JSON object");
  PqMetadata metadata;
  // Releases before 0.25 wrote num_bits.
  ARROW_ASSIGN_OR_RAISE(metadata.num_bits, ParseNumber(object, object.contains("nbits") ? "nbits" : "num_bits"));
  ARROW_ASSIGN_OR_RAISE(metadata.num_sub_vectors, ParseNumber(object, "num_sub_vectors"));
  ARROW_ASSIGN_OR_RAISE(metadata.dimension, ParseNumber(object, "dimension"));
  ARROW_ASSIGN_OR_RAISE(metadata.transposed, ParseTransposed(object));
  ARROW_ASSIGN_OR_RAISE(metadata.codebook_position, ParseNumber(object, "codebook_position"));
  if (metadata.codebook_position == 0) {
    ARROW_ASSIGN_OR_RAISE(metadata.inline_codebook, ParseInlineCodebook(object));
  }
  ARROW_RETURN_NOT_OK(metadata.CheckShape());
  return metadata;
}

arrow::Status PqMetadata::CheckShape() const {
  if (num_bits != 4 && num_bits != 8) {
    return arrow::Status::Invalid("storage_metadata: nbits is neither 4 nor 8: ", num_bits);
  }
  if (num_sub_vectors == 0 || (num_bits == 4 && num_sub_vectors % 2 != 0)) {
    return arrow::Status::Invalid("storage_metadata: num_sub_vectors is zero, or odd with 4 bits: ", num_sub_vectors);
  }
  if (dimension == 0 || dimension % num_sub_vectors != 0) {
    return arrow::Status::Invalid("storage_metadata: dimension is not a multiple of num_sub_vectors: ", dimension,
                                  " and ", num_sub_vectors);
  }
  return arrow::Status::OK();
}

}  // namespace fewter
