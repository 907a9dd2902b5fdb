#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <nlohmann/json.hpp>

#include "fewter/util/argument_error.h"

namespace fewter {

/// A condition in SQL, taken apart by PostgreSQL's parser (libpg_query).
///
/// Lance writes two things otherwise than PostgreSQL: names stand in backticks, and what stands in double quotes is a
/// string. And it tells upper from lower case in names without quotes. So the parser gets a text in which the quotes
/// are exchanged, and names and strings are read from the original one, at the places that the parser gives. Lists are
/// `[1, 2]` there, and `ARRAY[1, 2]` in the text that the parser gets.
class SqlText {
 public:
  /// An argument error that says where, for what is not one condition.
  static arrow::Result<SqlText> Parse(std::string_view condition);

  /// The tree below WHERE, as libpg_query writes it in JSON.
  const nlohmann::json& tree() const { return tree_; }

  struct Name {
    std::string text;
    bool is_quoted = false;
  };
  /// The `count` names with dots between them at a place of the parser's.
  arrow::Result<std::vector<Name>> NamesAt(int64_t location, size_t count) const;

  /// The string literal at a place, of which the parser says `parsed`. Other forms of them than '…' and "…" are an
  /// argument error.
  arrow::Result<std::string> StringAt(int64_t location, std::string parsed) const;

  /// The digits of an integer literal that is not positive, with its sign: libpg_query 15-4.0.0 leaves them out.
  arrow::Result<std::string> NegativeAt(int64_t location) const;

  /// An argument error about what stands at a place, if it is known (not -1).
  template <typename... Parts>
  arrow::Status ErrorAt(int64_t location, Parts&&... parts) const {
    if (location < static_cast<int64_t>(kBefore.size())) {
      return ArgumentError("filter: ", std::forward<Parts>(parts)...);
    }
    return ArgumentError("filter, character ", CharacterAt(PlaceOf(location)), ": ", std::forward<Parts>(parts)...);
  }

 private:
  static constexpr std::string_view kBefore = "SELECT WHERE ";

  explicit SqlText(std::string_view condition) : text_(condition) {}

  arrow::Status Take(nlohmann::json parsed);
  /// A message of the parser's about a place: what it quotes from its text as that stands in the original.
  std::string WithOwnText(const std::string& message, int64_t location) const;
  /// The place in the original text of one in the parser's; its end if it is none.
  size_t PlaceOf(int64_t location) const;
  /// Counted from 1.
  int64_t CharacterAt(size_t byte) const;

  std::string text_;
  /// Where lists begin, ascending.
  std::vector<size_t> lists_;
  nlohmann::json tree_;
};

}  // namespace fewter
