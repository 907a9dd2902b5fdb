#include "fewter/lance/file_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include <arrow/io/memory.h>

#include "fewter/lance/proto/file.pb.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

using testing::HasSubstr;

/// A file of one page, whose parts can be spoilt one by one before it is put together.
struct TestFile {
  uint16_t major = 2;
  uint16_t minor = 2;
  std::string page = std::string(64, 'p');
  std::string user_buffer = std::string(64, 'g');
  pb::FileDescriptor descriptor;
  pb::ColumnMetadata column;
  uint64_t schema_offset_error = 0;
  uint32_t num_columns = 1;
  uint32_t num_global_buffers = 2;

  TestFile() {
    descriptor.set_length(10);
    pb::Field* field = descriptor.mutable_schema()->add_fields();
    field->set_name("x");
    field->set_id(0);
    field->set_parent_id(-1);
    field->set_logical_type("int32");
    pb::Entry* entry = descriptor.mutable_schema()->add_metadata();
    entry->set_key("key");
    entry->set_value("value");
    pb::EncodingMessage encoding;
    encoding.set_type_url("/some.Type");
    encoding.set_value("bytes");
    auto* page_message = column.add_pages();
    page_message->set_length(10);
    page_message->add_buffer_offsets(0);
    page_message->add_buffer_sizes(64);
    page_message->mutable_encoding()->mutable_direct()->set_encoding(encoding.SerializeAsString());
  }

  std::shared_ptr<arrow::Buffer> Build() const {
    std::string file = page + user_buffer;
    const auto number = [&file](auto value) { file.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
    const uint64_t schema_offset = file.size();
    const std::string schema = descriptor.SerializeAsString();
    file += schema;
    const uint64_t column_offset = file.size();
    const std::string column_bytes = column.SerializeAsString();
    file += column_bytes;
    const uint64_t column_table = file.size();
    number(column_offset);
    number(static_cast<uint64_t>(column_bytes.size()));
    const uint64_t global_table = file.size();
    number(schema_offset + schema_offset_error);
    number(static_cast<uint64_t>(schema.size()));
    number(uint64_t{64});
    number(uint64_t{64});
    number(column_offset);
    number(column_table);
    number(global_table);
    number(num_global_buffers);
    number(num_columns);
    number(major);
    number(minor);
    file += "LANC";
    return arrow::Buffer::FromString(std::move(file));
  }

  arrow::Result<std::shared_ptr<const FileMetadata>> Parse() const {
    const auto bytes = Build();
    return FileMetadata::Parse("some/file", static_cast<uint64_t>(bytes->size()), bytes);
  }
};

std::shared_ptr<arrow::Buffer> Tail(const std::shared_ptr<arrow::Buffer>& file, uint64_t size) {
  return arrow::SliceBuffer(file, file->size() - static_cast<int64_t>(size));
}

TEST(FileMetadataTest, EverythingIsDecoded) {
  const auto metadata = TestFile().Parse().ValueOrDie();
  EXPECT_EQ(metadata->path(), "some/file");
  EXPECT_EQ(metadata->version(), FileVersion::kV2_2);
  EXPECT_EQ(metadata->num_rows(), 10u);
  ASSERT_EQ(metadata->fields().size(), 1u);
  EXPECT_EQ(metadata->fields()[0].name, "x");
  EXPECT_EQ(metadata->fields()[0].logical_type, "int32");
  EXPECT_EQ(metadata->schema_metadata().at("key"), "value");
  ASSERT_EQ(metadata->global_buffers().size(), 2u);
  EXPECT_EQ(metadata->global_buffers()[1], (ByteRange{64, 64}));
  ASSERT_EQ(metadata->columns().size(), 1u);
  const PageMetadata& page = metadata->columns()[0].pages.at(0);
  EXPECT_EQ(page.buffers, (std::vector<ByteRange>{{0, 64}}));
  EXPECT_EQ(page.num_rows, 10u);
  EXPECT_EQ(page.encoding_type_url, "/some.Type");
  EXPECT_EQ(page.encoding, "bytes");
}

TEST(FileMetadataTest, BothNumbersOfVersion20AreKnownAndOthersRefused) {
  const auto parse = [](uint16_t major, uint16_t minor) {
    TestFile file;
    file.major = major;
    file.minor = minor;
    return file.Parse();
  };
  EXPECT_EQ(parse(0, 3).ValueOrDie()->version(), FileVersion::kV2_0);
  EXPECT_EQ(parse(2, 0).ValueOrDie()->version(), FileVersion::kV2_0);
  EXPECT_EQ(parse(2, 1).ValueOrDie()->version(), FileVersion::kV2_1);
  for (const uint16_t minor : {0, 1, 2}) {
    const arrow::Status status = parse(0, minor).status();
    EXPECT_TRUE(status.IsNotImplemented());
    EXPECT_THAT(status.message(), HasSubstr("the container of before version 2.0"));
    EXPECT_THAT(status.message(), HasSubstr("some/file"));
  }
  EXPECT_THAT(parse(2, 3).status().message(), HasSubstr("file version 2.3"));
  EXPECT_TRUE(parse(2, 3).status().IsNotImplemented());
}

TEST(FileMetadataTest, RequiredTailIsFoundInOneStepOrTwo) {
  const auto file = TestFile().Build();
  const auto size = static_cast<uint64_t>(file->size());
  // The footer alone does not say where the schema begins, only where the tables do.
  const uint64_t first = FileMetadata::RequiredTail("f", size, Tail(file, FileMetadata::kFooterSize)).ValueOrDie();
  EXPECT_LT(first, size - 128);
  const uint64_t second = FileMetadata::RequiredTail("f", size, Tail(file, first)).ValueOrDie();
  EXPECT_EQ(second, size - 128);
  EXPECT_TRUE(FileMetadata::Parse("f", size, Tail(file, second)).ok());
  EXPECT_TRUE(FileMetadata::Parse("f", size, Tail(file, second - 1)).status().IsInvalid());
  EXPECT_TRUE(FileMetadata::RequiredTail("f", size, Tail(file, 39)).status().IsInvalid());
}

TEST(FileMetadataTest, TheTailIsTrimmed) {
  const auto metadata = TestFile().Parse().ValueOrDie();
  EXPECT_EQ(static_cast<uint64_t>(metadata->tail()->size()), metadata->file_size() - 128);
  EXPECT_GT(metadata->SizeInBytes(), metadata->tail()->size());
}

TEST(FileMetadataTest, SurvivesTheCache) {
  const auto metadata = TestFile().Parse().ValueOrDie();
  auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  ASSERT_TRUE(metadata->Serialize(out.get()).ok());
  const auto body = out->Finish().ValueOrDie();
  const auto again = FileMetadata::Deserialize(body).ValueOrDie();
  EXPECT_EQ(again->path(), "some/file");
  EXPECT_EQ(again->file_size(), metadata->file_size());
  EXPECT_EQ(again->global_buffers(), metadata->global_buffers());
  EXPECT_TRUE(again->tail()->Equals(*metadata->tail()));
  for (int64_t size = 0; size < body->size(); ++size) {
    EXPECT_FALSE(FileMetadata::Deserialize(arrow::SliceBuffer(body, 0, size)).ok()) << size;
  }
}

TEST(FileMetadataTest, BuffersOutsideTheFileAreRefused) {
  TestFile file;
  file.column.mutable_pages(0)->set_buffer_sizes(0, 1 << 20);
  EXPECT_TRUE(file.Parse().status().IsInvalid());
  file.column.mutable_pages(0)->set_buffer_offsets(0, ~uint64_t{0} - 63);
  file.column.mutable_pages(0)->set_buffer_sizes(0, 128);
  EXPECT_TRUE(file.Parse().status().IsInvalid());
  TestFile two_sizes;
  two_sizes.column.mutable_pages(0)->add_buffer_sizes(1);
  EXPECT_TRUE(two_sizes.Parse().status().IsInvalid());
  TestFile schema;
  schema.schema_offset_error = uint64_t{1} << 40;
  EXPECT_TRUE(schema.Parse().status().IsInvalid());
}

TEST(FileMetadataTest, BuffersAreAlignedFromVersion21On) {
  TestFile file;
  file.column.mutable_pages(0)->set_buffer_offsets(0, 8);
  file.column.mutable_pages(0)->set_buffer_sizes(0, 8);
  EXPECT_TRUE(file.Parse().status().IsInvalid());
  file.minor = 0;
  EXPECT_TRUE(file.Parse().ok());
}

TEST(FileMetadataTest, MalformedTablesAreRefused) {
  TestFile columns;
  columns.num_columns = 1000;
  EXPECT_TRUE(columns.Parse().status().IsInvalid());
  TestFile buffers;
  buffers.num_global_buffers = ~uint32_t{0};
  EXPECT_TRUE(buffers.Parse().status().IsInvalid());
  buffers.num_global_buffers = 0;
  EXPECT_TRUE(buffers.Parse().status().IsInvalid());
  TestFile rows;
  rows.column.mutable_pages(0)->set_length(~uint64_t{0});
  *rows.column.add_pages() = rows.column.pages(0);
  EXPECT_TRUE(rows.Parse().status().IsInvalid());
}

TEST(FileMetadataTest, FieldsComeAfterTheirParents) {
  TestFile file;
  pb::Field* child = file.descriptor.mutable_schema()->add_fields();
  child->set_name("child");
  child->set_id(1);
  child->set_parent_id(0);
  EXPECT_TRUE(file.Parse().ok());
  child->set_parent_id(7);
  EXPECT_THAT(file.Parse().status().message(), HasSubstr("'child' comes before its parent"));
}

TEST(FileMetadataTest, NamesAreUtf8) {
  TestFile file;
  pb::Field* field = file.descriptor.mutable_schema()->mutable_fields(0);
  field->set_name(
      "Gr\xC3\xBC\xC3\x9F"
      "e");
  EXPECT_TRUE(file.Parse().ok());
  field->set_name("\xFF");
  EXPECT_THAT(file.Parse().status().message(), HasSubstr("not UTF-8"));
}

TEST(FileMetadataTest, EveryTruncationIsAnError) {
  const auto file = TestFile().Build();
  for (int64_t size = 0; size < file->size(); ++size) {
    const auto part = arrow::SliceBuffer(file, 0, size);
    EXPECT_FALSE(FileMetadata::Parse("f", static_cast<uint64_t>(size), part).ok()) << size;
    EXPECT_FALSE(FileMetadata::RequiredTail("f", static_cast<uint64_t>(size), part).ok()) << size;
  }
}

}  // namespace
}  // namespace fewter::lance
