#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <arrow/array.h>
#include <arrow/record_batch.h>

namespace fewter::cli {

/// Floats have the shortest text that reads back as the same float, and as a float: 0 would be a whole number to many
/// readers. JSON has no infinities, but a number that large (1e999) is read as one; a value that is no number is null.
void AppendJsonNumber(float value, std::string* json);
void AppendJsonNumber(double value, std::string* json);

/// A string in quotes; bytes that are not UTF-8 are replaced.
void AppendJsonString(std::string_view text, std::string* json);

/// One value of an array, of any type (docs/cli.md says how each is written). A value in a list, and text, ends with …
/// once `json` has more than `limit` bytes: then it is for people only.
arrow::Status AppendJsonValue(const arrow::Array& array, int64_t row, std::string* json,
                              size_t limit = std::numeric_limits<size_t>::max());

/// The columns of a row as members of an object, "a":1,"b":2, without its braces.
arrow::Status AppendJsonMembers(const arrow::RecordBatch& rows, int64_t row, std::string* json);

}  // namespace fewter::cli
