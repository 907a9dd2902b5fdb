#include <limits>
#include <string>

#include <arrow/status.h>
#include <nlohmann/json.hpp>

#include "fewter/vector/quantizer/rabitq/rabitq.h"

namespace fewter {
namespace {

using Json = nlohmann::json;

arrow::Status InvalidField(const char* field, const char* what) {
  return arrow::Status::Invalid("storage_metadata: ", field, " ", what);
}

/// A field that is not there and one that is null say the same.
const Json* Find(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// Nothing if the field is not there.
arrow::Result<std::optional<uint32_t>> ParseNumber(const Json& object, const char* field) {
  const Json* value = Find(object, field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_unsigned()) return InvalidField(field, "is not a number of at least 0");
  if (value->get<uint64_t>() > std::numeric_limits<uint32_t>::max()) return InvalidField(field, "is too large");
  return value->get<uint32_t>();
}

/// Whether the field is `one` and not `other`; `default_value` if it is not there.
arrow::Result<bool> ParseChoice(const Json& object, const char* field, const char* one, const char* other,
                                bool default_value) {
  const Json* value = Find(object, field);
  if (value == nullptr) return default_value;
  if (*value != one && *value != other) return InvalidField(field, "is unknown");
  return *value == one;
}

arrow::Result<std::vector<uint8_t>> ParseSigns(const Json& object) {
  constexpr char kField[] = "fast_rotation_signs";
  const Json* value = Find(object, kField);
  if (value == nullptr || !value->is_array()) return InvalidField(kField, "is not a list of bytes");
  std::vector<uint8_t> signs;
  signs.reserve(value->size());
  for (const Json& byte : *value) {
    if (!byte.is_number_unsigned() || byte.get<uint64_t>() > 255) {
      return InvalidField(kField, "has an element that is not a byte");
    }
    signs.push_back(byte.get<uint8_t>());
  }
  return signs;
}

}  // namespace

arrow::Result<RabitqMetadata> RabitqMetadata::Parse(std::string_view storage_metadata) {
  const Json object = Json::parse(storage_metadata, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return arrow::Status::Invalid("storage_metadata: not a JSON object");
  RabitqMetadata metadata;
  ARROW_ASSIGN_OR_RAISE(const auto num_bits, ParseNumber(object, "num_bits"));
  if (!num_bits.has_value()) return InvalidField("num_bits", "is missing");
  metadata.num_bits = *num_bits;
  const Json* packed = Find(object, "packed");
  if (packed == nullptr || !packed->is_boolean()) return InvalidField("packed", "is not true or false");
  metadata.packed = packed->get<bool>();
  ARROW_ASSIGN_OR_RAISE(const auto code_dimension, ParseNumber(object, "code_dim"));
  metadata.code_dimension = code_dimension.value_or(0);
  ARROW_ASSIGN_OR_RAISE(const bool is_raw,
                        ParseChoice(object, "query_estimator", "raw_query", "residual_query", false));
  metadata.estimator = is_raw ? RabitqEstimator::kRawQuery : RabitqEstimator::kResidualQuery;
  ARROW_ASSIGN_OR_RAISE(const bool is_fast, ParseChoice(object, "rotation_type", "fast", "matrix", false));
  metadata.rotation = is_fast ? RabitqRotation::kHadamard : RabitqRotation::kMatrix;
  if (is_fast) {
    ARROW_ASSIGN_OR_RAISE(metadata.signs, ParseSigns(object));
  } else {
    ARROW_ASSIGN_OR_RAISE(metadata.matrix_position, ParseNumber(object, "rotate_mat_position"));
    if (!metadata.matrix_position.has_value()) return InvalidField("rotate_mat_position", "is missing");
  }
  return metadata;
}

arrow::Status RabitqShape::Check() const {
  if (num_bits < 1 || num_bits > 9) {
    return arrow::Status::Invalid("storage_metadata: num_bits is not from 1 to 9: ", num_bits);
  }
  if (dimension == 0 || code_dimension % 8 != 0 || code_dimension > kMaxCodeDimension) {
    return arrow::Status::Invalid("storage_metadata: code_dim is not a multiple of 8 up to ", kMaxCodeDimension, ": ",
                                  code_dimension, ", for vectors of ", dimension);
  }
  const uint32_t bits_per_element = estimator == RabitqEstimator::kRawQuery ? 1 : num_bits;
  if (code_dimension / bits_per_element < dimension) {
    return arrow::Status::Invalid("storage_metadata: code_dim ", code_dimension, " is too small for vectors of ",
                                  dimension, " with ", bits_per_element, " one-bit elements each");
  }
  return arrow::Status::OK();
}

}  // namespace fewter
