#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/encoding/block_internal.h"
#include "fewter/lance/encoding/column_builder_internal.h"

/// Repetition and definition levels: how versions 2.1 and later store nulls and lists.
///
/// Every value has one pair of levels. So has every null or empty list, which has no value. The repetition level is 1
/// where a row starts and 0 where a list goes on; the definition level is 0 for a valid value and otherwise says what
/// is missing. A layout without one kind of level has none to tell: no lists, or no nulls.

namespace fewter::lance {

/// What the levels of a page mean. A level that does not occur is 0.
struct LevelMeaning {
  bool is_list = false;
  uint16_t null_value = 0;
  uint16_t null_list = 0;
  uint16_t empty_list = 0;
  uint16_t max_definition = 0;

  /// From a message's layers, innermost first. NotImplemented for anything but values, in structs or not, and
  /// one level of lists of them.
  static arrow::Result<LevelMeaning> FromLayers(std::span<const int> layers);

  /// Whether there is a value where this level stands: it has one even if it is null.
  bool HasValue(uint16_t definition) const { return definition == 0 || definition == null_value; }
};

/// The levels of some consecutive values; a kind that the page does not have is empty.
struct Levels {
  std::vector<uint16_t> repetition;
  std::vector<uint16_t> definition;
};

/// Appends the validity of values `range` of a page without lists.
arrow::Status AppendValidity(const LevelMeaning& meaning, std::span<const uint16_t> definition, ValueRange range,
                             ColumnBuilder* out);

/// Appends `count` lists and the validity of their items. Of the rows that start in `levels`, the first `skip` are left
/// out; so is the rest of an earlier row before them. `num_values` is how many values belong to all these levels.
///
/// Returns the range of those values that the lists have. Invalid if there are too few rows, or the levels are
/// malformed or do not stand for `num_values` values.
arrow::Result<ValueRange> AppendLists(const LevelMeaning& meaning, const Levels& levels, uint64_t skip, uint64_t count,
                                      uint64_t num_values, ColumnBuilder* out);

}  // namespace fewter::lance
