#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include <arrow/array/array_base.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compare.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/table.h>

#include "fewter/lance/file_reader.h"
#include "fewter/lance/in_memory_file_internal.h"

// Every file that tests/make_lance_file_fixtures.py wrote, compared with what pylance reads from it.

namespace fewter::lance {
namespace {

namespace fs = std::filesystem;

/// Fewer than this and the script has not run to its end.
constexpr size_t kMinFiles = 150;

fs::path FixtureFolder() {
  const char* root = std::getenv("FEWTER_FIXTURES");
  return fs::path(root != nullptr ? root : "") / "lance_files";
}

std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::is_directory(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".lance" || extension == ".idx") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::shared_ptr<InMemoryFile> Load(const fs::path& path) {
  auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  return std::make_shared<InMemoryFile>(path.filename().string(),
                                        file->ReadAt(0, file->GetSize().ValueOrDie()).ValueOrDie());
}

/// The expected columns, each as one array.
std::vector<std::pair<std::shared_ptr<arrow::Field>, std::shared_ptr<arrow::Array>>> LoadExpected(fs::path path) {
  auto file = arrow::io::ReadableFile::Open(path.replace_extension(".arrow").string()).ValueOrDie();
  auto reader = arrow::ipc::RecordBatchFileReader::Open(file).ValueOrDie();
  auto table = reader->ToTable().ValueOrDie();
  std::vector<std::pair<std::shared_ptr<arrow::Field>, std::shared_ptr<arrow::Array>>> columns;
  for (int i = 0; i < table->num_columns(); ++i) {
    const auto& chunks = table->column(i)->chunks();
    columns.emplace_back(table->field(i), chunks.empty() ? arrow::MakeEmptyArray(table->field(i)->type()).ValueOrDie()
                                                         : arrow::Concatenate(chunks).ValueOrDie());
  }
  return columns;
}

struct Range {
  uint64_t start;
  uint64_t length;
};

/// The whole, nothing, both ends, and some ranges and single rows in between.
std::vector<Range> RangesOf(uint64_t rows, uint32_t seed) {
  std::vector<Range> ranges = {{0, rows}, {0, 0}, {rows, 0}};
  if (rows == 0) return ranges;
  ranges.push_back({rows - 1, 1});
  std::mt19937_64 random(seed);
  for (int i = 0; i < 12; ++i) {
    const uint64_t start = random() % rows;
    const uint64_t longest = i % 3 == 0 ? 1 : i % 3 == 1 ? std::min<uint64_t>(rows - start, 40) : rows - start;
    ranges.push_back({start, 1 + random() % longest});
  }
  return ranges;
}

/// Values must lie where a kernel can read them as their type.
void ExpectAligned(const arrow::ArrayData& data) {
  for (const auto& child : data.child_data) ExpectAligned(*child);
  const int width = data.type->byte_width();
  if (width <= 0 || data.buffers.size() < 2) return;
  EXPECT_EQ(data.buffers[1]->address() % static_cast<unsigned>(width), 0u);
}

void ExpectSameColumns(const fs::path& path) {
  SCOPED_TRACE(path.filename().string());
  auto opened = FileReader::Open(Load(path));
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  FileReader& reader = **opened;
  const auto expected = LoadExpected(path);
  std::vector<std::string> names;
  for (const auto& [field, array] : expected) names.push_back(field->name());
  for (const Range& range : RangesOf(reader.metadata().num_rows(), static_cast<uint32_t>(names.size()))) {
    SCOPED_TRACE("rows " + std::to_string(range.start) + " + " + std::to_string(range.length));
    auto batch = reader.ReadRows(names, range.start, range.length);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    ASSERT_TRUE((*batch)->ValidateFull().ok()) << (*batch)->ValidateFull().ToString();
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto& [field, array] = expected[i];
      const auto want = array->Slice(static_cast<int64_t>(range.start), static_cast<int64_t>(range.length));
      const auto got = (*batch)->column(static_cast<int>(i));
      ExpectAligned(*got->data());
      ASSERT_EQ(got->type()->ToString(), want->type()->ToString()) << field->name();
      EXPECT_EQ((*batch)->schema()->field(static_cast<int>(i))->nullable(), field->nullable()) << field->name();
      ASSERT_TRUE(got->Equals(want, arrow::EqualOptions().nans_equal(true)))
          << field->name() << ": " << want->ToString().substr(0, 2000) << "\nbut read\n"
          << got->ToString().substr(0, 2000);
    }
  }
}

TEST(FileReaderFixturesTest, EveryColumnOfEveryFileIsAsPylanceReadsIt) {
  const auto files = FilesIn(FixtureFolder());
  ASSERT_GE(files.size(), kMinFiles) << "run tests/make_lance_file_fixtures.py; looked in " << FixtureFolder();
  for (const fs::path& path : files) ExpectSameColumns(path);
}

/// Two values of the same column at once, columns in another order, and a reader made of kept metadata.
TEST(FileReaderFixturesTest, ReaderMadeOfKeptMetadataReadsTheSame) {
  const fs::path path = FixtureFolder() / "scalars_2.2_5000.lance";
  auto file = Load(path);
  auto first = FileReader::Open(file).ValueOrDie();
  const uint64_t reads = file->reads();
  auto second = FileReader::Make(first->shared_metadata(), file);
  EXPECT_EQ(file->reads(), reads);
  const auto batch = second->ReadRows({"float32", "ascending", "float32"}, 17, 100).ValueOrDie();
  EXPECT_EQ(batch->num_columns(), 3);
  EXPECT_TRUE(batch->Equals(*first->ReadRows({"float32", "ascending", "float32"}, 17, 100).ValueOrDie()));
}

TEST(FileReaderFixturesTest, PagesAreOpenedOnceAndAllColumnsReadTogether) {
  auto file = Load(FixtureFolder() / "scalars_pages_2.2_20000.lance");
  auto reader = FileReader::Open(file).ValueOrDie();
  EXPECT_EQ(file->reads(), 1u);
  const std::vector<std::string> columns = {"ascending", "float32", "int64_null"};
  ASSERT_TRUE(reader->ReadRows(columns, 0, reader->metadata().num_rows()).ok());
  EXPECT_EQ(file->reads(), 3u);
  ASSERT_TRUE(reader->ReadRows(columns, 5, 100).ok());
  EXPECT_EQ(file->reads(), 4u);
}

TEST(FileReaderFixturesTest, WhatIsNotReadIsRefusedByName) {
  for (const char* version : {"2.0", "2.1", "2.2"}) {
    auto file = Load(FixtureFolder() / "unsupported" / ("types_" + std::string(version) + ".lance"));
    auto reader = FileReader::Open(file).ValueOrDie();
    for (const char* column : {"text", "struct", "nested"}) {
      const arrow::Status status = reader->ReadRows({column}, 0, 1).status();
      EXPECT_TRUE(status.IsNotImplemented()) << status.ToString();
      EXPECT_THAT(status.message(), testing::HasSubstr("column '" + std::string(column) + "'"));
    }
    // The columns beside them are found.
    const auto batch = reader->ReadRows({"id"}, 998, 2).ValueOrDie();
    EXPECT_THAT(batch->column(0)->ToString(), testing::HasSubstr("999"));
    EXPECT_TRUE(reader->ReadRows({"absent"}, 0, 1).status().IsKeyError());
    EXPECT_TRUE(reader->ReadRows({"id"}, 998, 3).status().IsInvalid());
  }
  const arrow::Status status = FileReader::Open(Load(FixtureFolder() / "unsupported" / "version_2.3.lance")).status();
  EXPECT_TRUE(status.IsNotImplemented());
  EXPECT_THAT(status.message(), testing::HasSubstr("2.3"));
}

}  // namespace
}  // namespace fewter::lance
