#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/encoding/block_internal.h"
#include "fewter/lance/encoding/column_builder_internal.h"
#include "fewter/lance/file_metadata.h"

/// Repetition and definition levels: how versions 2.1 and later store nulls and lists.
///
/// Every value has one pair of levels. So has every null or empty list, which has no value. The repetition level says
/// what begins with it: 0 a value, k the k-th list from the inside, so that the highest level begins a row. The
/// definition level is 0 for a valid value and otherwise says what is missing: the value, or a struct or a list around
/// it. A layout without one kind of level has none to tell: no lists, or nothing missing.

namespace fewter::lance {

/// What the levels of a page mean.
class LevelMeaning {
 public:
  LevelMeaning() = default;

  /// From a message's layers, innermost first. Invalid if they are malformed or do not match `lists`, which says for
  /// each layer of the column whether it is one of lists. `strides` are how many pairs of levels each layer has for a
  /// slot: more than 1 for fixed-size lists of structs and what is around them.
  static arrow::Result<LevelMeaning> FromLayers(std::span<const int> layers, const std::vector<bool>& lists,
                                                const std::vector<uint64_t>& strides);

  bool has_lists() const { return max_repetition_ > 0; }
  bool has_nulls() const { return layer_of_.size() > 1; }
  uint16_t max_repetition() const { return max_repetition_; }
  uint16_t max_definition() const { return static_cast<uint16_t>(layer_of_.size() - 1); }
  /// Values of a row, in columns without lists.
  uint64_t values_per_row() const { return layers_.empty() ? 1 : layers_.back().stride; }
  /// Whether there is a value where this level stands: it has one even if it, or a struct around it, is null.
  bool HasValue(uint16_t definition) const { return definition <= max_visible_; }
  /// The same, but for values that are stored only if they are valid.
  static bool HasValidValue(uint16_t definition) { return definition == 0; }

 private:
  friend class LevelWalker;
  friend arrow::Status AppendValidity(const LevelMeaning& meaning, std::span<const uint16_t> definition,
                                      ValueRange range, ColumnBuilder* out);

  struct Layer {
    bool is_list = false;
    /// The level of an empty list; 0 if none is.
    uint16_t empty = 0;
    /// From this level on the layer's slot is null: its own, or that of the next layer around it that may be.
    uint32_t first_null = 0;
    uint64_t stride = 1;
  };

  std::vector<Layer> layers_;
  /// The layer that a definition level is about, by the level. That of level 0 counts for nothing.
  std::vector<size_t> layer_of_ = {0};
  /// The outermost layer that begins anew, by the repetition level.
  std::vector<size_t> outermost_ = {0};
  uint16_t max_repetition_ = 0;
  /// The highest definition level of those that have a value.
  uint16_t max_visible_ = 0;
};

/// The levels of some consecutive values; a kind that the page does not have is empty.
struct Levels {
  std::vector<uint16_t> repetition;
  std::vector<uint16_t> definition;
};

/// Appends what the definition levels of the values `range` say to the layers of a column without lists. The range is
/// one of whole rows.
arrow::Status AppendValidity(const LevelMeaning& meaning, std::span<const uint16_t> definition, ValueRange range,
                             ColumnBuilder* out);

/// Appends rows to the layers of a column with lists: ranges of those that start in `levels`, ascending and apart. The
/// rest of an earlier row before them does not count. `num_values` is how many values belong to all these levels.
///
/// Returns which of those values each range has. Invalid if there are too few rows, or the levels are malformed or do
/// not stand for `num_values` values.
arrow::Result<std::vector<ValueRange>> AppendLists(const LevelMeaning& meaning, const Levels& levels,
                                                   std::span<const RowRange> rows, uint64_t num_values,
                                                   ColumnBuilder* out);

}  // namespace fewter::lance
