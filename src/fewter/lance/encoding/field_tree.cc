#include "fewter/lance/encoding/field_tree_internal.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <arrow/util/key_value_metadata.h>

#include "fewter/lance/schema.h"

namespace fewter::lance {
namespace {

bool IsTrue(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  constexpr std::string_view kTrue = "true";
  return found != metadata.end() && std::equal(found->second.begin(), found->second.end(), kTrue.begin(), kTrue.end(),
                                               [](unsigned char a, char b) { return std::tolower(a) == b; });
}

/// What the field says of itself; null if it says nothing.
std::shared_ptr<const arrow::KeyValueMetadata> MetadataOf(const Field& field) {
  std::vector<std::string> keys, values;
  const auto add = [&](std::string_view key, std::string_view value) {
    keys.emplace_back(key);
    values.emplace_back(value);
  };
  if (field.is_blob()) {
    // As Lance presents them, which are no longer of the type that the field names.
    add(kBlobKey, "true");
    if (field.is_blob_v2()) add(kPackedKey, "true");
  } else {
    for (const auto& [key, value] : field.metadata) add(key, value);
  }
  return keys.empty() ? nullptr : arrow::key_value_metadata(std::move(keys), std::move(values));
}

std::shared_ptr<arrow::Field> ToArrow(const Field& field, std::shared_ptr<arrow::DataType> type) {
  return arrow::field(field.name, std::move(type), field.nullable, MetadataOf(field));
}

/// Fields whose children are stored with them, in the one column.
bool IsOpaque(const Field& field) {
  return field.is_blob() || IsTrue(field.metadata, "packed") || IsTrue(field.metadata, kPackedKey);
}

/// Counts columns over fields in pre-order.
class ColumnCounter {
 public:
  ColumnCounter(const std::vector<Field>& fields, FileVersion version) : fields_(fields), version_(version) {}

  /// The columns of the field at `*position` and of all below it; moves `*position` past them.
  uint64_t Count(size_t* position) const {
    const size_t root = *position;
    const size_t end = SubtreeEnd(root);
    *position = end;
    uint64_t columns = 0;
    for (size_t i = root; i < end;) {
      const bool is_opaque = IsOpaque(fields_[i]);
      const bool is_leaf = is_opaque || i + 1 == end || fields_[i + 1].parent_id != fields_[i].id;
      // Version 2.0 has a column for every field, later ones for leaves only.
      if (is_leaf || version_ == FileVersion::kV2_0) ++columns;
      i = is_opaque ? SubtreeEnd(i) : i + 1;
    }
    return columns;
  }

  /// The position after the last field below the one at `root`.
  size_t SubtreeEnd(size_t root) const {
    std::vector<int32_t> open = {fields_[root].id};
    size_t i = root + 1;
    for (; i < fields_.size(); ++i) {
      // What the descriptors of blobs are made of has no numbers.
      if (fields_[i].id < 0) continue;
      if (fields_[i].parent_id == -1) break;
      while (!open.empty() && open.back() != fields_[i].parent_id) open.pop_back();
      if (open.empty()) break;
      open.push_back(fields_[i].id);
    }
    return i;
  }

 private:
  const std::vector<Field>& fields_;
  const FileVersion version_;
};

ValueType StructOf(const arrow::FieldVector& fields) {
  ValueType type;
  for (const auto& field : fields) {
    type.members.emplace_back();
    type.members.back().primitive = field->type();
  }
  type.primitive = arrow::struct_(fields);
  return type;
}

/// What is presented instead of the bytes of blobs: where they lie.
ValueType BlobDescriptor() {
  return StructOf({arrow::field("position", arrow::uint64()), arrow::field("size", arrow::uint64())});
}

/// The same for the second kind of blobs, which may lie in other files.
ValueType BlobDescriptorV2() {
  return StructOf({arrow::field("kind", arrow::uint8(), false), arrow::field("position", arrow::uint64(), false),
                   arrow::field("size", arrow::uint64(), false), arrow::field("blob_id", arrow::uint32(), false),
                   arrow::field("blob_uri", arrow::utf8(), false)});
}

constexpr std::string_view kFixedSizeListOfStructs = "fixed_size_list:struct:";

std::optional<FieldTree::Kind> KindOf(const std::string& logical_type) {
  using Kind = FieldTree::Kind;
  if (logical_type == "struct") return Kind::kStruct;
  if (logical_type == "list" || logical_type == "list.struct") return Kind::kList;
  if (logical_type == "large_list" || logical_type == "large_list.struct") return Kind::kLargeList;
  if (logical_type == "map") return Kind::kMap;
  if (logical_type.starts_with(kFixedSizeListOfStructs)) return Kind::kFixedSizeList;
  return std::nullopt;
}

/// Builds the tree of one field.
class TreeBuilder {
 public:
  TreeBuilder(const std::vector<Field>& fields, FileVersion version)
      : fields_(fields), version_(version), counter_(fields, version) {}

  /// `column` is the first of the file columns that the field and those below it have.
  arrow::Result<FieldTree> Build(size_t position, uint64_t column, int depth) const {
    constexpr int kMaxDepth = 64;
    if (depth > kMaxDepth) return arrow::Status::Invalid("fields nested more than ", kMaxDepth, " deep");
    const Field& field = fields_[position];
    const bool has_children = counter_.SubtreeEnd(position) > position + 1;
    FieldTree tree;
    tree.column = column;
    const std::optional<FieldTree::Kind> kind = KindOf(field.logical_type);
    if (IsOpaque(field) || !kind || (*kind == FieldTree::Kind::kStruct && !has_children)) {
      ARROW_ASSIGN_OR_RAISE(tree.type, TypeOfValues(position, &tree.is_blob));
      tree.field = ToArrow(field, tree.type.ToArrow());
      return tree;
    }
    tree.kind = *kind;
    // The first child's column is that of its parent, but in version 2.0.
    if (version_ == FileVersion::kV2_0) ++column;
    const size_t end = counter_.SubtreeEnd(position);
    for (size_t child = position + 1; child < end;) {
      ARROW_ASSIGN_OR_RAISE(FieldTree subtree, Build(child, column, depth + 1));
      tree.children.push_back(std::move(subtree));
      column += counter_.Count(&child);
    }
    ARROW_ASSIGN_OR_RAISE(auto type, TypeOf(field, &tree));
    tree.field = ToArrow(field, std::move(type));
    return tree;
  }

 private:
  /// The type of a field that is stored in one column.
  arrow::Result<ValueType> TypeOfValues(size_t position, bool* is_blob) const {
    const Field& field = fields_[position];
    const size_t end = counter_.SubtreeEnd(position);
    if (field.is_blob_v2()) return BlobDescriptorV2();
    if (field.is_blob()) {
      *is_blob = true;
      return BlobDescriptor();
    }
    if (field.logical_type != "struct") {
      ARROW_ASSIGN_OR_RAISE(ValueType type, ParseLogicalType(field.logical_type));
      if (end == position + 1) return type;
      return arrow::Status::Invalid("a field of type '", field.logical_type, "' with children");
    }
    ValueType type;
    arrow::FieldVector members;
    for (size_t child = position + 1; child < end; ++child) {
      ARROW_ASSIGN_OR_RAISE(ValueType member, ParseLogicalType(fields_[child].logical_type));
      if (member.dictionary != nullptr || member.is_empty()) {
        return arrow::Status::NotImplemented("a packed struct with a field of type ", member.ToArrow()->ToString());
      }
      members.push_back(ToArrow(fields_[child], member.ToArrow()));
      type.members.push_back(std::move(member));
    }
    type.primitive = arrow::struct_(members);
    return type;
  }

  static arrow::Status WrongChildren(const Field& field, const FieldTree& tree) {
    return arrow::Status::Invalid("a field of type '", field.logical_type, "' with ", tree.children.size(),
                                  " children");
  }

  /// The type of a tree whose children have been built, of which those of lists must be as they should.
  static arrow::Result<std::shared_ptr<arrow::DataType>> TypeOf(const Field& field, FieldTree* tree) {
    using Kind = FieldTree::Kind;
    arrow::FieldVector children;
    for (const FieldTree& child : tree->children) children.push_back(child.field);
    if (tree->kind != Kind::kStruct && children.size() != 1) return WrongChildren(field, *tree);
    if (tree->kind == Kind::kMap) {
      const FieldTree& item = tree->children[0];
      if (item.kind != Kind::kStruct || item.children.size() != 2) return WrongChildren(field, *tree);
      ARROW_RETURN_NOT_OK(arrow::MapType::Make(item.field));
    }
    if (tree->kind == Kind::kFixedSizeList) {
      const std::string_view size = std::string_view(field.logical_type).substr(kFixedSizeListOfStructs.size());
      const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), tree->list_size);
      if (error != std::errc() || end != size.data() + size.size() || tree->list_size <= 0) {
        return arrow::Status::Invalid("malformed type '", field.logical_type, "'");
      }
    }
    return NestedType(*tree, children);
  }

  const std::vector<Field>& fields_;
  const FileVersion version_;
  const ColumnCounter counter_;
};

}  // namespace

std::shared_ptr<arrow::DataType> NestedType(const FieldTree& tree, const arrow::FieldVector& fields) {
  switch (tree.kind) {
    case FieldTree::Kind::kStruct:
      return arrow::struct_(fields);
    case FieldTree::Kind::kLargeList:
      return arrow::large_list(fields[0]);
    case FieldTree::Kind::kMap:
      return std::make_shared<arrow::MapType>(fields[0]);
    case FieldTree::Kind::kFixedSizeList:
      return arrow::fixed_size_list(fields[0], tree.list_size);
    default:
      return arrow::list(fields[0]);
  }
}

arrow::Result<LocatedField> LocateField(const FileMetadata& metadata, const std::string& path) {
  const std::vector<Field>& fields = metadata.fields();
  const Field* wanted = FindField(fields, path);
  if (wanted == nullptr) return arrow::Status::KeyError("no such column");
  const auto position = static_cast<size_t>(wanted - fields.data());
  const ColumnCounter counter(fields, metadata.version());
  LocatedField located;
  uint64_t column = 0;
  for (size_t i = 0; i < position;) {
    const size_t end = counter.SubtreeEnd(i);
    if (position >= end) {
      column += counter.Count(&i);
      continue;
    }
    if (IsOpaque(fields[i])) return arrow::Status::NotImplemented("a field of a packed struct");
    ++located.num_structs_around;
    // Structs have a column of their own only in version 2.0.
    if (metadata.version() == FileVersion::kV2_0) ++column;
    ++i;
  }
  ARROW_ASSIGN_OR_RAISE(located.tree, TreeBuilder(fields, metadata.version()).Build(position, column, 0));
  return located;
}

arrow::Result<std::shared_ptr<arrow::Field>> ToArrowField(const std::vector<Field>& fields, size_t position) {
  // Nothing but columns depends on the version.
  ARROW_ASSIGN_OR_RAISE(const FieldTree tree, TreeBuilder(fields, FileVersion::kV2_2).Build(position, 0, 0));
  return tree.field;
}

}  // namespace fewter::lance
