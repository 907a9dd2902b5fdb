#include "fewter/lance/encoding/levels_internal.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "fewter/lance/proto/encodings_v2_1.pb.h"

namespace fewter::lance {

/// Walks over levels and appends the slots that they begin.
class LevelWalker {
 public:
  LevelWalker(const LevelMeaning& meaning, std::span<const RowRange> rows, ColumnBuilder* out)
      : meaning_(meaning),
        rows_(rows),
        ranges_(rows.size()),
        layers_(out->layers()),
        goes_on_(meaning.max_repetition_ + size_t{1}, false) {}

  arrow::Status Take(uint16_t repetition, uint16_t definition) {
    if (repetition > meaning_.max_repetition_ || definition > meaning_.max_definition()) {
      return arrow::Status::Invalid("levels out of range: ", repetition, ", ", definition);
    }
    if (repetition == meaning_.max_repetition_) StartRow();
    if (is_wanted_) ARROW_RETURN_NOT_OK(AppendSlots(repetition, definition));
    if (meaning_.HasValue(definition)) {
      if (is_wanted_ && ranges_[current_].length++ == 0) ranges_[current_].start = values_seen_;
      ++values_seen_;
    }
    return arrow::Status::OK();
  }

  arrow::Result<std::vector<ValueRange>> Finish(uint64_t num_values) {
    const uint64_t needed = rows_.empty() ? 0 : rows_.back().end();
    if (rows_started_ < needed) {
      return arrow::Status::Invalid("levels of ", rows_started_, " rows where ", needed, " are needed");
    }
    if (values_seen_ != num_values) {
      return arrow::Status::Invalid("levels of ", values_seen_, " values where there are ", num_values);
    }
    return std::move(ranges_);
  }

 private:
  void StartRow() {
    const uint64_t row = rows_started_++;
    while (current_ < rows_.size() && row >= rows_[current_].end()) ++current_;
    is_wanted_ = current_ < rows_.size() && row >= rows_[current_].start;
  }

  arrow::Status AppendSlots(uint16_t repetition, uint16_t definition) {
    const size_t outermost = meaning_.outermost_[repetition];
    if (repetition < meaning_.max_repetition_) {
      if (!goes_on_[repetition]) return arrow::Status::Invalid("a null or empty list that goes on");
      layers_[outermost + 1].ExtendList();
    }
    if (definition > 0 && meaning_.layer_of_[definition] > outermost) {
      return arrow::Status::Invalid("a list that goes on with a null or empty list around it");
    }
    uint16_t list = repetition;
    for (size_t i = outermost + 1; i-- > 0;) {
      const LevelMeaning::Layer& layer = meaning_.layers_[i];
      // A level about a layer further in leaves this one valid.
      const bool valid = definition < layer.first_null || (layer.is_list && definition == layer.empty);
      if (!layer.is_list) {
        layers_[i].validity().Append(valid);
        continue;
      }
      const bool has_items = valid && (definition == 0 || definition != layer.empty);
      layers_[i].AppendList(valid, has_items ? 1 : 0);
      --list;
      goes_on_[list] = has_items;
      if (has_items) continue;
      std::fill(goes_on_.begin(), goes_on_.begin() + list, false);
      break;
    }
    return arrow::Status::OK();
  }

  const LevelMeaning& meaning_;
  const std::span<const RowRange> rows_;
  /// The values of each range of rows.
  std::vector<ValueRange> ranges_;
  std::vector<LayerBuilder>& layers_;
  uint64_t rows_started_ = 0;
  uint64_t values_seen_ = 0;
  /// The first range that has not ended, and whether the row is in it.
  size_t current_ = 0;
  bool is_wanted_ = false;
  /// Whether the row may have more in its last list, by the repetition level that says so.
  std::vector<bool> goes_on_;
};

arrow::Result<LevelMeaning> LevelMeaning::FromLayers(std::span<const int> layers, const std::vector<bool>& lists,
                                                     const std::vector<uint64_t>& strides) {
  if (layers.size() != lists.size()) {
    return arrow::Status::Invalid("levels of ", layers.size(), " layers in a column that has ", lists.size());
  }
  LevelMeaning meaning;
  constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
  for (size_t i = 0; i < layers.size(); ++i) {
    Layer layer{layers[i] != pb::v2_1::ALL_VALID_ITEM && layers[i] != pb::v2_1::NULLABLE_ITEM, 0, kNever, strides[i]};
    if (layer.is_list != lists[i]) {
      return arrow::Status::Invalid("layer ", i, " is ", layer.is_list ? "" : "not ", "one of lists, unlike its type");
    }
    switch (layers[i]) {
      case pb::v2_1::ALL_VALID_ITEM:
      case pb::v2_1::ALL_VALID_LIST:
        break;
      case pb::v2_1::NULLABLE_ITEM:
      case pb::v2_1::NULLABLE_LIST:
        layer.first_null = static_cast<uint32_t>(meaning.layer_of_.size());
        meaning.layer_of_.push_back(i);
        break;
      case pb::v2_1::NULL_AND_EMPTY_LIST:
        layer.first_null = static_cast<uint32_t>(meaning.layer_of_.size());
        meaning.layer_of_.push_back(i);
        [[fallthrough]];
      case pb::v2_1::EMPTYABLE_LIST:
        layer.empty = static_cast<uint16_t>(meaning.layer_of_.size());
        meaning.layer_of_.push_back(i);
        break;
      default:
        return arrow::Status::NotImplemented("a layer of kind ", layers[i]);
    }
    if (layer.is_list) {
      meaning.outermost_.back() = i - 1;
      meaning.outermost_.push_back(i);
      ++meaning.max_repetition_;
    } else {
      meaning.outermost_.back() = i;
    }
    if (meaning.max_repetition_ == 0) meaning.max_visible_ = meaning.max_definition();
    meaning.layers_.push_back(layer);
  }
  uint32_t around = kNever;
  for (auto layer = meaning.layers_.rbegin(); layer != meaning.layers_.rend(); ++layer) {
    if (layer->first_null == kNever) layer->first_null = around;
    around = layer->first_null;
  }
  return meaning;
}

arrow::Status AppendValidity(const LevelMeaning& meaning, std::span<const uint16_t> definition, ValueRange range,
                             ColumnBuilder* out) {
  if (definition.empty()) {
    for (size_t i = 0; i < out->layers().size(); ++i) {
      out->layers()[i].validity().Append(true, range.length / meaning.layers_[i].stride);
    }
    return arrow::Status::OK();
  }
  if (definition.size() < range.start + range.length) {
    return arrow::Status::Invalid(definition.size(), " levels for ", range.start + range.length, " values");
  }
  const auto wanted = definition.subspan(range.start, range.length);
  const auto too_high = std::find_if(wanted.begin(), wanted.end(),
                                     [max = meaning.max_definition()](uint16_t level) { return level > max; });
  if (too_high != wanted.end()) return arrow::Status::Invalid("a definition level out of range: ", *too_high);
  for (size_t i = 0; i < out->layers().size(); ++i) {
    const LevelMeaning::Layer& layer = meaning.layers_[i];
    ValidityBuilder& validity = out->layers()[i].validity();
    validity.AppendEach(wanted.size() / layer.stride, [&, k = size_t{0}]() mutable {
      return wanted[std::exchange(k, k + layer.stride)] < layer.first_null;
    });
  }
  return arrow::Status::OK();
}

arrow::Result<std::vector<ValueRange>> AppendLists(const LevelMeaning& meaning, const Levels& levels,
                                                   std::span<const RowRange> rows, uint64_t num_values,
                                                   ColumnBuilder* out) {
  const auto& [repetition, definition] = levels;
  if (!definition.empty() && definition.size() != repetition.size()) {
    return arrow::Status::Invalid(repetition.size(), " repetition levels but ", definition.size(),
                                  " definition levels");
  }
  LevelWalker walker(meaning, rows, out);
  for (size_t i = 0; i < repetition.size(); ++i) {
    ARROW_RETURN_NOT_OK(walker.Take(repetition[i], definition.empty() ? uint16_t{0} : definition[i]));
  }
  return walker.Finish(num_values);
}

}  // namespace fewter::lance
