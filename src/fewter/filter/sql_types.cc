#include "fewter/filter/sql_types.h"

#include <map>
#include <optional>

namespace fewter {

namespace {

using Type = std::shared_ptr<arrow::DataType>;

Type TimestampOf(const std::vector<int64_t>& numbers) {
  static const std::map<int64_t, arrow::TimeUnit::type> units = {{0, arrow::TimeUnit::SECOND},
                                                                 {3, arrow::TimeUnit::MILLI},
                                                                 {6, arrow::TimeUnit::MICRO},
                                                                 {9, arrow::TimeUnit::NANO}};
  if (numbers.size() > 1) return nullptr;
  const auto found = units.find(numbers.empty() ? 6 : numbers.front());
  return found != units.end() ? arrow::timestamp(found->second) : nullptr;
}

Type DecimalOf(const std::vector<int64_t>& numbers) {
  if (numbers.size() != 2 || numbers[0] < 1 || numbers[0] > arrow::Decimal128Type::kMaxPrecision) return nullptr;
  if (numbers[1] < 0 || numbers[1] > numbers[0]) return nullptr;
  return arrow::decimal128(static_cast<int32_t>(numbers[0]), static_cast<int32_t>(numbers[1]));
}

}  // namespace

Type TypeCalled(const std::string& word, const std::string& meaning, const std::vector<int64_t>& numbers) {
  if (word == "timestamp" || word == "datetime") return meaning == "timestamptz" ? nullptr : TimestampOf(numbers);
  if (word == "decimal" || word == "numeric") return DecimalOf(numbers);
  static const std::map<std::string, Type> types = {
      {"boolean", arrow::boolean()}, {"bool", arrow::boolean()},  {"tinyint", arrow::int8()},
      {"smallint", arrow::int16()},  {"int", arrow::int32()},     {"integer", arrow::int32()},
      {"bigint", arrow::int64()},    {"float", arrow::float32()}, {"real", arrow::float32()},
      {"double", arrow::float64()},  {"string", arrow::utf8()},   {"text", arrow::utf8()},
      {"varchar", arrow::utf8()},    {"binary", arrow::binary()}, {"bytea", arrow::binary()},
      {"date", arrow::date32()},     {"int16", arrow::int16()},   {"int32", arrow::int32()},
      {"int64", arrow::int64()},     {"uint8", arrow::uint8()},   {"uint16", arrow::uint16()},
      {"uint32", arrow::uint32()},   {"uint64", arrow::uint64()}, {"float32", arrow::float32()},
      {"float64", arrow::float64()},
  };
  const auto found = types.find(word);
  return found != types.end() && numbers.empty() ? found->second : nullptr;
}

}  // namespace fewter
