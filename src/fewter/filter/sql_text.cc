#include "fewter/filter/sql_text.h"

#include <algorithm>
#include <set>
#include <utility>

#include <arrow/util/utf8.h>
#include <pg_query.h>

namespace fewter {

namespace {

/// libpg_query's own recursion has no bound: a text of a million operators would overflow the stack. What nests has an
/// operator, a parenthesis or a word a level; lists of literals have neither, and may be long.
constexpr size_t kMostOperators = 10'000;

/// What the parser wants before a list.
constexpr std::string_view kArray = "ARRAY";

bool IsNameStart(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsNamePart(char c) {
  return IsNameStart(c) || IsDigit(c) || c == '$';
}
bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// Where the quoted text that begins at `begin` ends, behind its last quote; a quote in it is doubled. The end of the
/// text if it does not end.
size_t EndOfQuoted(std::string_view text, size_t begin) {
  const char quote = text[begin];
  size_t end = begin + 1;
  while (end < text.size()) {
    if (text[end++] != quote) continue;
    if (end == text.size() || text[end] != quote) return end;
    ++end;
  }
  return end;
}

/// What stands between quotes.
std::string Unquoted(std::string_view quoted) {
  std::string text;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    text.push_back(quoted[i]);
    if (quoted[i] == quoted.front()) ++i;
  }
  return text;
}

/// Quotes as PostgreSQL has them; what stood between quotes that are exchanged is put in again from the original.
std::string ForPostgres(std::string_view text) {
  std::string made(text);
  for (size_t i = 0; i < text.size();) {
    const char quote = text[i];
    if (quote != '\'' && quote != '"' && quote != '`') {
      ++i;
      continue;
    }
    const size_t end = EndOfQuoted(text, i);
    if (quote != '\'') {
      std::fill(made.begin() + static_cast<std::ptrdiff_t>(i), made.begin() + static_cast<std::ptrdiff_t>(end), '_');
      made[i] = quote == '"' ? '\'' : '"';
      if (end - i >= 2 && text[end - 1] == quote) made[end - 1] = made[i];
    }
    i = end;
  }
  return made;
}

/// Where a `[` begins a list: not behind a value that it would take an element of.
std::vector<size_t> BeginsOfLists(std::string_view text) {
  std::vector<size_t> begins;
  char before = '(';
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool is_quote = c == '\'' || c == '"' || c == '`';
    const bool follows_value = IsNamePart(before) || before == ')' || before == ']' || before == '\'';
    if (c == '[' && !follows_value) begins.push_back(i);
    if (!IsSpace(c)) before = is_quote ? '\'' : c;
    i = is_quote ? EndOfQuoted(text, i) : i + 1;
  }
  return begins;
}

std::string WithArrays(std::string text, const std::vector<size_t>& lists) {
  for (auto place = lists.rbegin(); place != lists.rend(); ++place) text.insert(*place, kArray);
  return text;
}

size_t CountOperators(std::string_view text) {
  size_t count = 0;
  char before = '(';
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    size_t end = i + 1;
    if (c == '\'' || c == '"' || c == '`') {
      end = EndOfQuoted(text, i);
    } else if (IsNameStart(c)) {
      while (end < text.size() && IsNamePart(text[end])) ++end;
      ++count;
    } else if (!IsSpace(c) && !IsDigit(c) && c != ',' && c != '.' && (c != '-' || before != ',')) {
      ++count;
    }
    if (!IsSpace(c)) before = c;
    i = end;
  }
  return count;
}

/// Those that continue a character begin with the bits 10.
bool BeginsCharacter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
}

/// Where a character, counted from 1, begins; behind all if there are fewer.
int64_t ByteOfCharacter(std::string_view text, int64_t character) {
  size_t byte = 0;
  for (; byte < text.size(); ++byte) {
    if (BeginsCharacter(text[byte]) && --character <= 0) break;
  }
  return static_cast<int64_t>(byte);
}

}  // namespace

arrow::Result<SqlText> SqlText::Parse(std::string_view condition) {
  SqlText sql(condition);
  if (condition.find('\0') != std::string_view::npos) return ArgumentError("filter: a text with a null byte");
  arrow::util::InitializeUTF8();
  if (!arrow::util::ValidateUTF8(condition)) return ArgumentError("filter: the text is not UTF-8");
  if (CountOperators(condition) > kMostOperators) {
    return ArgumentError("filter: more than ", kMostOperators, " names and operators; a list after IN may be longer");
  }
  sql.lists_ = BeginsOfLists(condition);
  const std::string text = std::string(kBefore) + WithArrays(ForPostgres(condition), sql.lists_);
  const PgQueryParseResult parsed = pg_query_parse(text.c_str());
  arrow::Status outcome;
  if (parsed.error != nullptr) {
    const int64_t location = ByteOfCharacter(text, parsed.error->cursorpos);
    const std::string message = sql.WithOwnText(parsed.error->message, location);
    const bool is_unterminated = message.starts_with("unterminated");
    outcome = sql.ErrorAt(location, message,
                          is_unterminated ? "" : " (names that are keywords, or not plain words, stand in backticks)");
  } else {
    outcome = sql.Take(nlohmann::json::parse(parsed.parse_tree, nullptr, false));
  }
  pg_query_free_parse_result(parsed);
  ARROW_RETURN_NOT_OK(outcome);
  return sql;
}

arrow::Status SqlText::Take(nlohmann::json parsed) {
  const auto not_one = [] { return ArgumentError("filter: a text that is not one condition, as after WHERE"); };
  if (parsed.is_discarded() || !parsed.contains("stmts") || parsed["stmts"].size() != 1) return not_one();
  nlohmann::json& statement = parsed["stmts"][0]["stmt"];
  if (!statement.contains("SelectStmt")) return not_one();
  nlohmann::json& select = statement["SelectStmt"];
  static const std::set<std::string> known = {"whereClause", "limitOption", "op"};
  for (const auto& [name, value] : select.items()) {
    if (!known.contains(name)) return not_one();
  }
  if (!select.contains("whereClause") || select.value("op", "SETOP_NONE") != "SETOP_NONE") return not_one();
  tree_ = std::move(select["whereClause"]);
  return arrow::Status::OK();
}

arrow::Result<std::vector<SqlText::Name>> SqlText::NamesAt(int64_t location, size_t count) const {
  const auto unreadable = [&] { return ErrorAt(location, "a name that is written in a way that is not supported"); };
  const std::string_view text = text_;
  size_t place = PlaceOf(location);
  const auto skip_spaces = [&] {
    while (place < text.size() && IsSpace(text[place])) ++place;
  };
  std::vector<Name> names;
  while (place < text.size()) {
    const size_t begin = place;
    if (text[begin] == '`') {
      place = EndOfQuoted(text, begin);
      names.push_back({Unquoted(text.substr(begin, place - begin)), true});
    } else if (IsNameStart(text[begin])) {
      while (place < text.size() && IsNamePart(text[place])) ++place;
      names.push_back({std::string(text.substr(begin, place - begin)), false});
    } else {
      break;
    }
    if (names.size() == count) return names;
    skip_spaces();
    if (place == text.size() || text[place] != '.') break;
    ++place;
    skip_spaces();
  }
  return unreadable();
}

arrow::Result<std::string> SqlText::StringAt(int64_t location, std::string parsed) const {
  const size_t place = PlaceOf(location);
  const char quote = place < text_.size() ? text_[place] : ' ';
  if (quote == '\'') return parsed;
  if (quote == '"') {
    const size_t end = EndOfQuoted(text_, place);
    // Unless the parser has joined it with another one.
    if (parsed.size() + 2 == end - place) return Unquoted(std::string_view(text_).substr(place, end - place));
  }
  return ErrorAt(location, "a string is one text in single quotes, without a letter before them");
}

arrow::Result<std::string> SqlText::NegativeAt(int64_t location) const {
  size_t place = PlaceOf(location);
  const auto is_before_digits = [](char c) { return IsSpace(c) || c == '-' || c == '('; };
  std::string digits;
  while (place < text_.size() && is_before_digits(text_[place])) ++place;
  while (place < text_.size() && IsDigit(text_[place])) digits.push_back(text_[place++]);
  if (digits.empty()) return ErrorAt(location, "a number that is written in a way that is not supported");
  return "-" + digits;
}

std::string SqlText::WithOwnText(const std::string& message, int64_t location) const {
  constexpr std::string_view kNear = " at or near \"";
  const size_t near = message.find(kNear);
  if (near == std::string::npos || !message.ends_with('"')) return message;
  const size_t quoted = message.size() - 1 - (near + kNear.size());
  const size_t begin = PlaceOf(location);
  size_t end = PlaceOf(location + static_cast<int64_t>(quoted));
  // The parser cuts characters of several bytes.
  while (end < text_.size() && !BeginsCharacter(text_[end])) ++end;
  // Where the parser has ARRAY there is only a bracket.
  const std::string own = text_.substr(begin, std::max<size_t>(end - begin, 1));
  const char* quote = own.find('"') == std::string::npos ? "\"" : "'";
  return message.substr(0, near) + " at or near " + quote + own + quote;
}

size_t SqlText::PlaceOf(int64_t location) const {
  const auto before = static_cast<int64_t>(kBefore.size());
  if (location < before) return text_.size();
  auto place = static_cast<size_t>(location - before);
  for (const size_t begin : lists_) {
    // Those before it have been taken out, so that here it stands where it does in the original.
    if (place <= begin) break;
    place -= std::min(place - begin, kArray.size());
  }
  return std::min(place, text_.size());
}

int64_t SqlText::CharacterAt(size_t byte) const {
  return 1 + std::count_if(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(byte), BeginsCharacter);
}

}  // namespace fewter
