#include "fewter/lance/field.h"

#include <algorithm>
#include <map>

namespace fewter::lance {
namespace {

/// A name as a part of a path.
std::string Quoted(const std::string& name) {
  if (name.find_first_of(".`") == std::string::npos) return name;
  std::string quoted = "`";
  for (const char c : name) quoted.append(c == '`' ? 2 : 1, c);
  return quoted + "`";
}

}  // namespace

bool Field::is_json() const {
  const auto type = metadata.find(kExtensionKey);
  return type != metadata.end() && type->second == kJsonExtension;
}

bool Field::is_blob_v2() const {
  const auto type = metadata.find(kExtensionKey);
  if (type != metadata.end() && type->second == "lance.blob.v2") return true;
  return logical_type == "struct" && metadata.contains(kBlobKey);
}

std::string PathOf(const std::vector<Field>& fields, size_t position) {
  auto field = fields.begin() + static_cast<std::ptrdiff_t>(position);
  if (field->parent_id == -1) return field->name;
  std::string path = Quoted(field->name);
  while (field->parent_id != -1) {
    // Parents come before their children.
    const auto parent =
        std::find_if(fields.begin(), field, [&](const Field& one) { return one.id == field->parent_id; });
    if (parent == field || parent->logical_type != "struct" || parent->is_blob()) return "";
    path.insert(0, Quoted(parent->name) + ".");
    field = parent;
  }
  return path;
}

std::vector<std::string> ColumnPaths(const std::vector<Field>& fields) {
  // Structs may be nested so deep that all their paths take far more memory than the schema.
  constexpr size_t kLongestPath = 256;
  std::vector<std::string> paths;
  // Of what columns may be inside of.
  std::map<int32_t, std::string> structs;
  for (const Field& field : fields) {
    const auto parent = structs.find(field.parent_id);
    if (field.parent_id == -1 ? field.id < 0 : parent == structs.end()) continue;
    const std::string quoted = Quoted(field.name);
    const std::string path = field.parent_id == -1 ? quoted : parent->second + "." + quoted;
    if (path.size() > kLongestPath) continue;
    paths.push_back(field.parent_id == -1 ? field.name : path);
    if (field.logical_type == "struct" && !field.is_blob()) structs.emplace(field.id, path);
  }
  return paths;
}

const Field* FindField(const std::vector<Field>& fields, std::string_view path) {
  // What the descriptors of blobs are made of has no numbers, and is no field of its own.
  const auto at_top = std::find_if(fields.begin(), fields.end(),
                                   [&](const Field& f) { return f.parent_id == -1 && f.id >= 0 && f.name == path; });
  if (at_top != fields.end()) return &*at_top;
  if (path.find('.') == std::string_view::npos) return nullptr;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].parent_id != -1 && PathOf(fields, i) == path) return &fields[i];
  }
  return nullptr;
}

}  // namespace fewter::lance
