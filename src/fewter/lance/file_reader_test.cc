#include "fewter/lance/file_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include <arrow/io/file.h>

#include "fewter/lance/in_memory_file_internal.h"
#include "fewter/lance/proto/file.pb.h"

// What pylance wrote (tests/make_lance_file_fixtures.py), cut short, with bits flipped, or read by many threads.

namespace fewter::lance {
namespace {

std::shared_ptr<arrow::Buffer> Load(const std::string& name) {
  const char* root = std::getenv("FEWTER_FIXTURES");
  const auto path = std::filesystem::path(root != nullptr ? root : "") / "lance_files" / name;
  auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  return file->ReadAt(0, file->GetSize().ValueOrDie()).ValueOrDie();
}

/// Reads everything there is; what can be read must be whole.
void ReadAll(const std::shared_ptr<arrow::Buffer>& bytes) {
  auto reader = FileReader::Open(std::make_shared<InMemoryFile>("damaged", bytes));
  if (!reader.ok()) return;
  (void)(*reader)->ReadGlobalBuffer(1).ok();
  constexpr uint64_t kMaxRows = 10'000;
  const uint64_t rows = std::min((*reader)->metadata().num_rows(), kMaxRows);
  for (const Field& field : (*reader)->metadata().fields()) {
    for (const uint64_t start : {uint64_t{0}, rows / 2}) {
      const auto batch = (*reader)->ReadRows({field.name}, start, rows - start);
      if (!batch.ok()) continue;
      EXPECT_EQ((*batch)->num_rows(), static_cast<int64_t>(rows - start));
      EXPECT_TRUE((*batch)->ValidateFull().ok()) << (*batch)->ValidateFull().ToString();
    }
  }
}

class DamagedFileTest : public testing::TestWithParam<std::string> {};

TEST_P(DamagedFileTest, TruncatedFilesAreRefused) {
  const auto bytes = Load(GetParam());
  const int64_t step = std::max<int64_t>(1, bytes->size() / 500);
  for (int64_t size = 0; size < bytes->size(); size += step) {
    const auto file = std::make_shared<InMemoryFile>("short", arrow::SliceBuffer(bytes, 0, size));
    EXPECT_FALSE(FileReader::Open(file).ok()) << size;
  }
}

TEST_P(DamagedFileTest, FlippedBytesDoNoHarm) {
  const auto bytes = Load(GetParam());
  const auto damaged = std::shared_ptr<arrow::Buffer>(bytes->CopySlice(0, bytes->size()).ValueOrDie());
  // A sample of the pages, and most of the bytes near the end, where the metadata is.
  constexpr int64_t kMetadata = 1200;
  constexpr uint8_t kFlips[] = {0x01, 0x80, 0xFF};
  const int64_t step = std::max<int64_t>(1, bytes->size() / 150);
  int64_t number = 0;
  for (int64_t at = 0; at < bytes->size(); at += at < bytes->size() - kMetadata ? step : 2, ++number) {
    const uint8_t flip = kFlips[number % 3];
    auto* byte = const_cast<uint8_t*>(damaged->data()) + at;
    *byte ^= flip;
    ReadAll(damaged);
    *byte ^= flip;
  }
}

INSTANTIATE_TEST_SUITE_P(FileReaderTest, DamagedFileTest,
                         testing::Values("lists_2.0_2.lance", "lists_2.1_2.lance", "lists_2.2_2.lance",
                                         "scalars_2.0_2.lance", "scalars_2.2_2.lance", "lists_wide_2.2.lance",
                                         "IVF_HNSW_SQ_2.2_2_index.idx", "IVF_HNSW_PQ_2.1_1_auxiliary.idx"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(FileReaderTest, ThreadsMayOpenTheSamePagesAtOnce) {
  const auto bytes = Load("lists_pages_2.2_20000.lance");
  const auto file = std::make_shared<InMemoryFile>("shared", bytes);
  const auto reader = FileReader::Open(file).ValueOrDie();
  const std::vector<std::string> columns = {"id", "numbers_empty", "vectors_null", "all_empty"};
  const auto expected =
      FileReader::Open(file).ValueOrDie()->ReadRows(columns, 0, reader->metadata().num_rows()).ValueOrDie();
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches(4);
  std::vector<std::thread> threads;
  for (auto& batch : batches) {
    threads.emplace_back([&] { batch = reader->ReadRows(columns, 0, reader->metadata().num_rows()).ValueOrDie(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& batch : batches) EXPECT_TRUE(batch->Equals(*expected));
}

TEST(FileReaderTest, GlobalBuffersComeFromTheTailIfTheyCan) {
  const auto file = std::make_shared<InMemoryFile>("index", Load("IVF_SQ_2.2_2_index.idx"));
  const auto reader = FileReader::Open(file).ValueOrDie();
  ASSERT_GT(reader->metadata().global_buffers().size(), 1u);
  const auto buffer = reader->ReadGlobalBuffer(1).ValueOrDie();
  EXPECT_EQ(file->reads(), 1u);
  const ByteRange range = reader->metadata().global_buffers()[1];
  EXPECT_TRUE(buffer->Equals(*file->Read(range).ValueOrDie()));
  // A reader without the tail has to ask for it.
  const auto again = FileReader::Make(reader->shared_metadata(), file);
  EXPECT_TRUE(again->ReadGlobalBuffer(1).ValueOrDie()->Equals(*buffer));
  EXPECT_EQ(file->reads(), 3u);
  EXPECT_TRUE(reader->ReadGlobalBuffer(99).status().IsInvalid());
}

/// A file without columns that begins with a global buffer.
std::shared_ptr<arrow::Buffer> FileThatBeginsWith(const std::string& buffer) {
  std::string file = buffer;
  const auto number = [&file](auto value) { file.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  const std::string schema = pb::FileDescriptor().SerializeAsString();
  const uint64_t table = file.size();
  for (const uint64_t value : {table, uint64_t{schema.size()}, uint64_t{0}, uint64_t{buffer.size()}}) number(value);
  for (int i = 0; i < 3; ++i) number(table);
  for (const uint32_t value : {2U, 0U}) number(value);
  for (const uint16_t value : {uint16_t{2}, uint16_t{2}}) number(value);
  return arrow::Buffer::FromString(file + "LANC");
}

TEST(FileReaderTest, OfALargeRemoteIndexNothingIsReadTwice) {
  std::string buffer(9 << 20, '\0');
  for (size_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<char>(i * 2654435761U >> 24);
  const auto bytes = FileThatBeginsWith(buffer);
  for (const bool needs_head : {false, true}) {
    const auto file = std::make_shared<InMemoryFile>("index", bytes, /*is_remote_index=*/true);
    const auto reader = FileReader::Open(file, needs_head).ValueOrDie();
    // Its ends, and what is between them.
    EXPECT_EQ(file->reads(), 2u);
    EXPECT_EQ(file->bytes_read(), static_cast<uint64_t>(bytes->size()));
    EXPECT_EQ(std::string_view(*reader->ReadGlobalBuffer(1).ValueOrDie()), buffer);
    EXPECT_EQ(file->reads(), 2u);
  }
}

}  // namespace
}  // namespace fewter::lance
