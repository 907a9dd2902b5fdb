#include "fewter/filter/sql_functions.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include <arrow/compute/api_scalar.h>

#include "fewter/filter/list_has_internal.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using arrow::Type;
using Arguments = std::vector<SqlValue>;
using Result = arrow::Result<SqlValue>;

bool IsText(const SqlValue& value) {
  return arrow::is_string(value.type->id());
}

/// A text that is the same for all rows.
arrow::Result<std::string> TextOf(const SqlValue& value) {
  if (value.literal == nullptr || !IsText(value)) return ArgumentError("it must be a literal string");
  return value.literal->is_valid ? std::string(static_cast<const arrow::BaseBinaryScalar&>(*value.literal).view()) : "";
}

arrow::Status RequireText(const SqlValue& value) {
  if (IsText(value)) return arrow::Status::OK();
  return ArgumentError("it takes a string, and this is ", value.type->ToString());
}

Result NullBoolean() {
  return Literal(arrow::MakeNullScalar(arrow::boolean()));
}

/// Arrow's function by that name, of the same arguments.
auto Same(const char* function) {
  return [function](const Arguments& arguments) { return Call(function, arguments); };
}

/// The same for texts alone.
auto OfText(const char* function) {
  return [function](const Arguments& arguments) -> Result {
    ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
    return Call(function, arguments);
  };
}

/// Of numbers; integers become doubles.
auto OfDouble(const char* function) {
  return [function](const Arguments& arguments) -> Result {
    Arguments doubles;
    for (const SqlValue& argument : arguments) {
      if (!arrow::is_numeric(argument.type->id()) && !arrow::is_decimal(argument.type->id())) {
        return ArgumentError("it takes a number, and this is ", argument.type->ToString());
      }
      const bool stays = argument.type->id() == Type::FLOAT;
      ARROW_ASSIGN_OR_RAISE(doubles.emplace_back(), Cast(argument, stays ? arrow::float32() : arrow::float64()));
    }
    return Call(function, doubles);
  };
}

/// Whether a text holds a literal one.
auto Contains(const char* function) {
  return [function](const Arguments& arguments) -> Result {
    ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
    ARROW_ASSIGN_OR_RAISE(auto pattern, TextOf(arguments[1]));
    if (!arguments[1].literal->is_valid) return NullBoolean();
    return Call(function, {arguments[0]}, std::make_shared<arrow::compute::MatchSubstringOptions>(std::move(pattern)));
  };
}

/// As Lance has it in filters: false where there is nothing to match.
Result RegexpMatch(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto matches, Contains("match_substring_regex")(arguments));
  return Coalesce({matches, Literal(arrow::MakeScalar(false))});
}

auto Trim(const char* function) {
  return [function](const Arguments& arguments) -> Result {
    ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
    std::string characters = " ";
    if (arguments.size() == 2) {
      ARROW_ASSIGN_OR_RAISE(characters, TextOf(arguments[1]));
    }
    return Call(function, {arguments[0]}, std::make_shared<arrow::compute::TrimOptions>(std::move(characters)));
  };
}

Result Round(const Arguments& arguments) {
  int64_t digits = 0;
  if (arguments.size() == 2) {
    const auto& literal = arguments[1].literal;
    if (literal == nullptr || literal->type->id() != Type::INT64) {
      return ArgumentError("it takes a literal number of digits");
    }
    digits = static_cast<const arrow::Int64Scalar&>(*literal).value;
  }
  // Halves go away from zero.
  const auto options =
      std::make_shared<arrow::compute::RoundOptions>(digits, arrow::compute::RoundMode::HALF_TOWARDS_INFINITY);
  const bool stays = arguments[0].type->id() == Type::FLOAT;
  ARROW_ASSIGN_OR_RAISE(const auto number, Cast(arguments[0], stays ? arrow::float32() : arrow::float64()));
  return Call("round", {number}, options);
}

/// Nulls are left out.
Result Concat(const Arguments& arguments) {
  Arguments parts;
  for (const SqlValue& argument : arguments) {
    ARROW_RETURN_NOT_OK(RequireText(argument));
    ARROW_ASSIGN_OR_RAISE(parts.emplace_back(), Cast(argument, arrow::large_utf8()));
  }
  ARROW_ASSIGN_OR_RAISE(const auto separator, Cast(Literal(arrow::MakeScalar("")), arrow::large_utf8()));
  parts.push_back(separator);
  return Call("binary_join_element_wise", parts,
              std::make_shared<arrow::compute::JoinOptions>(arrow::compute::JoinOptions::REPLACE, ""));
}

Result DatePart(const Arguments& arguments) {
  static const std::map<std::string, const char*> functions = {
      {"year", "year"},     {"month", "month"},     {"day", "day"},       {"hour", "hour"},
      {"minute", "minute"}, {"quarter", "quarter"}, {"week", "iso_week"}, {"doy", "day_of_year"}};
  ARROW_ASSIGN_OR_RAISE(std::string part, TextOf(arguments[0]));
  std::transform(part.begin(), part.end(), part.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto found = functions.find(part);
  if (found == functions.end()) return ArgumentError("it does not know the part '", part, "'");
  return Call(found->second, {arguments[1]});
}

Result NullIf(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto equal, Compare("=", arguments[0], arguments[1]));
  return Call("if_else", {equal, Literal(arrow::MakeNullScalar(arguments[0].type)), arguments[0]});
}

/// Length of a string in characters, of binary in bytes.
Result Length(const Arguments& arguments) {
  return Call(IsText(arguments[0]) ? "utf8_length" : "binary_length", arguments);
}

Result ListHas(const Arguments& arguments) {
  const auto& type = *arguments[0].type;
  const bool is_list = arrow::is_list_like(type.id()) && type.id() != Type::MAP;
  if (!is_list) return ArgumentError("it takes a list, and this is ", type.ToString());
  const auto& element = static_cast<const arrow::BaseListType&>(type).value_type();
  if (arguments[1].literal == nullptr) return ArgumentError("the element must be a literal");
  const auto wanted = CoerceLiteral(arguments[1], element);
  if (!wanted || !wanted->type->Equals(*element)) return ArgumentError("the elements are ", element->ToString());
  return Call(kListHas, {arguments[0], *wanted});
}

struct SqlFunction {
  size_t fewest = 1;
  size_t most = 1;
  std::function<Result(const Arguments&)> call;
};

constexpr size_t kMany = std::numeric_limits<size_t>::max();

const std::map<std::string, SqlFunction>& Functions() {
  static const std::map<std::string, SqlFunction> functions = {
      {"lower", {1, 1, OfText("utf8_lower")}},
      {"upper", {1, 1, OfText("utf8_upper")}},
      {"reverse", {1, 1, OfText("utf8_reverse")}},
      {"length", {1, 1, Length}},
      {"char_length", {1, 1, Length}},
      {"character_length", {1, 1, Length}},
      {"octet_length", {1, 1, Same("binary_length")}},
      {"trim", {1, 2, Trim("utf8_trim")}},
      {"btrim", {1, 2, Trim("utf8_trim")}},
      {"ltrim", {1, 2, Trim("utf8_ltrim")}},
      {"rtrim", {1, 2, Trim("utf8_rtrim")}},
      {"starts_with", {2, 2, Contains("starts_with")}},
      {"ends_with", {2, 2, Contains("ends_with")}},
      {"contains", {2, 2, Contains("match_substring")}},
      {"regexp_like", {2, 2, Contains("match_substring_regex")}},
      {"regexp_match", {2, 2, RegexpMatch}},
      {"concat", {1, kMany, Concat}},
      {"coalesce", {1, kMany, Coalesce}},
      {"nullif", {2, 2, NullIf}},
      {"abs", {1, 1, Same("abs")}},
      {"sign", {1, 1, OfDouble("sign")}},
      {"signum", {1, 1, OfDouble("sign")}},
      {"round", {1, 2, Round}},
      {"ceil", {1, 1, OfDouble("ceil")}},
      {"floor", {1, 1, OfDouble("floor")}},
      {"trunc", {1, 1, OfDouble("trunc")}},
      {"sqrt", {1, 1, OfDouble("sqrt")}},
      {"exp", {1, 1, OfDouble("exp")}},
      {"ln", {1, 1, OfDouble("ln")}},
      {"log10", {1, 1, OfDouble("log10")}},
      {"log2", {1, 1, OfDouble("log2")}},
      {"power", {2, 2, OfDouble("power")}},
      {"pow", {2, 2, OfDouble("power")}},
      {"isnan", {1, 1, OfDouble("is_nan")}},
      {"is_valid", {1, 1, Same("is_valid")}},
      {"date_part", {2, 2, DatePart}},
      {"array_has", {2, 2, ListHas}},
      {"array_contains", {2, 2, ListHas}},
      {"list_has", {2, 2, ListHas}},
      {"list_contains", {2, 2, ListHas}},
      {"array_length", {1, 1, Same("list_value_length")}},
      {"cardinality", {1, 1, Same("list_value_length")}},
  };
  return functions;
}

/// A pattern in which a backslash escapes.
std::string WithBackslashes(const std::string& pattern, char escape) {
  std::string made;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == escape && i + 1 < pattern.size()) {
      made.push_back('\\');
      made.push_back(pattern[++i]);
    } else {
      if (pattern[i] == '\\') made.push_back('\\');
      made.push_back(pattern[i]);
    }
  }
  return made;
}

}  // namespace

Result CallSqlFunction(const std::string& name, const std::vector<SqlValue>& arguments) {
  const auto found = Functions().find(name);
  if (found == Functions().end()) return ArgumentError("the function ", name, " is not supported");
  const SqlFunction& function = found->second;
  if (arguments.size() < function.fewest || arguments.size() > function.most) {
    return ArgumentError("the function ", name, " does not take ", arguments.size(), " arguments");
  }
  auto called = function.call(arguments);
  if (called.ok()) return called;
  return ArgumentError("the function ", name, ": ", called.status().message());
}

Result Like(const SqlValue& value, const SqlValue& pattern, char escape, bool ignore_case) {
  if (pattern.literal != nullptr && !pattern.literal->is_valid) return NullBoolean();
  ARROW_RETURN_NOT_OK(RequireText(value));
  ARROW_ASSIGN_OR_RAISE(auto text, TextOf(pattern));
  if (escape != '\\') text = WithBackslashes(text, escape);
  return Call("match_like", {value},
              std::make_shared<arrow::compute::MatchSubstringOptions>(std::move(text), ignore_case));
}

Result Coalesce(std::vector<SqlValue> values) {
  for (size_t i = 1; i < values.size(); ++i) ARROW_RETURN_NOT_OK(Unify(&values[0], &values[i]));
  for (size_t i = 1; i < values.size(); ++i) ARROW_RETURN_NOT_OK(Unify(&values[0], &values[i]));
  return Call("coalesce", values);
}

}  // namespace fewter
