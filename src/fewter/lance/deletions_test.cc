#include "fewter/lance/deletions.h"

#include <string>

#include <arrow/array/builder_primitive.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/lance/corruption_internal.h"

namespace fewter::lance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// An Arrow file of one column of `Builder`'s type; a negative value becomes a null.
template <typename Builder = arrow::UInt32Builder>
std::string ArrowFile(const std::vector<int64_t>& values, int batches = 1) {
  Builder builder;
  for (int64_t value : values) {
    if (value < 0) {
      EXPECT_TRUE(builder.AppendNull().ok());
    } else {
      EXPECT_TRUE(builder.Append(static_cast<typename Builder::value_type>(value)).ok());
    }
  }
  auto column = builder.Finish().ValueOrDie();
  auto schema = arrow::schema({arrow::field("row_id", column->type())});
  auto batch = arrow::RecordBatch::Make(schema, column->length(), {column});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  auto writer = arrow::ipc::MakeFileWriter(sink, schema).ValueOrDie();
  for (int i = 0; i < batches; ++i) EXPECT_TRUE(writer->WriteRecordBatch(*batch).ok());
  EXPECT_TRUE(writer->Close().ok());
  return sink->Finish().ValueOrDie()->ToString();
}

/// The portable roaring bitmap of 3 and 5.
const std::string kBitmap("\x3a\x30\0\0\1\0\0\0\0\0\1\0\x10\0\0\0\3\0\5\0", 20);

arrow::Result<std::vector<uint32_t>> Parse(const std::string& bytes, DeletionFileType type, uint64_t num_deleted,
                                           uint64_t physical_rows = 100) {
  return ParseDeletions(ExactBuffer(bytes), type, num_deleted, physical_rows);
}

TEST(Deletions, OffsetsOfAnArrowFileComeSorted) {
  EXPECT_THAT(Parse(ArrowFile({9, 2, 99, 0}), DeletionFileType::kArrowArray, 4).ValueOrDie(), ElementsAre(0, 2, 9, 99));
  EXPECT_TRUE(Parse(ArrowFile({}), DeletionFileType::kArrowArray, 0).ValueOrDie().empty());
}

TEST(Deletions, BitmapIsRead) {
  EXPECT_THAT(Parse(kBitmap, DeletionFileType::kBitmap, 2).ValueOrDie(), ElementsAre(3, 5));
}

TEST(Deletions, CountAndOffsetsMustFitTheManifest) {
  const auto problem = [](const std::string& bytes, DeletionFileType type, uint64_t num_deleted, uint64_t rows) {
    const auto status = Parse(bytes, type, num_deleted, rows).status();
    EXPECT_TRUE(status.IsInvalid()) << status;
    return status.message();
  };
  constexpr auto kArrow = DeletionFileType::kArrowArray;
  constexpr auto kRoaring = DeletionFileType::kBitmap;
  EXPECT_THAT(problem(ArrowFile({1, 2}), kArrow, 3, 10), HasSubstr("the manifest says 3, the file has 2"));
  EXPECT_THAT(problem(ArrowFile({1, 2}), kArrow, 1, 10), HasSubstr("the manifest says 1, the file has 2"));
  EXPECT_THAT(problem(ArrowFile({1, 10}), kArrow, 2, 10), HasSubstr("has 10 rows, an offset is 10"));
  EXPECT_THAT(problem(ArrowFile({1, 2}), kArrow, 2, 1), HasSubstr("of 1 rows more are said to be deleted: 2"));
  EXPECT_THAT(problem(ArrowFile({1, 1}), kArrow, 2, 10), HasSubstr("twice"));
  EXPECT_THAT(problem(ArrowFile({1, -1}), kArrow, 2, 10), HasSubstr("nulls"));
  EXPECT_THAT(problem(ArrowFile<arrow::Int32Builder>({1}), kArrow, 1, 10), HasSubstr("one uint32 column"));
  EXPECT_THAT(problem(ArrowFile({1}, /*batches=*/2), kArrow, 2, 10), HasSubstr("not one batch"));
  EXPECT_THAT(problem(kBitmap, kRoaring, 3, 10), HasSubstr("the manifest says 3, the file has 2"));
  EXPECT_THAT(problem(kBitmap, kRoaring, 1, 10), HasSubstr("deleted rows: has more values"));
  EXPECT_THAT(problem(kBitmap, kRoaring, 2, 5), HasSubstr("has 5 rows, an offset is 5"));
}

TEST(Deletions, OneKindIsNotReadAsTheOther) {
  EXPECT_FALSE(Parse(kBitmap, DeletionFileType::kArrowArray, 2).ok());
  EXPECT_FALSE(Parse(ArrowFile({3, 5}), DeletionFileType::kBitmap, 2).ok());
}

TEST(Deletions, SurviveEveryCorruption) {
  const auto check = [](const std::shared_ptr<arrow::Buffer>& bytes, DeletionFileType type, uint64_t num_deleted) {
    auto offsets = ParseDeletions(bytes, type, num_deleted, 100);
    if (!offsets.ok()) return;
    EXPECT_EQ(offsets->size(), num_deleted);
    for (size_t i = 0; i < offsets->size(); ++i) EXPECT_LT((*offsets)[i], 100U);
  };
  ForEachCorruption(ArrowFile({7, 3, 50}), [&](const auto& b) { check(b, DeletionFileType::kArrowArray, 3); });
  ForEachCorruption(kBitmap, [&](const auto& b) { check(b, DeletionFileType::kBitmap, 2); });
}

TEST(Deletions, AFragmentWithoutThemNeedsNoRead) {
  auto store = ObjectStore::Open("/nowhere").ValueOrDie();
  Fragment fragment;
  fragment.id = 7;
  EXPECT_TRUE(ReadDeletions(*store, fragment).ValueOrDie().empty());
  EXPECT_EQ(store->counter()->Snapshot().total().requests, 0U);

  fragment.deletion_file = DeletionFile{DeletionFileType::kBitmap, 3, 12, 1};
  EXPECT_EQ(DeletionFilePath(7, *fragment.deletion_file), "_deletions/7-3-12.bin");
  const auto status = ReadDeletions(*store, fragment).status();
  EXPECT_TRUE(IsNotFound(status));
  EXPECT_THAT(status.message(), HasSubstr("/nowhere/_deletions/7-3-12.bin"));
  fragment.deletion_file->type = DeletionFileType::kArrowArray;
  EXPECT_EQ(DeletionFilePath(7, *fragment.deletion_file), "_deletions/7-3-12.arrow");
}

}  // namespace
}  // namespace fewter::lance
