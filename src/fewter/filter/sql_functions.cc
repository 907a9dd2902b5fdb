#include "fewter/filter/sql_functions.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <arrow/compute/api_scalar.h>

#include "fewter/filter/common_type.h"
#include "fewter/filter/functions_internal.h"
#include "fewter/filter/sql_compare.h"
#include "fewter/filter/sql_dates.h"
#include "fewter/filter/sql_lists.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using arrow::Type;
using Arguments = std::vector<SqlValue>;
using Result = arrow::Result<SqlValue>;

bool IsText(const SqlValue& value) {
  return fewter::IsText(*value.type);
}

bool IsConstant(const SqlValue& value) {
  return arrow::compute::FieldsInExpression(value.expression).empty();
}

/// A text that is the same for all rows; nothing if it is null.
arrow::Result<std::optional<std::string>> TextOrNull(const SqlValue& value) {
  if (!IsConstant(value) || (!IsText(value) && value.type->id() != Type::NA)) {
    return ArgumentError("it must be a literal string");
  }
  ARROW_ASSIGN_OR_RAISE(const auto constant, Fold(value));
  if (!constant.literal->is_valid) return std::nullopt;
  return std::string(static_cast<const arrow::BaseBinaryScalar&>(*constant.literal).view());
}

/// The same; empty if it is null.
arrow::Result<std::string> TextOf(const SqlValue& value) {
  ARROW_ASSIGN_OR_RAISE(auto text, TextOrNull(value));
  return std::move(text).value_or("");
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
      if (!IsNumber(*argument.type)) {
        return ArgumentError("it takes a number, and this is ", argument.type->ToString());
      }
      const bool stays = argument.type->id() == Type::FLOAT;
      ARROW_ASSIGN_OR_RAISE(doubles.emplace_back(), Cast(argument, stays ? arrow::float32() : arrow::float64()));
    }
    return Call(function, doubles);
  };
}

/// A function of ours, of two texts.
Result OfTwoTexts(const char* function, const SqlValue& text, const SqlValue& other) {
  ARROW_RETURN_NOT_OK(RequireText(text));
  ARROW_RETURN_NOT_OK(RequireText(other));
  ARROW_ASSIGN_OR_RAISE(const auto left, Cast(text, arrow::large_utf8()));
  ARROW_ASSIGN_OR_RAISE(const auto right, Cast(other, arrow::large_utf8()));
  return Call(function, {left, right});
}

/// Whether a text holds another one: Arrow's function if that is the same for all rows.
auto Contains(const char* function, const char* function_of_two) {
  return [=](const Arguments& arguments) -> Result {
    if (!IsConstant(arguments[1])) return OfTwoTexts(function_of_two, arguments[0], arguments[1]);
    ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
    ARROW_ASSIGN_OR_RAISE(auto pattern, TextOrNull(arguments[1]));
    if (!pattern) return NullBoolean();
    return Call(function, {arguments[0]}, std::make_shared<arrow::compute::MatchSubstringOptions>(*std::move(pattern)));
  };
}

Result RegexpLike(const Arguments& arguments) {
  std::string flags;
  if (arguments.size() == 3) {
    ARROW_ASSIGN_OR_RAISE(flags, TextOf(arguments[2]));
    if (flags.find_first_not_of('i') != std::string::npos) return ArgumentError("it knows the flag 'i' only");
  }
  ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
  ARROW_ASSIGN_OR_RAISE(auto pattern, TextOrNull(arguments[1]));
  if (!pattern) return NullBoolean();
  return Call("match_substring_regex", {arguments[0]},
              std::make_shared<arrow::compute::MatchSubstringOptions>(*std::move(pattern), !flags.empty()));
}

/// Lance has a list of what was matched, or null; of it no more can be asked than whether there is one.
Result RegexpMatch(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto matches, RegexpLike(arguments));
  ARROW_ASSIGN_OR_RAISE(auto match, Call("if_else", {matches, Literal(arrow::MakeScalar(true)),
                                                     Literal(arrow::MakeNullScalar(arrow::boolean()))}));
  match.is_match = true;
  return match;
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
  const bool stays = arguments[0].type->id() == Type::FLOAT || arrow::is_decimal(arguments[0].type->id());
  ARROW_ASSIGN_OR_RAISE(const auto number, Cast(arguments[0], stays ? arguments[0].type : arrow::float64()));
  return Call("round", {number}, options);
}

/// Nulls are left out.
Result Concat(const Arguments& arguments) {
  Arguments parts;
  for (const SqlValue& argument : arguments) {
    ARROW_ASSIGN_OR_RAISE(parts.emplace_back(), Cast(argument, arrow::large_utf8()));
  }
  ARROW_ASSIGN_OR_RAISE(const auto separator, Cast(Literal(arrow::MakeScalar("")), arrow::large_utf8()));
  parts.push_back(separator);
  return Call("binary_join_element_wise", parts,
              std::make_shared<arrow::compute::JoinOptions>(arrow::compute::JoinOptions::REPLACE, ""));
}

/// Of a negative number NaN with a sign, as processors and so Lance have it; Arrow's has none.
Result SquareRoot(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto root, OfDouble("sqrt")(arguments));
  ARROW_ASSIGN_OR_RAISE(const auto is_negative, Compare("<", arguments[0], Literal(arrow::MakeScalar(int64_t{0}))));
  ARROW_ASSIGN_OR_RAISE(const auto negated, Call("negate", {root}));
  return Call("if_else", {is_negative, negated, root});
}

/// To a base, or to 10.
Result Logarithm(const Arguments& arguments) {
  if (arguments.size() == 1) return OfDouble("log10")(arguments);
  return OfDouble("logb")({arguments[1], arguments[0]});
}

Result NanTo(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto is_nan, OfDouble("is_nan")({arguments[0]}));
  ARROW_ASSIGN_OR_RAISE(const auto instead, Cast(arguments[1], arguments[0].type));
  return Call("if_else", {is_nan, instead, arguments[0]});
}

Result PartOfDate(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const std::string part, TextOf(arguments[0]));
  return DatePart(part, arguments[1]);
}

Result TruncatedDate(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const std::string part, TextOf(arguments[0]));
  return DateTrunc(part, arguments[1]);
}

Result NullIf(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto equal, Compare("=", arguments[0], arguments[1]));
  return Call("if_else", {equal, Literal(arrow::MakeNullScalar(arguments[0].type)), arguments[0]});
}

/// Length of a string in characters, of binary in bytes, of other values of what they are as strings.
Result Length(const Arguments& arguments) {
  if (IsBytes(*arguments[0].type) || arguments[0].type->id() == Type::FIXED_SIZE_BINARY) {
    return Call(IsText(arguments[0]) ? "utf8_length" : "binary_length", arguments);
  }
  if (IsList(*arguments[0].type)) return ArgumentError("it takes a string, and this is a list");
  ARROW_ASSIGN_OR_RAISE(const auto text, Cast(arguments[0], arrow::utf8()));
  return Call("utf8_length", {text});
}

Result LengthOfList(const Arguments& arguments) {
  if (arguments.size() == 2) {
    const auto& dimension = arguments[1].literal;
    const bool is_first = dimension != nullptr && dimension->Equals(arrow::Int64Scalar(1));
    if (!is_first) return ArgumentError("it knows the first dimension only");
  }
  return ListLength(arguments[0]);
}

Result IsEmpty(const Arguments& arguments) {
  ARROW_ASSIGN_OR_RAISE(const auto length, ListLength(arguments[0]));
  return Compare("=", length, Literal(arrow::MakeScalar(int64_t{0})));
}

/// A literal number of characters.
arrow::Result<int64_t> CountOf(const SqlValue& value) {
  if (value.literal != nullptr && value.literal->is_valid && value.type->id() == Type::INT64) {
    return static_cast<const arrow::Int64Scalar&>(*value.literal).value;
  }
  return ArgumentError("it takes a literal number of characters");
}

Result Characters(const SqlValue& text, int64_t start, int64_t stop) {
  return Call("utf8_slice_codeunits", {text}, std::make_shared<arrow::compute::SliceOptions>(start, stop));
}

/// A negative number leaves out so many at the other end.
Result Left(const Arguments& arguments) {
  ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
  ARROW_ASSIGN_OR_RAISE(const int64_t count, CountOf(arguments[1]));
  return Characters(arguments[0], 0, count);
}

Result Right(const Arguments& arguments) {
  ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
  ARROW_ASSIGN_OR_RAISE(const int64_t count, CountOf(arguments[1]));
  if (count == 0) return Characters(arguments[0], 0, 0);
  return Characters(arguments[0], -count, std::numeric_limits<int64_t>::max());
}

Result Replace(const Arguments& arguments) {
  ARROW_RETURN_NOT_OK(RequireText(arguments[0]));
  ARROW_ASSIGN_OR_RAISE(auto pattern, TextOf(arguments[1]));
  ARROW_ASSIGN_OR_RAISE(auto by, TextOf(arguments[2]));
  if (pattern.empty()) return ArgumentError("it takes a text to replace that is not empty");
  return Call("replace_substring", {arguments[0]},
              std::make_shared<arrow::compute::ReplaceSubstringOptions>(std::move(pattern), std::move(by)));
}

Result Has(const Arguments& arguments) {
  return ListHas(arguments[0], arguments[1]);
}

auto HasSome(bool all) {
  return [all](const Arguments& arguments) { return ListHasSome(all, arguments[0], arguments[1]); };
}

Result Element(const Arguments& arguments) {
  return ListElement(arguments[0], arguments[1]);
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
      {"starts_with", {2, 2, Contains("starts_with", kTextStartsWith)}},
      {"ends_with", {2, 2, Contains("ends_with", kTextEndsWith)}},
      {"contains", {2, 2, Contains("match_substring", kTextContains)}},
      {"regexp_like", {2, 3, RegexpLike}},
      {"regexp_match", {2, 3, RegexpMatch}},
      {"left", {2, 2, Left}},
      {"right", {2, 2, Right}},
      {"replace", {3, 3, Replace}},
      {"concat", {1, kMany, Concat}},
      {"coalesce", {1, kMany, Coalesce}},
      {"nvl", {2, 2, Coalesce}},
      {"ifnull", {2, 2, Coalesce}},
      {"nullif", {2, 2, NullIf}},
      {"abs", {1, 1, Same("abs")}},
      {"sign", {1, 1, OfDouble("sign")}},
      {"signum", {1, 1, OfDouble("sign")}},
      {"round", {1, 2, Round}},
      {"ceil", {1, 1, OfDouble("ceil")}},
      {"floor", {1, 1, OfDouble("floor")}},
      {"trunc", {1, 1, OfDouble("trunc")}},
      {"sqrt", {1, 1, SquareRoot}},
      {"exp", {1, 1, OfDouble("exp")}},
      {"ln", {1, 1, OfDouble("ln")}},
      {"log10", {1, 1, OfDouble("log10")}},
      {"log2", {1, 1, OfDouble("log2")}},
      {"log", {1, 2, Logarithm}},
      {"sin", {1, 1, OfDouble("sin")}},
      {"cos", {1, 1, OfDouble("cos")}},
      {"tan", {1, 1, OfDouble("tan")}},
      {"asin", {1, 1, OfDouble("asin")}},
      {"acos", {1, 1, OfDouble("acos")}},
      {"atan", {1, 1, OfDouble("atan")}},
      {"atan2", {2, 2, OfDouble("atan2")}},
      {"nanvl", {2, 2, NanTo}},
      {"power", {2, 2, OfDouble("power")}},
      {"pow", {2, 2, OfDouble("power")}},
      {"isnan", {1, 1, OfDouble("is_nan")}},
      {"is_valid", {1, 1, Same("is_valid")}},
      {"date_part", {2, 2, PartOfDate}},
      {"datepart", {2, 2, PartOfDate}},
      {"extract", {2, 2, PartOfDate}},
      {"date_trunc", {2, 2, TruncatedDate}},
      {"array_has", {2, 2, Has}},
      {"array_contains", {2, 2, Has}},
      {"list_has", {2, 2, Has}},
      {"list_contains", {2, 2, Has}},
      {"array_has_any", {2, 2, HasSome(false)}},
      {"list_has_any", {2, 2, HasSome(false)}},
      {"arrays_overlap", {2, 2, HasSome(false)}},
      {"array_has_all", {2, 2, HasSome(true)}},
      {"list_has_all", {2, 2, HasSome(true)}},
      {"make_array", {0, kMany, ListLiteral}},
      {"make_list", {0, kMany, ListLiteral}},
      {"array_element", {2, 2, Element}},
      {"list_element", {2, 2, Element}},
      {"array_length", {1, 2, LengthOfList}},
      {"list_length", {1, 2, LengthOfList}},
      {"cardinality", {1, 1, LengthOfList}},
      {"empty", {1, 1, IsEmpty}},
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
  if (pattern.type->id() == Type::NA) return NullBoolean();
  ARROW_RETURN_NOT_OK(RequireText(value));
  if (!IsConstant(pattern)) {
    ARROW_RETURN_NOT_OK(RequireText(pattern));
    if (escape != '\\') return ArgumentError("with ESCAPE the pattern must be a literal string");
    if (!ignore_case) return OfTwoTexts(kTextLike, value, pattern);
    ARROW_ASSIGN_OR_RAISE(const auto lower, Call("utf8_lower", {value}));
    ARROW_ASSIGN_OR_RAISE(const auto lower_pattern, Call("utf8_lower", {pattern}));
    return OfTwoTexts(kTextLike, lower, lower_pattern);
  }
  ARROW_ASSIGN_OR_RAISE(auto text, TextOrNull(pattern));
  if (!text) return NullBoolean();
  if (escape != '\\') text = WithBackslashes(*text, escape);
  return Call("match_like", {value},
              std::make_shared<arrow::compute::MatchSubstringOptions>(*std::move(text), ignore_case));
}

Result Concatenate(const SqlValue& left, const SqlValue& right) {
  const auto is_null = [](const SqlValue& value) { return value.type->id() == Type::NA; };
  if (!IsText(left) && !IsText(right) && !is_null(left) && !is_null(right)) {
    return ArgumentError("|| joins texts, and these are ", left.type->ToString(), " and ", right.type->ToString());
  }
  ARROW_ASSIGN_OR_RAISE(const auto joined, CallSqlFunction("concat", {left, right}));
  ARROW_ASSIGN_OR_RAISE(const auto has_left, Call("is_valid", {left}));
  ARROW_ASSIGN_OR_RAISE(const auto has_right, Call("is_valid", {right}));
  ARROW_ASSIGN_OR_RAISE(const auto has_both, Junction(true, {has_left, has_right}));
  return Call("if_else", {has_both, joined, Literal(arrow::MakeNullScalar(joined.type))});
}

}  // namespace fewter
