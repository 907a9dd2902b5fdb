#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type.h>

#include "fewter/lance/encoding/value_type_internal.h"
#include "fewter/lance/file_metadata.h"

namespace fewter::lance {

/// A field of a file's schema with all that is below it, and where it is stored.
struct FieldTree {
  enum class Kind : uint8_t {
    /// One file column: a value type.
    kValues,
    kStruct,
    kList,
    kLargeList,
    /// Of key and value; stored as a list of them.
    kMap,
    /// Of structs; vectors of numbers are values.
    kFixedSizeList,
  };

  Kind kind = Kind::kValues;
  /// The field as Arrow has it.
  std::shared_ptr<arrow::Field> field;
  /// Of values.
  ValueType type;
  /// Of fixed-size lists.
  int32_t list_size = 0;
  /// A large binary column of which only the places of its values are read.
  bool is_blob = false;
  /// The fields of a struct, or the one item of anything with lists. The item of a map is a struct of key and value.
  std::vector<FieldTree> children;
  /// The file column of values. In version 2.0 structs and lists have one, too.
  uint64_t column = 0;

  bool is_list() const { return kind == Kind::kList || kind == Kind::kLargeList || kind == Kind::kMap; }
};

/// The type of a tree that is not one of values, with these fields in the place of its children's.
std::shared_ptr<arrow::DataType> NestedType(const FieldTree& tree, const arrow::FieldVector& fields);

/// A field, and how many structs are around it.
struct LocatedField {
  FieldTree tree;
  size_t num_structs_around = 0;
};

/// Finds a field by its path (see FindField). KeyError if there is none; NotImplemented, naming the type, for types
/// that are not read; Invalid for a malformed schema. Messages do not name the file or the field.
arrow::Result<LocatedField> LocateField(const FileMetadata& metadata, const std::string& path);

}  // namespace fewter::lance
