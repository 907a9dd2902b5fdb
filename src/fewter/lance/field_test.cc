#include "fewter/lance/field.h"

#include <gtest/gtest.h>

namespace fewter::lance {
namespace {

Field Named(int32_t id, int32_t parent, std::string name, std::string type) {
  Field field;
  field.id = id;
  field.parent_id = parent;
  field.name = std::move(name);
  field.logical_type = std::move(type);
  return field;
}

TEST(ColumnPaths, AreTheNamesThatFindFieldKnows) {
  std::vector<Field> fields = {
      Named(0, -1, "a.b", "struct"),  Named(1, 0, "c`d", "int32"),       Named(2, 0, "inner", "struct"),
      Named(3, 2, "x", "string"),     Named(4, -1, "list", "list"),      Named(5, 4, "item", "int32"),
      Named(6, -1, "blob", "struct"), Named(7, 6, "position", "uint64"), Named(-1, -1, "unnumbered", "uint64")};
  fields[6].metadata[kBlobKey] = "true";
  const auto paths = ColumnPaths(fields);
  EXPECT_EQ(paths, (std::vector<std::string>{"a.b", "`a.b`.`c``d`", "`a.b`.inner", "`a.b`.inner.x", "list", "blob"}));
  for (const std::string& path : paths) {
    const Field* found = FindField(fields, path);
    ASSERT_NE(found, nullptr) << path;
    EXPECT_EQ(PathOf(fields, static_cast<size_t>(found - fields.data())), path);
  }
}

TEST(ColumnPaths, LeaveOutWhatIsTooDeepOrTooLong) {
  std::vector<Field> fields;
  for (int32_t i = 0; i < 1000; ++i) fields.push_back(Named(i, i - 1, "s", "struct"));
  fields.push_back(Named(1000, -1, std::string(257, 'x'), "int32"));
  EXPECT_EQ(ColumnPaths(fields).size(), 128U);
}

}  // namespace
}  // namespace fewter::lance
