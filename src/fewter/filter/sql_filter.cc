#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include <arrow/array/builder_base.h>
#include <arrow/compute/api_scalar.h>
#include <arrow/util/value_parsing.h>

#include "fewter/filter/expressions_internal.h"
#include "fewter/filter/filter.h"
#include "fewter/filter/sql_arithmetic.h"
#include "fewter/filter/sql_compare.h"
#include "fewter/filter/sql_functions.h"
#include "fewter/filter/sql_lists.h"
#include "fewter/filter/sql_text.h"
#include "fewter/filter/sql_types.h"
#include "fewter/filter/sql_value.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/similar_names.h"

namespace fewter {

namespace {

using Json = nlohmann::json;
using Result = arrow::Result<SqlValue>;

/// How deep a condition may nest, AND and OR of several not counted: who walks the tree, Arrow included, uses the
/// stack.
constexpr int kMostLevels = 400;

int64_t LocationOf(const Json& node) {
  return node.value("location", int64_t{-1});
}

/// The texts of a list of String nodes.
std::vector<std::string> TextsOf(const Json& list) {
  std::vector<std::string> texts;
  for (const Json& item : list) {
    if (item.contains("String")) texts.push_back(item["String"].value("sval", ""));
  }
  return texts;
}

std::string ToLower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// One conversion of a tree, for one table.
class Conversion {
 public:
  Conversion(const SqlText& sql, const arrow::Schema& table) : sql_(sql), table_(table) {}

  Result Convert(const Json& node) {
    using Converter = Result (Conversion::*)(const Json&);
    static const std::map<std::string, Converter> converters = {
        {"A_Const", &Conversion::Constant},        {"ColumnRef", &Conversion::Column},
        {"A_Expr", &Conversion::Operation},        {"BoolExpr", &Conversion::Boolean},
        {"NullTest", &Conversion::NullTest},       {"BooleanTest", &Conversion::BooleanTest},
        {"TypeCast", &Conversion::TypeCast},       {"FuncCall", &Conversion::Function},
        {"CoalesceExpr", &Conversion::CoalesceOf}, {"A_Indirection", &Conversion::Indirection},
        {"A_ArrayExpr", &Conversion::List},        {"SQLValueFunction", &Conversion::Keyword},
    };
    if (!node.is_object() || node.size() != 1) return ArgumentError("filter: a part that is not supported");
    const auto only = node.begin();
    const std::string& kind = only.key();
    const Json& content = only.value();
    const auto found = converters.find(kind);
    if (found == converters.end()) return sql_.ErrorAt(LocationOf(content), Describe(kind), " is not supported");
    if (++level_ > kMostLevels) return sql_.ErrorAt(LocationOf(content), "more than ", kMostLevels, " levels");
    const bool takes_literals = takes_literals_;
    takes_literals_ = takes_literals && KeepsLiterals(kind, content);
    auto converted = (this->*found->second)(content);
    takes_literals_ = takes_literals;
    --level_;
    if (converted.ok() || !IsArgumentError(converted.status())) return converted;
    // The innermost that knows its place says it.
    const std::string& message = converted.status().message();
    if (message.starts_with("filter") || LocationOf(content) < 0) return converted;
    return sql_.ErrorAt(LocationOf(content), message);
  }

 private:
  static std::string Describe(const std::string& kind) {
    static const std::map<std::string, std::string> known = {
        {"CaseExpr", "CASE"},        {"SubLink", "a query inside a filter"}, {"RowExpr", "a row of values"},
        {"ParamRef", "a parameter"}, {"MinMaxExpr", "GREATEST or LEAST"},    {"CollateClause", "COLLATE"},
    };
    const auto found = known.find(kind);
    return found != known.end() ? found->second : kind;
  }

  /// Lance reads literals as values of the columns that they stand beside, but not below a NOT or within a call.
  static bool KeepsLiterals(const std::string& kind, const Json& content) {
    if (kind == "BoolExpr") return content.value("boolop", "") != "NOT_EXPR";
    if (kind == "ColumnRef" || kind == "A_Indirection") return true;
    if (kind != "A_Expr") return false;
    const auto names = TextsOf(content["name"]);
    return content.value("kind", "") != "AEXPR_OP" || (!names.empty() && IsComparison(names.back()));
  }

  static bool IsComparison(const std::string& name) {
    return name == "=" || name == "==" || name == "<>" || name == "<" || name == "<=" || name == ">" || name == ">=";
  }

  Result Number(const std::string& digits) {
    SqlValue value;
    int64_t integer = 0;
    uint64_t natural = 0;
    double number = 0;
    if (arrow::internal::ParseValue<arrow::Int64Type>(digits.data(), digits.size(), &integer)) {
      value = Literal(arrow::MakeScalar(integer));
    } else if (arrow::internal::ParseValue<arrow::UInt64Type>(digits.data(), digits.size(), &natural)) {
      value = Literal(arrow::MakeScalar(natural));
    } else if (arrow::internal::ParseValue<arrow::DoubleType>(digits.data(), digits.size(), &number)) {
      value = Literal(arrow::MakeScalar(number));
    } else {
      return ArgumentError("the number ", digits, " is too large");
    }
    value.digits = digits;
    return value;
  }

  Result Constant(const Json& node) {
    // What is 0, false or empty is left out of the tree.
    if (node.contains("ival")) return Integer(node);
    if (node.contains("fval")) return Number(node["fval"].value("fval", "0"));
    if (node.contains("boolval")) return Literal(arrow::MakeScalar(node["boolval"].value("boolval", false)));
    if (node.contains("isnull")) return NullLiteral();
    if (node.contains("sval")) {
      ARROW_ASSIGN_OR_RAISE(auto text, sql_.StringAt(LocationOf(node), node["sval"].value("sval", "")));
      return Literal(arrow::MakeScalar(std::move(text)));
    }
    const std::string bits = node.contains("bsval") ? node["bsval"].value("bsval", "") : "";
    if (!bits.starts_with('x')) return ArgumentError("this literal is not supported");
    return Hexadecimal(bits.substr(1));
  }

  Result Integer(const Json& node) {
    const Json& content = node["ival"];
    if (content.contains("ival")) return Number(std::to_string(content.value("ival", int64_t{0})));
    ARROW_ASSIGN_OR_RAISE(const auto digits, sql_.NegativeAt(LocationOf(node)));
    return Number(digits);
  }

  static Result Hexadecimal(std::string digits) {
    if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
    std::string bytes(digits.size() / 2, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) {
      uint8_t byte = 0;
      const char* pair = digits.data() + 2 * i;
      if (std::from_chars(pair, pair + 2, byte, 16).ptr != pair + 2) {
        return ArgumentError("a digit that is not hexadecimal");
      }
      bytes[i] = static_cast<char>(byte);
    }
    return Literal(std::make_shared<arrow::BinaryScalar>(std::move(bytes)));
  }

  Result Column(const Json& node) {
    const Json& parts = node["fields"];
    if (TextsOf(parts).size() != parts.size()) return ArgumentError("* is not supported");
    ARROW_ASSIGN_OR_RAISE(const auto names, sql_.NamesAt(LocationOf(node), parts.size()));
    std::vector<std::string> path = {ColumnCalled(names.front())};
    if (table_.GetFieldByName(path.front()) == nullptr) return NoColumn(names);
    for (size_t i = 1; i < names.size(); ++i) path.push_back(names[i].text);
    return At(path);
  }

  /// Who means a text may have forgotten its quotes.
  arrow::Status NoColumn(const std::vector<SqlText::Name>& names) const {
    const SqlText::Name& first = names.front();
    const bool may_be_text = names.size() == 1 && !first.is_quoted;
    return arrow::Status::KeyError("the dataset has no column '", first.text, "'",
                                   DidYouMean(first.text, table_.field_names()),
                                   may_be_text ? " (texts stand in single quotes)" : "");
  }

  /// CURRENT_DATE, USER and others.
  Result Keyword(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(const auto names, sql_.NamesAt(LocationOf(node), 1));
    const std::string& word = names.front().text;
    return ArgumentError("the keyword ", word, " is not supported; a column of that name is written `", word, "`");
  }

  /// A column's own name: without quotes, in any case if there is none in the same.
  std::string ColumnCalled(const SqlText::Name& name) const {
    if (name.is_quoted || table_.GetFieldByName(name.text) != nullptr) return name.text;
    for (const auto& field : table_.fields()) {
      if (ToLower(field->name()) == ToLower(name.text)) return field->name();
    }
    return name.text;
  }

  /// Of a column that there is. Values as they are compared: of dictionaries those that they stand for, of half floats
  /// floats.
  Result At(const std::vector<std::string>& path) const {
    auto field = table_.GetFieldByName(path.front());
    for (size_t i = 1; i < path.size(); ++i) {
      const auto* type = field->type().get();
      const int place =
          type->id() == arrow::Type::STRUCT ? static_cast<const arrow::StructType*>(type)->GetFieldIndex(path[i]) : -1;
      if (place < 0) {
        return arrow::Status::KeyError("'", path[i - 1], "' has no field '", path[i], "'",
                                       DidYouMean(path[i], arrow::schema(type->fields())->field_names()));
      }
      field = type->field(place);
    }
    SqlValue value{arrow::compute::field_ref(ReferenceOf(path)), field->type()};
    if (field->type()->id() == arrow::Type::DICTIONARY) {
      ARROW_ASSIGN_OR_RAISE(value, Cast(value, static_cast<const arrow::DictionaryType&>(*field->type()).value_type()));
    } else if (field->type()->id() == arrow::Type::HALF_FLOAT) {
      ARROW_ASSIGN_OR_RAISE(value, Cast(value, arrow::float32()));
    }
    value.path = path;
    value.takes_literals = takes_literals_;
    return value;
  }

  /// `column['field']`, `column[1]`, or `(column).field`.
  Result Indirection(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(auto value, Convert(node["arg"]));
    for (const Json& part : node["indirection"]) {
      if (part.contains("String")) {
        ARROW_ASSIGN_OR_RAISE(value, FieldOf(value, part["String"].value("sval", ""), false));
        continue;
      }
      if (!part.contains("A_Indices") || part["A_Indices"].contains("is_slice")) {
        return ArgumentError("of […] one field of a struct or one element of a list is supported");
      }
      ARROW_ASSIGN_OR_RAISE(const auto index, Convert(part["A_Indices"]["uidx"]));
      ARROW_ASSIGN_OR_RAISE(value, At(value, index));
    }
    return value;
  }

  Result At(const SqlValue& value, const SqlValue& index) const {
    if (index.literal == nullptr || index.type->id() != arrow::Type::STRING) return ListElement(value, index);
    return FieldOf(value, std::string(static_cast<const arrow::StringScalar&>(*index.literal).view()), true);
  }

  /// Of a name that the parser has put in lower case, there is no telling how it was written.
  Result FieldOf(const SqlValue& value, std::string name, bool is_exact) const {
    if (value.path.empty()) return ArgumentError("a field of what is no column");
    if (!is_exact && value.type->id() == arrow::Type::STRUCT) {
      const auto& fields = value.type->fields();
      const auto has = [&](const auto& same) { return std::any_of(fields.begin(), fields.end(), same); };
      if (!has([&](const auto& field) { return field->name() == name; })) {
        for (const auto& field : fields) name = ToLower(field->name()) == name ? field->name() : name;
      }
    }
    auto path = value.path;
    path.push_back(std::move(name));
    return At(path);
  }

  arrow::Result<std::vector<SqlValue>> ConvertAll(const Json& list) {
    std::vector<SqlValue> values;
    for (const Json& item : list) {
      ARROW_ASSIGN_OR_RAISE(values.emplace_back(), Convert(item));
    }
    return values;
  }

  Result Boolean(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(auto values, ConvertAll(node["args"]));
    const std::string operation = node.value("boolop", "");
    if (operation == "NOT_EXPR") return Not(values.front());
    return Junction(operation == "AND_EXPR", std::move(values));
  }

  Result NullTest(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(node["arg"]));
    if (node.value("nulltesttype", "") == "IS_NOT_NULL") return Call("is_valid", {value});
    return Call("is_null", {value}, std::make_shared<arrow::compute::NullOptions>(false));
  }

  Result BooleanTest(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(auto value, Convert(node["arg"]));
    const std::string test = node.value("booltesttype", "");
    ARROW_ASSIGN_OR_RAISE(value, Condition(std::move(value), "it is no boolean but "));
    if (test == "IS_UNKNOWN") return Call("is_null", {value});
    if (test == "IS_NOT_UNKNOWN") return Call("is_valid", {value});
    if (test.ends_with("FALSE")) {
      ARROW_ASSIGN_OR_RAISE(value, Not(value));
    }
    ARROW_ASSIGN_OR_RAISE(const auto is, Coalesce({value, Literal(arrow::MakeScalar(false))}));
    return test.starts_with("IS_NOT") ? Not(is) : is;
  }

  Result Operation(const Json& node) {
    const std::string kind = node.value("kind", "");
    const auto names = TextsOf(node["name"]);
    const std::string name = names.empty() ? "" : names.back();
    if (kind == "AEXPR_IN") return In(node, name == "<>");
    if (kind == "AEXPR_BETWEEN" || kind == "AEXPR_NOT_BETWEEN") return Between(node, kind == "AEXPR_NOT_BETWEEN");
    if (kind == "AEXPR_LIKE" || kind == "AEXPR_ILIKE") return LikePattern(node, name.starts_with('!'), kind);
    if (kind == "AEXPR_DISTINCT" || kind == "AEXPR_NOT_DISTINCT") return Distinct(node, kind == "AEXPR_DISTINCT");
    if (kind == "AEXPR_NULLIF") {
      ARROW_ASSIGN_OR_RAISE(const auto left, Convert(node["lexpr"]));
      ARROW_ASSIGN_OR_RAISE(const auto right, Convert(node["rexpr"]));
      return CallSqlFunction("nullif", {left, right});
    }
    if (kind != "AEXPR_OP") return ArgumentError(name, " (", kind, ") is not supported");
    if (!node.contains("lexpr")) return Unary(node, name);
    ARROW_ASSIGN_OR_RAISE(const auto left, Convert(node["lexpr"]));
    ARROW_ASSIGN_OR_RAISE(const auto right, Convert(node["rexpr"]));
    if (IsComparison(name)) return Compare(name == "==" ? "=" : name, left, right);
    if (name.size() == 1 && std::string_view("+-*/%").find(name) != std::string_view::npos) {
      return Calculate(name.front(), left, right);
    }
    if (name == "||") return Concatenate(left, right);
    return ArgumentError("the operator ", name, " is not supported");
  }

  Result Distinct(const Json& node, bool negated) {
    ARROW_ASSIGN_OR_RAISE(const auto left, Convert(node["lexpr"]));
    ARROW_ASSIGN_OR_RAISE(const auto right, Convert(node["rexpr"]));
    ARROW_ASSIGN_OR_RAISE(const auto same, IsSame(left, right));
    return negated ? Not(same) : same;
  }

  Result Unary(const Json& node, const std::string& name) {
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(node["rexpr"]));
    if (name == "+") return value;
    if (name != "-") return ArgumentError("the operator ", name, " is not supported");
    if (!value.digits.empty()) {
      return Number(value.digits.starts_with('-') ? value.digits.substr(1) : "-" + value.digits);
    }
    if (arrow::is_unsigned_integer(value.type->id())) {
      return Calculate('-', Literal(arrow::MakeScalar(int64_t{0})), value);
    }
    return Call("negate", {value});
  }

  Result Between(const Json& node, bool negated) {
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(node["lexpr"]));
    ARROW_ASSIGN_OR_RAISE(const auto bounds, ConvertAll(node["rexpr"]["List"]["items"]));
    if (bounds.size() != 2) return ArgumentError("BETWEEN takes two bounds");
    ARROW_ASSIGN_OR_RAISE(const auto from, Compare(">=", value, bounds[0]));
    ARROW_ASSIGN_OR_RAISE(const auto to, Compare("<=", value, bounds[1]));
    ARROW_ASSIGN_OR_RAISE(const auto between, Junction(true, {from, to}));
    return negated ? Not(between) : between;
  }

  Result LikePattern(const Json& node, bool negated, const std::string& kind) {
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(node["lexpr"]));
    const Json* pattern_node = &node["rexpr"];
    char escape = '\\';
    if (pattern_node->contains("FuncCall") &&
        TextsOf((*pattern_node)["FuncCall"]["funcname"]).back() == "like_escape") {
      const Json& arguments = (*pattern_node)["FuncCall"]["args"];
      ARROW_ASSIGN_OR_RAISE(const auto character, Convert(arguments[1]));
      const bool is_text = character.literal != nullptr && character.type->id() == arrow::Type::STRING;
      const std::string text = is_text ? character.literal->ToString() : "";
      if (text.size() != 1) return ArgumentError("ESCAPE takes one ASCII character");
      escape = text.front();
      pattern_node = &arguments[0];
    }
    ARROW_ASSIGN_OR_RAISE(const auto pattern, Convert(*pattern_node));
    auto like = Like(value, pattern, escape, kind == "AEXPR_ILIKE");
    if (!like.ok()) return ArgumentError("LIKE: ", like.status().message());
    return negated ? Not(*like) : like;
  }

  Result In(const Json& node, bool negated) {
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(node["lexpr"]));
    if (!node["rexpr"].contains("List")) return ArgumentError("IN takes a list of values");
    ARROW_ASSIGN_OR_RAISE(const auto values, ConvertAll(node["rexpr"]["List"]["items"]));
    ARROW_ASSIGN_OR_RAISE(auto is_in, LookUp(value, values));
    if (is_in.type == nullptr) {
      std::vector<SqlValue> equal;
      for (const SqlValue& one : values) {
        ARROW_ASSIGN_OR_RAISE(equal.emplace_back(), Compare("=", value, one));
      }
      ARROW_ASSIGN_OR_RAISE(is_in, Junction(false, std::move(equal)));
    }
    return negated ? Not(is_in) : is_in;
  }

  /// By a table of the values, if all are literals of the type; no type otherwise. Not of floats, whose zeros are equal
  /// and not the same.
  static Result LookUp(const SqlValue& value, const std::vector<SqlValue>& values) {
    if (value.literal != nullptr || arrow::is_nested(value.type->id()) || arrow::is_floating(value.type->id()))
      return SqlValue();
    std::unique_ptr<arrow::ArrayBuilder> builder;
    ARROW_RETURN_NOT_OK(arrow::MakeBuilder(arrow::default_memory_pool(), value.type, &builder));
    for (const SqlValue& one : values) {
      const auto coerced = one.literal != nullptr ? CoerceLiteral(one, value.type) : std::nullopt;
      if (!coerced || !coerced->type->Equals(*value.type)) return SqlValue();
      ARROW_RETURN_NOT_OK(builder->AppendScalar(*coerced->literal));
    }
    ARROW_ASSIGN_OR_RAISE(auto set, builder->Finish());
    return Call("is_in", {value},
                std::make_shared<arrow::compute::SetLookupOptions>(std::move(set),
                                                                   arrow::compute::SetLookupOptions::INCONCLUSIVE));
  }

  Result TypeCast(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(node["arg"]));
    const Json& name = node["typeName"];
    const int64_t location = LocationOf(name);
    // true and false are casts of texts in the parser's tree of some versions, without a place.
    const auto names = TextsOf(name["names"]);
    const auto written = sql_.NamesAt(location, 1);
    const std::string word = written.ok() ? ToLower(written->front().text) : names.empty() ? "" : names.back();
    std::vector<int64_t> numbers;
    for (const Json& modifier : name.value("typmods", Json::array())) {
      const bool is_number = modifier.contains("A_Const") && modifier["A_Const"].contains("ival");
      if (!is_number) return sql_.ErrorAt(location, "the type ", word, " takes plain numbers");
      numbers.push_back(modifier["A_Const"]["ival"].value("ival", int64_t{0}));
    }
    const bool is_plain = !name.contains("arrayBounds") && !name.contains("setof") && !name.contains("pct_type");
    const auto type = is_plain ? TypeCalled(word, names.empty() ? "" : names.back(), numbers) : nullptr;
    if (type == nullptr) return sql_.ErrorAt(location, "the type ", word, " is not supported");
    auto converted = Cast(value, type);
    if (!converted.ok()) return sql_.ErrorAt(location, converted.status().message());
    return converted;
  }

  Result Function(const Json& node) {
    const auto names = TextsOf(node["funcname"]);
    for (const char* clause :
         {"agg_order", "agg_filter", "over", "agg_within_group", "agg_star", "agg_distinct", "func_variadic"}) {
      if (node.contains(clause)) return ArgumentError("a function of one row's values is expected");
    }
    const std::string name = names.empty() ? "" : names.back();
    const Json given = node.value("args", Json::array());
    if (name == "extract" && given.size() == 2) return Extract(given);
    ARROW_ASSIGN_OR_RAISE(const auto arguments, ConvertAll(given));
    if (name == "get_field" && arguments.size() == 2) return At(arguments[0], arguments[1]);
    return CallSqlFunction(name, arguments);
  }

  /// The part's name is a word, which the parser makes a string of.
  Result Extract(const Json& arguments) {
    const Json part = arguments[0].value("A_Const", Json::object());
    ARROW_ASSIGN_OR_RAISE(const auto value, Convert(arguments[1]));
    const std::string name = part.contains("sval") ? part["sval"].value("sval", "") : "";
    return CallSqlFunction("extract", {Literal(arrow::MakeScalar(name)), value});
  }

  Result List(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(auto elements, ConvertAll(node.value("elements", Json::array())));
    return ListLiteral(std::move(elements));
  }

  Result CoalesceOf(const Json& node) {
    ARROW_ASSIGN_OR_RAISE(auto values, ConvertAll(node["args"]));
    return Coalesce(std::move(values));
  }

  const SqlText& sql_;
  const arrow::Schema& table_;
  int level_ = 0;
  /// Of a column that is met here.
  bool takes_literals_ = true;
};

class SqlFilter final : public Filter {
 public:
  explicit SqlFilter(std::string_view condition, SqlText sql)
      : Filter("sql " + std::string(condition)), sql_(std::move(sql)) {}

  arrow::Result<arrow::compute::Expression> Resolve(const arrow::Schema& table) const override {
    ARROW_RETURN_NOT_OK(EnsureComputeFunctions());
    ARROW_ASSIGN_OR_RAISE(const auto value, Conversion(sql_, table).Convert(sql_.tree()));
    if (!value.is_match) return value.expression;
    ARROW_ASSIGN_OR_RAISE(const auto condition, Condition(value, ""));
    return condition.expression;
  }

 private:
  const SqlText sql_;
};

}  // namespace

arrow::Result<std::shared_ptr<const Filter>> ParseFilter(std::string_view condition) {
  ARROW_ASSIGN_OR_RAISE(auto sql, SqlText::Parse(condition));
  return std::make_shared<SqlFilter>(condition, std::move(sql));
}

}  // namespace fewter
