#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type.h>

namespace fewter::lance {

/// The Arrow type of the values of one file column: what pages hold once nulls, lists and structs are taken away.
///
/// That is a type of fixed width, vectors of one, strings or bytes, or structs that are packed into one value.
struct ValueType {
  /// Of one value, or of one element of a vector.
  std::shared_ptr<arrow::DataType> primitive;
  /// The lengths of the fixed-size lists around the primitive, the outermost first; empty for plain primitives.
  std::vector<int32_t> dimensions;
  /// The fields of a packed struct, none of which is ever null; empty for anything else.
  std::vector<ValueType> members;
  /// Set if the values are dictionary-encoded in memory; `primitive` is the type of what they stand for.
  std::shared_ptr<arrow::DataType> dictionary;

  /// Values have lengths of their own.
  bool is_variable() const;
  /// There is nothing to store but whether there is a value: nulls, and structs without fields.
  bool is_empty() const;
  /// Primitives in one value: the product of the dimensions.
  uint64_t num_items() const;
  /// Bits of one value, as files count them: 1 for a bool, 0 if it is empty. Requires that it is not variable.
  uint64_t bits() const;
  /// Bytes of one value while it is decoded: a bool has one, and so has an empty one.
  uint64_t bytes() const;
  std::shared_ptr<arrow::DataType> ToArrow() const;
};

/// Decodes Lance's name of a type, such as "int64" or "fixed_size_list:float:384". NotImplemented, naming the type, if
/// it is none of the above (so for structs and lists); Invalid if it is malformed.
arrow::Result<ValueType> ParseLogicalType(const std::string& logical_type);

/// The type for pages whose values have `bits` bits each. Old writers stored half floats in columns that their schema
/// calls float: the pages decide, within the floating-point types. Invalid for any other disagreement.
arrow::Result<ValueType> MatchPageWidth(const ValueType& type, uint64_t bits);

}  // namespace fewter::lance
