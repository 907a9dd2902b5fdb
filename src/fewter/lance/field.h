#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// The fields of a table's or a file's schema, as Lance numbers and names them.

namespace fewter::lance {

/// What a field with this in its metadata holds are blobs: values so large that a column only says where they lie.
inline constexpr char kBlobKey[] = "lance-encoding:blob";
/// Beside it, in the schema that blobs of the second kind are presented with.
inline constexpr char kPackedKey[] = "lance-encoding:packed";
/// Names an extension type, in the metadata of a field of the type that it is stored as.
inline constexpr char kExtensionKey[] = "ARROW:extension:name";
/// JSON, stored as JSONB.
inline constexpr char kJsonExtension[] = "lance.json";

/// A column or nested field of a schema. Fields come in pre-order; parent_id -1 is the top level.
struct Field {
  int32_t id = 0;
  int32_t parent_id = -1;
  std::string name;
  /// Lance's type name, e.g. "float", "int64", "fixed_size_list:float:384", "struct".
  std::string logical_type;
  bool nullable = false;
  std::map<std::string, std::string> metadata;

  /// The fields below a blob are what people write, or its description in a file; neither is a column of its own.
  bool is_blob() const { return metadata.contains(kBlobKey) || is_blob_v2(); }
  /// The second kind (version 2.2), which may lie in other files: by the type that tables say, or as files have it.
  bool is_blob_v2() const;
  bool is_json() const;
};

/// The field of that name: at the top level, or inside structs, by their names and its own joined by dots. A name with
/// a dot or a backtick in it stands between backticks then, and a backtick in it twice, as Lance has it. Null if there
/// is none, or if there is something else than structs around it. The fields in pre-order, of a table or of a file.
const Field* FindField(const std::vector<Field>& fields, std::string_view path);

/// The names that FindField knows, in their order, but for those of more than 256 bytes: for messages.
std::vector<std::string> ColumnPaths(const std::vector<Field>& fields);

/// What FindField finds the field by that stands there; empty if it finds none.
std::string PathOf(const std::vector<Field>& fields, size_t position);

}  // namespace fewter::lance
