#include "fewter/ipc/sections.h"

#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/builder_dict.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/util/bytes.h"

namespace fewter::ipc {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<arrow::Array> Vectors(int64_t rows, int dimension) {
  auto values = std::make_shared<arrow::FloatBuilder>();
  arrow::FixedSizeListBuilder builder(arrow::default_memory_pool(), values, dimension);
  for (int64_t row = 0; row < rows; ++row) {
    EXPECT_TRUE(builder.Append().ok());
    for (int i = 0; i < dimension; ++i) EXPECT_TRUE(values->Append(static_cast<float>(row * dimension + i)).ok());
  }
  return *builder.Finish();
}

std::shared_ptr<arrow::Array> Numbers(int64_t rows) {
  arrow::UInt64Builder builder;
  for (int64_t row = 0; row < rows; ++row) EXPECT_TRUE(builder.Append(static_cast<uint64_t>(row) * 7).ok());
  return *builder.Finish();
}

std::shared_ptr<arrow::Array> NumbersAndNulls(int64_t rows) {
  arrow::Int32Builder builder;
  for (int32_t row = 0; row < rows; ++row) {
    EXPECT_TRUE((row % 3 == 1 ? builder.AppendNull() : builder.Append(row)).ok());
  }
  return *builder.Finish();
}

std::shared_ptr<arrow::Array> Lists(int64_t rows) {
  auto values = std::make_shared<arrow::UInt32Builder>();
  arrow::ListBuilder builder(arrow::default_memory_pool(), values);
  for (int64_t row = 0; row < rows; ++row) {
    EXPECT_TRUE((row % 5 == 2 ? builder.AppendNull() : builder.Append()).ok());
    for (int64_t i = 0; i < (row % 5 == 2 ? 0 : row % 4); ++i) {
      EXPECT_TRUE(values->Append(static_cast<uint32_t>(row + i)).ok());
    }
  }
  return *builder.Finish();
}

std::shared_ptr<arrow::Array> Texts(int64_t rows) {
  arrow::StringBuilder builder;
  for (int64_t row = 0; row < rows; ++row) EXPECT_TRUE(builder.Append(std::string(row % 11, 'x')).ok());
  return *builder.Finish();
}

std::shared_ptr<arrow::RecordBatch> BatchOf(std::vector<std::shared_ptr<arrow::Array>> columns) {
  arrow::FieldVector fields;
  for (const auto& column : columns) {
    fields.push_back(field(std::string("c").append(std::to_string(fields.size())), column->type()));
  }
  const int64_t rows = columns.empty() ? 0 : columns[0]->length();
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, std::move(columns));
}

std::shared_ptr<arrow::RecordBatch> SmallBatch(int64_t rows = 10) {
  return BatchOf({Vectors(rows, 3), Numbers(rows)});
}

/// The bytes of these batches, in memory from a pool, which is aligned.
std::shared_ptr<arrow::Buffer> Write(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
                                     std::string_view before = "") {
  auto out = *arrow::io::BufferOutputStream::Create();
  EXPECT_TRUE(out->Write(before).ok());
  for (const auto& batch : batches) {
    const arrow::Status status = WriteSection(*batch, out.get());
    EXPECT_TRUE(status.ok()) << status;
  }
  return *out->Finish();
}

void ForEachBuffer(const arrow::ArrayData& array, const std::function<void(const arrow::Buffer&)>& visit) {
  for (const auto& buffer : array.buffers) {
    if (buffer != nullptr && buffer->size() > 0) visit(*buffer);
  }
  for (const auto& child : array.child_data) ForEachBuffer(*child, visit);
}

void ExpectAlignedInside(const arrow::RecordBatch& batch, const arrow::Buffer& run) {
  EXPECT_TRUE(PointsInto(batch, run));
  for (const auto& column : batch.columns()) {
    ForEachBuffer(*column->data(), [&](const arrow::Buffer& buffer) {
      EXPECT_EQ(buffer.address() % 64, 0u);
      EXPECT_GE(buffer.data(), run.data());
      EXPECT_LE(buffer.data() + buffer.size(), run.data() + run.size());
    });
  }
}

struct Example {
  const char* name;
  std::shared_ptr<arrow::RecordBatch> (*make)();
};
void PrintTo(const Example& example, std::ostream* out) {
  *out << example.name;
}

class Roundtrip : public ::testing::TestWithParam<Example> {};

TEST_P(Roundtrip, GivesEqualBatchesThatPointIntoTheRun) {
  const auto batch = GetParam().make();
  const auto run = Write({batch, SmallBatch(), batch});
  SectionReader reader(run);
  for (const auto& expected : {batch, SmallBatch(), batch}) {
    const auto read = reader.Next(expected->schema().get());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE((*read)->Equals(*expected, /*check_metadata=*/true));
    EXPECT_TRUE((*read)->ValidateFull().ok());
    ExpectAlignedInside(**read, *run);
  }
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_TRUE(reader.Next().status().IsInvalid());
}

INSTANTIATE_TEST_SUITE_P(
    Sections, Roundtrip,
    ::testing::Values(
        Example{"vectors", [] { return BatchOf({Vectors(100, 8)}); }},
        Example{"one number", [] { return BatchOf({Numbers(1)}); }},
        Example{"vectors and numbers",
                [] {
                  return BatchOf({Vectors(33, 5), Numbers(33)});
                }},
        Example{"lists", [] { return BatchOf({Lists(50)}); }},
        Example{"nulls and texts",
                [] {
                  return BatchOf({NumbersAndNulls(29), Texts(29)});
                }},
        Example{"no rows",
                [] {
                  return BatchOf({Vectors(0, 8), Numbers(0), Lists(0), Texts(0), NumbersAndNulls(0)});
                }},
        Example{"no columns", [] { return BatchOf({}); }},
        Example{"rows without columns",
                [] { return arrow::RecordBatch::Make(arrow::schema({}), 12, arrow::ArrayVector()); }},
        Example{"a slice",
                [] {
                  return BatchOf({Vectors(40, 8), Lists(40), NumbersAndNulls(40)})->Slice(9, 17);
                }},
        Example{"only nulls", [] { return BatchOf({*arrow::MakeArrayOfNull(arrow::null(), 5)}); }},
        Example{"schema metadata", [] {
                  return SmallBatch()->ReplaceSchemaMetadata(arrow::key_value_metadata({{"lance:hnsw", "{}"}}));
                }}));

TEST(WriteSection, PadsFromTheFirstByteOfTheRun) {
  const auto run = Write({SmallBatch()}, std::string(65, '\0'));
  SectionReader reader(run);
  EXPECT_TRUE(reader.Next().status().IsInvalid()) << "zeros are not a stream";
  SectionReader rest(arrow::SliceBuffer(run, 128));
  const auto batch = rest.Next();
  ASSERT_TRUE(batch.ok()) << batch.status();
  ExpectAlignedInside(**batch, *run);
}

TEST(WriteSection, WritesWhatAnyArrowReaderReads) {
  const auto batch = BatchOf({Vectors(21, 5), Lists(21), NumbersAndNulls(21), Texts(21)});
  const auto reader =
      *arrow::ipc::RecordBatchStreamReader::Open(std::make_shared<arrow::io::BufferReader>(Write({batch})));
  std::shared_ptr<arrow::RecordBatch> read;
  ASSERT_TRUE(reader->ReadNext(&read).ok());
  EXPECT_TRUE(read->Equals(*batch, /*check_metadata=*/true));
  EXPECT_TRUE(read->ValidateFull().ok());
  ASSERT_TRUE(reader->ReadNext(&read).ok());
  EXPECT_EQ(read, nullptr);
}

TEST(WriteSection, RefusesDictionaries) {
  arrow::StringDictionaryBuilder builder;
  ASSERT_TRUE(builder.Append("a").ok());
  auto out = *arrow::io::BufferOutputStream::Create();
  const auto status = WriteSection(*BatchOf({*builder.Finish()}), out.get());
  EXPECT_TRUE(status.IsInvalid());
  EXPECT_THAT(status.message(), HasSubstr("c0"));
  EXPECT_EQ(*out->Tell(), 0);
}

TEST(SectionReader, KeepsTheRunAlive) {
  auto run = Write({SmallBatch()});
  const std::weak_ptr<arrow::Buffer> watch = run;
  auto batch = *SectionReader(run).Next();
  run.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_TRUE(batch->Equals(*SmallBatch()));
  batch.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(SectionReader, ComparesNamesAndTypesWithWhatIsExpected) {
  const auto run = Write({SmallBatch()});
  const auto vectors = field("c0", arrow::fixed_size_list(arrow::float32(), 3));
  const auto numbers = field("c1", arrow::uint64());
  const auto read_as = [&](const arrow::FieldVector& fields) {
    SectionReader reader(run);
    return reader.Next(arrow::schema(fields).get()).status();
  };
  EXPECT_TRUE(read_as({vectors, numbers}).ok());
  EXPECT_TRUE(read_as({vectors, numbers->WithNullable(false)}).ok());
  EXPECT_TRUE(read_as({vectors, numbers->WithMetadata(arrow::key_value_metadata({{"a", "b"}}))}).ok());
  EXPECT_TRUE(read_as({vectors, numbers->WithName("x")}).IsInvalid());
  EXPECT_TRUE(read_as({vectors, numbers->WithType(arrow::int64())}).IsInvalid());
  EXPECT_TRUE(read_as({vectors->WithType(arrow::fixed_size_list(arrow::float32(), 4)), numbers}).IsInvalid());
  EXPECT_TRUE(read_as({numbers, vectors}).IsInvalid());
  EXPECT_TRUE(read_as({vectors}).IsInvalid());
  EXPECT_TRUE(read_as({vectors, numbers, numbers}).IsInvalid());
}

TEST(SectionReader, StaysWhereItIsAfterAnError) {
  SectionReader reader(Write({SmallBatch()}));
  EXPECT_TRUE(reader.Next(arrow::schema({}).get()).status().IsInvalid());
  EXPECT_TRUE(reader.Finish().IsInvalid());
  EXPECT_TRUE(reader.Next().ok());
  EXPECT_TRUE(reader.Finish().ok());
}

TEST(SectionReader, RefusesARunThatIsNotAligned) {
  const auto run = Write({SmallBatch()});
  const std::shared_ptr<arrow::Buffer> moved = *arrow::AllocateBuffer(run->size() + 8);
  std::memcpy(moved->mutable_data() + 8, run->data(), static_cast<size_t>(run->size()));
  EXPECT_TRUE(SectionReader(arrow::SliceBuffer(moved, 8)).Next().status().IsInvalid());
}

std::shared_ptr<arrow::Buffer> WithTail(const arrow::Buffer& run, const std::string& tail) {
  const std::string bytes = run.ToString() + tail;
  std::shared_ptr<arrow::Buffer> buffer = *arrow::AllocateBuffer(static_cast<int64_t>(bytes.size()));
  std::memcpy(buffer->mutable_data(), bytes.data(), bytes.size());
  return buffer;
}

TEST(SectionReaderFinish, SeesWhatIsLeft) {
  const auto run = Write({SmallBatch()});
  const auto finish = [](const std::shared_ptr<arrow::Buffer>& bytes) {
    SectionReader reader(bytes);
    EXPECT_TRUE(reader.Next().ok());
    return reader.Finish();
  };
  const auto padding = static_cast<size_t>(RoundUp<uint64_t>(run->size(), 64) - run->size());
  EXPECT_TRUE(finish(WithTail(*run, std::string(padding, '\0'))).ok());
  EXPECT_TRUE(finish(WithTail(*run, std::string(1, '\0'))).ok());
  EXPECT_TRUE(finish(WithTail(*run, "x")).IsInvalid());
  EXPECT_TRUE(finish(WithTail(*run, std::string("\0x", 2))).IsInvalid());
  EXPECT_TRUE(finish(WithTail(*run, std::string(64, '\0'))).IsInvalid());
  EXPECT_TRUE(finish(Write({SmallBatch(), SmallBatch()})).IsInvalid());
}

/// A stream as Arrow writes it, with other options or more than one batch.
std::shared_ptr<arrow::Buffer> WriteStream(arrow::ipc::IpcWriteOptions options, int batches) {
  options.use_threads = false;
  auto out = *arrow::io::BufferOutputStream::Create();
  const auto batch = SmallBatch(100);  // 1200 bytes of vectors, which is no multiple of 64
  const auto writer = *arrow::ipc::MakeStreamWriter(out, batch->schema(), options);
  for (int i = 0; i < batches; ++i) EXPECT_TRUE(writer->WriteRecordBatch(*batch).ok());
  EXPECT_TRUE(writer->Close().ok());
  return *out->Finish();
}

TEST(SectionReader, RefusesWhatItWouldHaveToCopy) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  EXPECT_TRUE(SectionReader(WriteStream(options, 1)).Next().status().IsInvalid()) << "aligned to 8 bytes";
  options.alignment = 64;
  for (const auto compression : {arrow::Compression::LZ4_FRAME, arrow::Compression::ZSTD}) {
    if (!arrow::util::Codec::IsAvailable(compression)) continue;
    options.codec = *arrow::util::Codec::Create(compression);
    const auto status = SectionReader(WriteStream(options, 1)).Next().status();
    EXPECT_TRUE(status.IsInvalid()) << "compressed";
    EXPECT_THAT(status.message(), HasSubstr("copy"));
  }
}

TEST(SectionReader, RefusesStreamsWithOtherThanOneBatch) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = 64;
  const auto none = SectionReader(WriteStream(options, 0)).Next().status();
  EXPECT_TRUE(none.IsInvalid());
  EXPECT_THAT(none.message(), HasSubstr("ends too early"));
  const auto two = SectionReader(WriteStream(options, 2)).Next().status();
  EXPECT_TRUE(two.IsInvalid());
  EXPECT_THAT(two.message(), HasSubstr("no end of stream"));
}

TEST(SectionReader, RefusesDictionaryBatches) {
  arrow::StringDictionaryBuilder builder;
  ASSERT_TRUE(builder.Append("a").ok());
  const auto batch = BatchOf({*builder.Finish()});
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = 64;
  auto out = *arrow::io::BufferOutputStream::Create();
  const auto writer = *arrow::ipc::MakeStreamWriter(out, batch->schema(), options);
  ASSERT_TRUE(writer->WriteRecordBatch(*batch).ok());
  ASSERT_TRUE(writer->Close().ok());
  const auto status = SectionReader(*out->Finish()).Next().status();
  EXPECT_TRUE(status.IsInvalid());
  EXPECT_THAT(status.message(), HasSubstr("dictionary"));
}

TEST(SectionReader, RefusesEveryTruncation) {
  const auto run = Write({SmallBatch()});
  for (int64_t size = 0; size < run->size(); ++size) {
    EXPECT_TRUE(SectionReader(arrow::SliceBuffer(run, 0, size)).Next().status().IsInvalid()) << size;
  }
}

TEST(SectionReader, SurvivesEveryBitFlip) {
  const auto run = Write({BatchOf({Vectors(4, 3), Lists(4), NumbersAndNulls(4), Texts(4)})});
  const std::shared_ptr<arrow::Buffer> copy = *arrow::AllocateBuffer(run->size());
  for (int64_t bit = 0; bit < run->size() * 8; ++bit) {
    std::memcpy(copy->mutable_data(), run->data(), static_cast<size_t>(run->size()));
    copy->mutable_data()[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const auto batch = SectionReader(copy).Next();
    // Whatever it means now, it does not reach outside.
    if (batch.ok()) {
      EXPECT_TRUE((*batch)->Validate().ok());
      EXPECT_TRUE(PointsInto(**batch, *copy));
    }
  }
}

TEST(PointsInto, IsFalseForOtherMemory) {
  const auto run = Write({SmallBatch()});
  EXPECT_FALSE(PointsInto(*SmallBatch(), *run));
  const auto batch = *SectionReader(run).Next();
  EXPECT_TRUE(PointsInto(*batch, *run));
  EXPECT_FALSE(PointsInto(*batch, *arrow::SliceBuffer(run, 0, run->size() / 2)));
  const auto mixed = BatchOf({batch->column(0), Numbers(10)});
  EXPECT_FALSE(PointsInto(*mixed, *run));
}

}  // namespace
}  // namespace fewter::ipc
