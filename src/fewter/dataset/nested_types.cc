#include "fewter/dataset/nested_types.h"

#include <utility>

#include <arrow/util/checked_cast.h>

namespace fewter {

std::shared_ptr<arrow::DataType> WithFields(const arrow::DataType& type, arrow::FieldVector fields) {
  switch (type.id()) {
    case arrow::Type::STRUCT:
      return arrow::struct_(fields);
    case arrow::Type::LIST:
      return arrow::list(std::move(fields.front()));
    case arrow::Type::LARGE_LIST:
      return arrow::large_list(std::move(fields.front()));
    case arrow::Type::MAP: {
      const bool is_sorted = arrow::internal::checked_cast<const arrow::MapType&>(type).keys_sorted();
      return std::make_shared<arrow::MapType>(std::move(fields.front()), is_sorted);
    }
    default:
      return nullptr;
  }
}

}  // namespace fewter
