#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

namespace fewter {

/// What the elements of a column's vectors are. The numbers are written into cache entries and never change.
enum class ElementType : uint32_t { kFloat32 = 0, kFloat16 = 1, kFloat64 = 2, kUint8 = 3 };

/// As Arrow calls it, e.g. "float".
std::string_view ToString(ElementType type);
/// Bytes of one element.
uint32_t SizeOf(ElementType type);
const std::shared_ptr<arrow::DataType>& ArrowTypeOf(ElementType type);

/// Invalid for a number that is none.
arrow::Result<ElementType> ElementTypeFrom(uint32_t number);

/// The nearest value that the type has, as a float: what a query's element becomes before it is compared with vectors
/// of that type. Requires a value in the type's range.
float RoundTo(ElementType type, float value);
/// All of them.
void RoundTo(ElementType type, std::span<float> values);

/// Elements that are whole numbers from 0 to 255, as bytes; others are brought into that range.
std::vector<uint8_t> ToBytes(const float* values, size_t n);

}  // namespace fewter
