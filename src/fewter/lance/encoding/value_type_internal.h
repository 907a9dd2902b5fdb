#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type.h>

namespace fewter::lance {

/// The Arrow type of a column's values, as far as they have a fixed width: a primitive type, or vectors of it.
struct ValueType {
  std::shared_ptr<arrow::DataType> primitive;
  /// The lengths of the fixed-size lists around the primitive, the outermost first; empty for plain primitives.
  std::vector<int32_t> dimensions;

  /// Primitives in one value: the product of the dimensions.
  uint64_t num_items() const;
  /// Bits of one value, as files count them: 1 for a bool.
  uint64_t bits() const;
  /// Bytes of one value while it is decoded: 1 for a bool.
  uint64_t bytes() const;
  std::shared_ptr<arrow::DataType> ToArrow() const;
};

/// Decodes Lance's name of a type, such as "int64" or "fixed_size_list:float:384". NotImplemented, naming the type, if
/// it is none of the above; Invalid if it is malformed.
arrow::Result<ValueType> ParseLogicalType(const std::string& logical_type);

/// The type for pages whose values have `bits` bits each. Old writers stored half floats in columns that their schema
/// calls float: the pages decide, within the floating-point types. Invalid for any other disagreement.
arrow::Result<ValueType> MatchPageWidth(const ValueType& type, uint64_t bits);

}  // namespace fewter::lance
