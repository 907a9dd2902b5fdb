#include "fewter/lance/encoding/levels_internal.h"

#include <algorithm>

#include "fewter/lance/proto/encodings_v2_1.pb.h"

namespace fewter::lance {
namespace {

/// Structs in one another; more is nobody's.
constexpr size_t kMaxLayers = 16;

/// Walks over levels and cuts them into lists.
class ListWalker {
 public:
  ListWalker(const LevelMeaning& meaning, uint64_t skip, uint64_t count, ColumnBuilder* out)
      : meaning_(meaning), skip_(skip), count_(count), out_(out) {}

  arrow::Status Take(uint16_t repetition, uint16_t definition) {
    if (repetition > 1 || definition > meaning_.max_definition) {
      return arrow::Status::Invalid("levels out of range: ", repetition, ", ", definition);
    }
    if (repetition == 1) {
      ARROW_RETURN_NOT_OK(FinishRow());
      ++rows_started_;
      length_ = 0;
      is_null_ = false;
      may_go_on_ = true;
    } else if (!may_go_on_) {
      return arrow::Status::Invalid("a null or empty list that goes on");
    }
    if (meaning_.HasValue(definition)) return TakeValue(definition);
    if (repetition == 0) return arrow::Status::Invalid("a null or empty list inside a list");
    is_null_ = definition == meaning_.null_list;
    may_go_on_ = false;
    return arrow::Status::OK();
  }

  arrow::Result<ValueRange> Finish(uint64_t num_values) {
    ARROW_RETURN_NOT_OK(FinishRow());
    if (rows_started_ < skip_ + count_) {
      return arrow::Status::Invalid("levels of ", rows_started_, " rows where ", skip_ + count_, " are needed");
    }
    if (values_seen_ != num_values) {
      return arrow::Status::Invalid("levels of ", values_seen_, " values where there are ", num_values);
    }
    return range_;
  }

 private:
  bool InWantedRow() const { return rows_started_ > skip_ && rows_started_ <= skip_ + count_; }

  arrow::Status FinishRow() { return InWantedRow() ? out_->AppendList(length_, !is_null_) : arrow::Status::OK(); }

  arrow::Status TakeValue(uint16_t definition) {
    if (InWantedRow()) {
      if (range_.length == 0) range_.start = values_seen_;
      ++range_.length;
      ++length_;
      out_->value_validity().Append(definition == 0);
    }
    ++values_seen_;
    return arrow::Status::OK();
  }

  const LevelMeaning& meaning_;
  const uint64_t skip_;
  const uint64_t count_;
  ColumnBuilder* out_;
  uint64_t rows_started_ = 0;
  uint64_t values_seen_ = 0;
  ValueRange range_;
  // The row that was started last. Before the first there may be the rest of one that started earlier.
  uint64_t length_ = 0;
  bool is_null_ = false;
  bool may_go_on_ = true;
};

}  // namespace

arrow::Result<LevelMeaning> LevelMeaning::FromLayers(std::span<const int> layers) {
  LevelMeaning meaning;
  if (layers.empty() || layers.size() > kMaxLayers) {
    return arrow::Status::NotImplemented("values nested ", layers.size(), " layers deep");
  }
  if (layers[0] == pb::v2_1::NULLABLE_ITEM) {
    meaning.null_value = ++meaning.max_definition;
  } else if (layers[0] != pb::v2_1::ALL_VALID_ITEM) {
    return arrow::Status::NotImplemented("an innermost layer of kind ", layers[0]);
  }
  if (layers.size() == 1) return meaning;
  const auto is_struct = [](int layer) {
    return layer == pb::v2_1::ALL_VALID_ITEM || layer == pb::v2_1::NULLABLE_ITEM;
  };
  if (std::all_of(layers.begin() + 1, layers.end(), is_struct)) {
    // A value inside a null struct is there, and is null by another level.
    meaning.max_definition +=
        static_cast<uint16_t>(std::count(layers.begin() + 1, layers.end(), pb::v2_1::NULLABLE_ITEM));
    return meaning;
  }
  if (layers.size() > 2) return arrow::Status::NotImplemented("lists and structs in one another");
  meaning.is_list = true;
  switch (layers[1]) {
    case pb::v2_1::ALL_VALID_LIST:
      break;
    case pb::v2_1::NULLABLE_LIST:
      meaning.null_list = ++meaning.max_definition;
      break;
    case pb::v2_1::EMPTYABLE_LIST:
      meaning.empty_list = ++meaning.max_definition;
      break;
    case pb::v2_1::NULL_AND_EMPTY_LIST:
      meaning.null_list = ++meaning.max_definition;
      meaning.empty_list = ++meaning.max_definition;
      break;
    default:
      return arrow::Status::NotImplemented("an outer layer that is not a list, of kind ", layers[1]);
  }
  return meaning;
}

arrow::Status AppendValidity(const LevelMeaning& meaning, std::span<const uint16_t> definition, ValueRange range,
                             ColumnBuilder* out) {
  if (definition.empty()) {
    out->value_validity().Append(true, range.length);
    return arrow::Status::OK();
  }
  if (definition.size() < range.start + range.length) {
    return arrow::Status::Invalid(definition.size(), " levels for ", range.start + range.length, " values");
  }
  for (const uint16_t level : definition.subspan(range.start, range.length)) {
    if (level > meaning.max_definition) return arrow::Status::Invalid("a definition level out of range: ", level);
    out->value_validity().Append(level == 0);
  }
  return arrow::Status::OK();
}

arrow::Result<ValueRange> AppendLists(const LevelMeaning& meaning, const Levels& levels, uint64_t skip, uint64_t count,
                                      uint64_t num_values, ColumnBuilder* out) {
  const auto& [repetition, definition] = levels;
  if (!definition.empty() && definition.size() != repetition.size()) {
    return arrow::Status::Invalid(repetition.size(), " repetition levels but ", definition.size(),
                                  " definition levels");
  }
  ListWalker walker(meaning, skip, count, out);
  for (size_t i = 0; i < repetition.size(); ++i) {
    ARROW_RETURN_NOT_OK(walker.Take(repetition[i], definition.empty() ? uint16_t{0} : definition[i]));
  }
  return walker.Finish(num_values);
}

}  // namespace fewter::lance
