#include <cstring>
#include <utility>

#include <arrow/array/array_binary.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/datum.h>

#include "fewter/lance/encoding/column_builder_internal.h"
#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/util/bytes.h"

/// From how values are stored to how Arrow arrays have them, where these differ.

namespace fewter::lance {
namespace {

/// Cuts the fields of packed structs out of their bytes.
class StructUnpacker {
 public:
  explicit StructUnpacker(const ValueType& type) {
    for (const ValueType& member : type.members) fields_.emplace_back(member, std::vector<bool>{false});
  }

  arrow::Status Take(Bytes row) {
    size_t position = 0;
    for (ColumnBuilder& field : fields_) {
      uint64_t size = 0;
      ARROW_RETURN_NOT_OK(SizeOf(field, row.subspan(position), &size));
      if (field.type().is_variable()) position += sizeof(uint64_t);
      ARROW_RETURN_NOT_OK(Append(row.subspan(position, size), &field));
      position += size;
    }
    return position == row.size() ? arrow::Status::OK() : WrongSize(row);
  }

  /// A null struct, whose fields have to have something.
  arrow::Status TakeNull() {
    for (ColumnBuilder& field : fields_) {
      field.value_validity().Append(true);
      ARROW_RETURN_NOT_OK(field.AppendNothing());
    }
    return arrow::Status::OK();
  }

  arrow::Result<std::vector<std::shared_ptr<arrow::ArrayData>>> Finish() {
    std::vector<std::shared_ptr<arrow::ArrayData>> fields;
    for (ColumnBuilder& field : fields_) {
      ARROW_ASSIGN_OR_RAISE(auto array, field.FinishValues());
      fields.push_back(array->data());
    }
    return fields;
  }

 private:
  static arrow::Status WrongSize(Bytes row) {
    return arrow::Status::Invalid("a packed struct of ", row.size(), " bytes, which its fields do not have");
  }

  /// The bytes of the next field, once its length has been skipped.
  static arrow::Status SizeOf(const ColumnBuilder& field, Bytes rest, uint64_t* size) {
    *size = field.value_bytes();
    if (!field.type().is_variable()) return *size <= rest.size() ? arrow::Status::OK() : WrongSize(rest);
    if (rest.size() < sizeof(uint64_t)) return WrongSize(rest);
    *size = LoadLittleEndian<uint64_t>(rest.data());
    return *size <= rest.size() - sizeof(uint64_t) ? arrow::Status::OK() : WrongSize(rest);
  }

  static arrow::Status Append(Bytes value, ColumnBuilder* field) {
    field->value_validity().Append(true);
    return field->AppendBytes(value);
  }

  std::vector<ColumnBuilder> fields_;
};

Bytes RowOf(const arrow::Array& rows, int64_t i) {
  const std::string_view row = rows.type_id() == arrow::Type::FIXED_SIZE_BINARY
                                   ? static_cast<const arrow::FixedSizeBinaryArray&>(rows).GetView(i)
                                   : static_cast<const arrow::LargeBinaryArray&>(rows).GetView(i);
  return {reinterpret_cast<const uint8_t*>(row.data()), row.size()};
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::ArrayData>> UnpackStructs(const ValueType& type, const arrow::ArrayData& rows) {
  const auto array = arrow::MakeArray(rows.Copy());
  StructUnpacker unpacker(type);
  for (int64_t i = 0; i < array->length(); ++i) {
    const Bytes row = RowOf(*array, i);
    ARROW_RETURN_NOT_OK(array->IsNull(i) && row.empty() ? unpacker.TakeNull() : unpacker.Take(row));
  }
  ARROW_ASSIGN_OR_RAISE(auto fields, unpacker.Finish());
  return arrow::ArrayData::Make(type.primitive, rows.length, {rows.buffers[0]}, std::move(fields), rows.null_count);
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> EncodeDictionary(const std::shared_ptr<arrow::DataType>& type,
                                                                  const std::shared_ptr<arrow::Array>& values) {
  ARROW_ASSIGN_OR_RAISE(const arrow::Datum encoded, arrow::compute::DictionaryEncode(values));
  const auto array = encoded.array_as<arrow::DictionaryArray>();
  const auto& index_type = static_cast<const arrow::DictionaryType&>(*type).index_type();
  // Invalid if there are more items than that can count.
  ARROW_ASSIGN_OR_RAISE(const auto indices, arrow::compute::Cast(*array->indices(), index_type));
  auto data = indices->data()->Copy();
  data->type = type;
  data->dictionary = array->dictionary()->data();
  return data;
}

}  // namespace fewter::lance
