#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include <arrow/array/array_base.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compare.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/scalar.h>
#include <arrow/table.h>

#include "fewter/lance/file_reader.h"
#include "fewter/lance/in_memory_file_internal.h"

// Every file that tests/make_lance_file_fixtures.py wrote, compared with what pylance reads from it.

namespace fewter::lance {
namespace {

namespace fs = std::filesystem;

/// Fewer than this and the script has not run to its end.
constexpr size_t kMinFiles = 150;

fs::path FixtureFolder(const char* folder = "lance_files") {
  const char* root = std::getenv("FEWTER_FIXTURES");
  return fs::path(root != nullptr ? root : "") / folder;
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

std::shared_ptr<InMemoryFile> Load(const fs::path& path, bool is_remote_index = false) {
  auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  return std::make_shared<InMemoryFile>(path.filename().string(),
                                        file->ReadAt(0, file->GetSize().ValueOrDie()).ValueOrDie(), is_remote_index);
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
  // Bytes, and decimals, which Arrow has in words of 64 bits.
  if (width > 8 || data.type->id() == arrow::Type::FIXED_SIZE_BINARY) return;
  if (width <= 0 || data.buffers.size() < 2) return;
  EXPECT_EQ(data.buffers[1]->address() % static_cast<unsigned>(width), 0u);
}

/// Values are the same; dictionaries may have them in another order.
bool SameValues(const arrow::Array& got, const arrow::Array& want) {
  const auto options = arrow::EqualOptions().nans_equal(true);
  if (want.type_id() != arrow::Type::DICTIONARY) return got.Equals(want, options);
  if (got.length() != want.length()) return false;
  const auto value_of = [](const arrow::Array& array, int64_t i) {
    const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
    return dictionary.dictionary()->GetScalar(dictionary.GetValueIndex(i)).ValueOrDie();
  };
  // pylance may also put a null into a dictionary.
  for (int64_t i = 0; i < got.length(); ++i) {
    const bool is_null = want.IsNull(i) || !value_of(want, i)->is_valid;
    if (got.IsNull(i) != is_null) return false;
    if (!is_null && !value_of(got, i)->Equals(*value_of(want, i))) return false;
  }
  return true;
}

using Columns = std::vector<std::pair<std::shared_ptr<arrow::Field>, std::shared_ptr<arrow::Array>>>;

/// Single rows in any order, some of them twice.
void ExpectSameRows(FileReader* reader, const std::vector<std::string>& names, const Columns& expected) {
  const uint64_t num_rows = reader->metadata().num_rows();
  std::mt19937_64 random(num_rows);
  std::vector<uint64_t> rows;
  for (int i = 0; i < 10 && num_rows > 0; ++i) rows.push_back(random() % num_rows);
  if (!rows.empty()) rows.insert(rows.end(), {rows[0], num_rows - 1});
  std::vector<RowRange> ranges;
  for (const uint64_t row : rows) ranges.push_back({row, 1});
  const auto batch = reader->ReadRows(names, ranges);
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  ASSERT_TRUE((*batch)->ValidateFull().ok());
  ASSERT_EQ((*batch)->num_rows(), static_cast<int64_t>(rows.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    for (size_t row = 0; row < rows.size(); ++row) {
      const auto got = (*batch)->column(static_cast<int>(i))->Slice(static_cast<int64_t>(row), 1);
      ASSERT_TRUE(SameValues(*got, *expected[i].second->Slice(static_cast<int64_t>(rows[row]), 1)))
          << names[i] << ", row " << rows[row] << ": " << got->ToString();
    }
  }
  EXPECT_TRUE(reader->ReadRows(names, std::vector<RowRange>{{num_rows, 1}}).status().IsInvalid());
}

/// A reader that guesses where rows lie, since a round trip costs more than bytes, reads the same with no more reads.
void ExpectSameWithGuesses(const fs::path& path, FileReader& expected, const std::vector<std::string>& names) {
  const auto plain = Load(path), guessing = Load(path, /*is_remote_index=*/true);
  const auto read = [&](const std::shared_ptr<InMemoryFile>& file, const Range& range) {
    return FileReader::Make(expected.shared_metadata(), file)->ReadRows(names, range.start, range.length).ValueOrDie();
  };
  for (const Range& range : RangesOf(expected.metadata().num_rows(), static_cast<uint32_t>(names.size()))) {
    const auto want = read(plain, range), got = read(guessing, range);
    EXPECT_TRUE(got->Equals(*want, arrow::EqualOptions::Defaults().nans_equal(true)));
    EXPECT_LE(guessing->reads(), plain->reads());
  }
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
      ASSERT_TRUE(SameValues(*got, *want))
          << field->name() << ": " << want->ToString().substr(0, 2000) << "\nbut read\n"
          << got->ToString().substr(0, 2000);
    }
  }
  ExpectSameRows(&reader, names, expected);
  ExpectSameWithGuesses(path, reader, names);
}

TEST(FileReaderFixturesTest, EveryColumnOfEveryFileIsAsPylanceReadsIt) {
  const auto files = FilesIn(FixtureFolder());
  ASSERT_GE(files.size(), kMinFiles) << "run tests/make_lance_file_fixtures.py; looked in " << FixtureFolder();
  for (const fs::path& path : files) ExpectSameColumns(path);
}

TEST(FileReaderFixturesTest, EveryTypeAndCompressionIsAsPylanceReadsIt) {
  const auto files = FilesIn(FixtureFolder("types"));
  ASSERT_GE(files.size(), 130u) << "run tests/make_types_fixtures.py; looked in " << FixtureFolder("types");
  for (const fs::path& path : files) ExpectSameColumns(path);
}

TEST(FileReaderFixturesTest, FieldsInsideStructsAreReadByTheirPaths) {
  for (const char* version : {"2.0", "2.1", "2.2"}) {
    auto reader =
        FileReader::Open(Load(FixtureFolder("types") / ("types_" + std::string(version) + "_some_1000.lance")))
            .ValueOrDie();
    const auto batch = reader->ReadRows({"structs.a.d", "structs", "struct_list.m"}, 3, 500).ValueOrDie();
    // Fields of null structs are null.
    const auto inside = [](const arrow::Array& array, const char* name) {
      const auto& row = static_cast<const arrow::StructArray&>(array);
      return row.GetFlattenedField(row.struct_type()->GetFieldIndex(name)).ValueOrDie();
    };
    const auto want = inside(*inside(*batch->column(1), "a"), "d");
    EXPECT_TRUE(batch->column(0)->Equals(want)) << version << batch->column(0)->ToString() << want->ToString();
    const auto whole = reader->ReadRows({"struct_list"}, 3, 500).ValueOrDie();
    EXPECT_TRUE(batch->column(2)->Equals(inside(*whole->column(0), "m"))) << version;
    EXPECT_EQ(batch->schema()->field(0)->name(), "structs.a.d");
    EXPECT_TRUE(reader->ReadRows({"packed.a"}, 0, 1).status().IsNotImplemented());
  }
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

TEST(FileReaderFixturesTest, AGuessSavesARead) {
  const fs::path path = FixtureFolder() / "scalars_pages_2.2_20000.lance";
  const auto metadata = FileReader::Open(Load(path)).ValueOrDie()->shared_metadata();
  const std::vector<std::string> columns = {"ascending", "float32", "int64_null"};
  const uint64_t num_rows = metadata->num_rows();
  for (const RowRange rows : {RowRange{0, num_rows}, RowRange{num_rows / 2, 100}, RowRange{num_rows - 1, 1}}) {
    auto file = Load(path, /*is_remote_index=*/true);
    const auto reader = FileReader::Make(metadata, file);
    ASSERT_TRUE(reader->ReadRows(columns, rows.start, rows.length).ok());
    EXPECT_EQ(file->reads(), 1u);
    ASSERT_TRUE(reader->ReadRows(columns, rows.start, rows.length).ok());
    EXPECT_EQ(file->reads(), 2u);
  }
}

TEST(FileReaderFixturesTest, WhatIsNotReadIsRefusedByName) {
  auto lists = FileReader::Open(Load(FixtureFolder() / "unsupported" / "lists_in_vectors.lance")).ValueOrDie();
  const arrow::Status refused = lists->ReadRows({"lists"}, 0, 1).status();
  EXPECT_TRUE(refused.IsNotImplemented()) << refused.ToString();
  EXPECT_THAT(refused.message(), testing::HasSubstr("column 'lists'"));
  auto reader = FileReader::Open(Load(FixtureFolder() / "scalars_2.2_1000.lance")).ValueOrDie();
  EXPECT_TRUE(reader->ReadRows({"absent"}, 0, 1).status().IsKeyError());
  EXPECT_TRUE(reader->ReadRows({"bool"}, 998, 3).status().IsInvalid());
  const arrow::Status status = FileReader::Open(Load(FixtureFolder() / "unsupported" / "version_2.3.lance")).status();
  EXPECT_TRUE(status.IsNotImplemented());
  EXPECT_THAT(status.message(), testing::HasSubstr("2.3"));
}

}  // namespace
}  // namespace fewter::lance
