#include "fewter/cli/json_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include <arrow/scalar.h>
#include <arrow/util/base64.h>
#include <arrow/util/float16.h>
#include <arrow/visit_array_inline.h>
#include <nlohmann/json.hpp>

#include "fewter/cli/iso_time.h"

namespace fewter::cli {

namespace {

constexpr std::string_view kMore = "…";

template <typename Float>
void AppendFloat(Float value, std::string* json) {
  if (std::isnan(value)) {
    *json += "null";
  } else if (std::isinf(value)) {
    *json += value < 0 ? "-1e999" : "1e999";
  } else {
    const size_t begin = json->size();
    fmt::format_to(std::back_inserter(*json), "{}", value);
    if (json->find_first_of(".e", begin) == std::string::npos) *json += ".0";
  }
}

/// Appends one value; null ones have been dealt with.
class ValueWriter {
 public:
  ValueWriter(int64_t row, std::string* json, size_t limit) : row_(row), json_(*json), limit_(limit) {}

  arrow::Status Visit(const arrow::NullArray& /*array*/) { return Text("null"); }
  arrow::Status Visit(const arrow::BooleanArray& array) { return Text(array.Value(row_) ? "true" : "false"); }
  arrow::Status Visit(const arrow::HalfFloatArray& array) {
    AppendFloat(arrow::util::Float16::FromBits(array.Value(row_)).ToFloat(), &json_);
    return arrow::Status::OK();
  }
  arrow::Status Visit(const arrow::FloatArray& array) {
    AppendFloat(array.Value(row_), &json_);
    return arrow::Status::OK();
  }
  arrow::Status Visit(const arrow::DoubleArray& array) {
    AppendFloat(array.Value(row_), &json_);
    return arrow::Status::OK();
  }

  arrow::Status Visit(const arrow::Date32Array& array) {
    return Quoted([&] { AppendDate(array.Value(row_), &json_); });
  }
  arrow::Status Visit(const arrow::Date64Array& array) {
    constexpr int64_t kDay = 86'400'000;
    const int64_t value = array.Value(row_);
    return Quoted([&] { AppendDate(value / kDay - (value % kDay < 0 ? 1 : 0), &json_); });
  }
  arrow::Status Visit(const arrow::Time32Array& array) { return TimeOfDay(array); }
  arrow::Status Visit(const arrow::Time64Array& array) { return TimeOfDay(array); }
  arrow::Status Visit(const arrow::TimestampArray& array) {
    const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
    return Quoted([&] { AppendTimestamp(array.Value(row_), type.unit(), !type.timezone().empty(), &json_); });
  }
  arrow::Status Visit(const arrow::Decimal128Array& array) { return Decimal(array); }
  arrow::Status Visit(const arrow::Decimal256Array& array) { return Decimal(array); }

  arrow::Status Visit(const arrow::StringArray& array) { return String(array.GetView(row_)); }
  arrow::Status Visit(const arrow::LargeStringArray& array) { return String(array.GetView(row_)); }
  arrow::Status Visit(const arrow::StringViewArray& array) { return String(array.GetView(row_)); }
  arrow::Status Visit(const arrow::BinaryArray& array) { return Base64(array.GetView(row_)); }
  arrow::Status Visit(const arrow::LargeBinaryArray& array) { return Base64(array.GetView(row_)); }
  arrow::Status Visit(const arrow::BinaryViewArray& array) { return Base64(array.GetView(row_)); }
  arrow::Status Visit(const arrow::FixedSizeBinaryArray& array) { return Base64(array.GetView(row_)); }

  arrow::Status Visit(const arrow::ListArray& array) { return List(array); }
  arrow::Status Visit(const arrow::LargeListArray& array) { return List(array); }
  arrow::Status Visit(const arrow::FixedSizeListArray& array) { return List(array); }
  arrow::Status Visit(const arrow::MapArray& array) { return List(array); }
  arrow::Status Visit(const arrow::StructArray& array) {
    json_ += '{';
    for (int i = 0; i < array.num_fields(); ++i) {
      if (i > 0) json_ += ',';
      AppendJsonString(array.type()->field(i)->name(), &json_);
      json_ += ':';
      ARROW_RETURN_NOT_OK(AppendJsonValue(*array.field(i), row_, &json_, limit_));
    }
    json_ += '}';
    return arrow::Status::OK();
  }
  arrow::Status Visit(const arrow::DictionaryArray& array) {
    return AppendJsonValue(*array.dictionary(), array.GetValueIndex(row_), &json_, limit_);
  }
  arrow::Status Visit(const arrow::ExtensionArray& array) {
    return AppendJsonValue(*array.storage(), row_, &json_, limit_);
  }

  /// Whole numbers, durations among them, as they are; of what Lance does not have, Arrow's own text.
  arrow::Status Visit(const arrow::Array& array) {
    ARROW_ASSIGN_OR_RAISE(const auto scalar, array.GetScalar(row_));
    return String(scalar->ToString());
  }
  template <typename Type>
  arrow::Status Visit(const arrow::NumericArray<Type>& array) {
    fmt::format_to(std::back_inserter(json_), "{}", array.Value(row_));
    return arrow::Status::OK();
  }

 private:
  arrow::Status Text(std::string_view text) {
    json_ += text;
    return arrow::Status::OK();
  }

  template <typename Append>
  arrow::Status Quoted(const Append& append) {
    json_ += '"';
    append();
    json_ += '"';
    return arrow::Status::OK();
  }

  template <typename Array>
  arrow::Status TimeOfDay(const Array& array) {
    const auto unit = static_cast<const arrow::TimeType&>(*array.type()).unit();
    return Quoted([&] { AppendTimeOfDay(array.Value(row_), unit, &json_); });
  }

  template <typename Array>
  arrow::Status Decimal(const Array& array) {
    return Quoted([&] { json_ += array.FormatValue(row_); });
  }

  arrow::Status String(std::string_view text) {
    const bool is_long = text.size() > limit_;
    AppendJsonString(text.substr(0, limit_), &json_);
    return is_long ? Text(kMore) : arrow::Status::OK();
  }

  arrow::Status Base64(std::string_view bytes) {
    const bool is_long = bytes.size() > limit_;
    return Quoted(
        [&] { json_ += arrow::util::base64_encode(bytes.substr(0, limit_)) + std::string(is_long ? kMore : ""); });
  }

  template <typename ListArray>
  arrow::Status List(const ListArray& array) {
    const arrow::Array& values = *array.values();
    const int64_t begin = array.value_offset(row_);
    const int64_t end = begin + array.value_length(row_);
    json_ += '[';
    for (int64_t i = begin; i < end; ++i) {
      if (i > begin) json_ += ',';
      if (json_.size() > limit_) return Text(kMore);
      ARROW_RETURN_NOT_OK(AppendJsonValue(values, i, &json_, limit_));
    }
    json_ += ']';
    return arrow::Status::OK();
  }

  const int64_t row_;
  std::string& json_;
  const size_t limit_;
};

}  // namespace

void AppendJsonNumber(float value, std::string* json) {
  AppendFloat(value, json);
}

void AppendJsonNumber(double value, std::string* json) {
  AppendFloat(value, json);
}

void AppendJsonString(std::string_view text, std::string* json) {
  *json += nlohmann::json(text).dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

arrow::Status AppendJsonValue(const arrow::Array& array, int64_t row, std::string* json, size_t limit) {
  if (array.IsNull(row)) {
    *json += "null";
    return arrow::Status::OK();
  }
  ValueWriter writer(row, json, limit);
  return arrow::VisitArrayInline(array, &writer);
}

arrow::Status AppendJsonMembers(const arrow::RecordBatch& rows, int64_t row, std::string* json) {
  for (int i = 0; i < rows.num_columns(); ++i) {
    if (i > 0) *json += ',';
    AppendJsonString(rows.column_name(i), json);
    *json += ':';
    ARROW_RETURN_NOT_OK(AppendJsonValue(*rows.column(i), row, json));
  }
  return arrow::Status::OK();
}

}  // namespace fewter::cli
