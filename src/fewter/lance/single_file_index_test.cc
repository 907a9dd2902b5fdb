#include "fewter/lance/single_file_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>

#include "fewter/lance/corruption_internal.h"
#include "fewter/lance/in_memory_file_internal.h"
#include "fewter/lance/proto/index.pb.h"

namespace fewter::lance {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// An index of two partitions of 3 and 2 rows of 4 elements, whose parts can be spoilt before it is put together.
struct TestIndexFile {
  pb::Index message;
  std::string rows;
  uint16_t minor = 1;

  explicit TestIndexFile(uint32_t bits = 8, size_t code_bytes = 2) {
    pb::VectorIndex* index = message.mutable_vector_index();
    index->set_spec_version(1);
    index->set_dimension(4);
    index->set_metric_type(2);
    for (const size_t partition_rows : {3, 2}) {
      ivf()->add_offsets(rows.size());
      ivf()->add_lengths(static_cast<uint32_t>(partition_rows));
      for (size_t i = 0; i < partition_rows * code_bytes; ++i) rows.push_back(static_cast<char>(rows.size() % 16));
      for (uint64_t id = 0; id < partition_rows; ++id) {
        const uint64_t row_id = 100 * partition_rows + id;
        rows.append(reinterpret_cast<const char*>(&row_id), sizeof(row_id));
      }
    }
    SetTensor({2, 4}, ivf()->mutable_centroids_tensor());
    pq()->set_num_bits(bits);
    pq()->set_num_sub_vectors(2);
    pq()->set_dimension(4);
    SetTensor({1U << bits, 4}, pq()->mutable_codebook_tensor());
  }

  pb::IVF* ivf() { return Stage(0)->mutable_ivf(); }
  pb::PQ* pq() { return Stage(1)->mutable_pq(); }
  pb::VectorIndexStage* Stage(int number) {
    auto* stages = message.mutable_vector_index()->mutable_stages();
    while (stages->size() <= number) stages->Add();
    return stages->Mutable(number);
  }

  static void SetTensor(const std::vector<uint32_t>& shape, pb::Tensor* tensor) {
    tensor->set_data_type(pb::Tensor::FLOAT32);
    tensor->mutable_shape()->Assign(shape.begin(), shape.end());
    std::vector<float> values(size_t{shape[0]} * shape[1]);
    std::iota(values.begin(), values.end(), 1.0F);
    tensor->set_data(values.data(), values.size() * sizeof(float));
  }

  std::string Build() const {
    const std::string bytes = message.SerializeAsString();
    std::string file = rows;
    const auto number = [&file](auto value) { file.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
    number(static_cast<uint32_t>(bytes.size()));
    file += bytes;
    number(static_cast<uint64_t>(rows.size()));
    number(uint16_t{0});
    number(minor);
    return file + "LANC";
  }

  std::string Error() const {
    InMemoryFile file("some/index.idx", ExactBuffer(Build()));
    const arrow::Status status = ReadSingleFileIndex(&file).status();
    EXPECT_THAT(status.ToString(), AnyOf("OK", HasSubstr("some/index.idx")));
    return status.ToString();
  }
};

TEST(SingleFileIndex, SaysWhatAllPartitionsShare) {
  InMemoryFile file("index.idx", ExactBuffer(TestIndexFile().Build()));
  const auto index = ReadSingleFileIndex(&file).ValueOrDie();
  EXPECT_EQ(file.reads(), 1U);
  EXPECT_EQ(index.metric, 2U);
  EXPECT_EQ(index.num_bits, 8U);
  EXPECT_EQ(index.num_sub_vectors, 2U);
  EXPECT_THAT(index.centroids.shape, ElementsAre(2, 4));
  EXPECT_THAT(index.codebook.shape, ElementsAre(256, 4));
  EXPECT_EQ(index.layout.first_byte, 0U);
  EXPECT_EQ(index.layout.code_bytes, 2U);
  EXPECT_FALSE(index.layout.is_unpacked);
  EXPECT_EQ(index.total_rows, 5U);
  EXPECT_THAT(index.offsets, ElementsAre(0, 3));
  EXPECT_THAT(index.lengths, ElementsAre(3, 2));
}

TEST(SingleFileIndex, ReadsALongMessageInTwoRequests) {
  TestIndexFile long_one;
  long_one.pq()->mutable_codebook()->Resize(40000, 0);
  InMemoryFile file("index.idx", ExactBuffer(long_one.Build()));
  EXPECT_TRUE(ReadSingleFileIndex(&file).ok());
  EXPECT_EQ(file.reads(), 2U);
}

TEST(SingleFileIndex, RowsComeWithTheirIdsThatBeginAnywhere) {
  InMemoryFile file("index.idx", ExactBuffer(TestIndexFile().Build()));
  const auto index = ReadSingleFileIndex(&file).ValueOrDie();
  const auto rows = ReadSingleFileRows(&file, index.layout, index.offsets[0], index.lengths[0]).ValueOrDie();
  ASSERT_TRUE(rows->ValidateFull().ok());
  EXPECT_EQ(rows->GetColumnByName("_rowid")->ToString(), "[\n  300,\n  301,\n  302\n]");
  const auto& lists = static_cast<const arrow::FixedSizeListArray&>(*rows->GetColumnByName("__pq_code"));
  EXPECT_EQ(lists.value_length(0), 2);
  EXPECT_EQ(lists.values()->data()->GetValues<uint8_t>(1)[5], 5);
  const auto others = ReadSingleFileRows(&file, index.layout, index.offsets[1], index.lengths[1]).ValueOrDie();
  EXPECT_EQ(others->GetColumnByName("_rowid")->ToString(), "[\n  200,\n  201\n]");
  EXPECT_TRUE(ReadSingleFileRows(&file, index.layout, 5, 1000000).status().IsIOError());
}

TEST(SingleFileIndex, HalfBytesHaveAByteEachInTheOldestFiles) {
  for (const size_t code_bytes : {1, 2}) {
    InMemoryFile file("index.idx", ExactBuffer(TestIndexFile(4, code_bytes).Build()));
    const auto index = ReadSingleFileIndex(&file).ValueOrDie();
    EXPECT_EQ(index.layout.is_unpacked, code_bytes == 2);
    const auto rows = ReadSingleFileRows(&file, index.layout, 0, 3).ValueOrDie();
    const auto& lists = static_cast<const arrow::FixedSizeListArray&>(*rows->GetColumnByName("__pq_code"));
    EXPECT_EQ(lists.value_length(0), 1);
    EXPECT_EQ(lists.values()->data()->GetValues<uint8_t>(1)[1], code_bytes == 2 ? 0x32 : 1);
  }
}

TEST(SingleFileIndex, VeryOldFilesHaveNumbersForTensors) {
  TestIndexFile test;
  test.ivf()->clear_centroids_tensor();
  test.ivf()->mutable_centroids()->Resize(8, 0.5F);
  test.pq()->clear_codebook_tensor();
  EXPECT_THAT(test.Error(), HasSubstr("codebook: 0 numbers, not 1024"));
  test.pq()->mutable_codebook()->Resize(1024, 0.25F);
  InMemoryFile file("index.idx", ExactBuffer(test.Build()));
  const auto index = ReadSingleFileIndex(&file).ValueOrDie();
  EXPECT_THAT(index.centroids.shape, ElementsAre(2, 4));
  EXPECT_EQ(index.centroids.data->data_as<float>()[7], 0.5F);
  EXPECT_EQ(index.codebook.data->data_as<float>()[1023], 0.25F);
}

TEST(SingleFileIndex, OtherStagesAreRefusedByName) {
  const auto error = [](auto change) {
    TestIndexFile file;
    change(&file);
    return file.Error();
  };
  EXPECT_THAT(error([](auto* file) { file->Stage(2)->set_transform(""); }), HasSubstr("OPQ"));
  EXPECT_THAT(error([](auto* file) { file->Stage(1)->set_diskann(""); }), HasSubstr("DiskANN"));
  EXPECT_THAT(error([](auto* file) { file->Stage(1)->set_flat(""); }), HasSubstr("flat stage"));
  EXPECT_THAT(error([](auto* file) { file->Stage(2)->mutable_ivf(); }), HasSubstr("NotImplemented"));
  EXPECT_THAT(error([](auto* file) { file->Stage(2); }), HasSubstr("none of Lance's"));
  EXPECT_THAT(error([](auto* file) { file->message.mutable_vector_index()->set_spec_version(2); }),
              HasSubstr("specification 2"));
}

TEST(SingleFileIndex, NumbersThatDoNotFitTogetherAreRefused) {
  const auto error = [](auto change) {
    TestIndexFile file;
    change(&file);
    return file.Error();
  };
  EXPECT_THAT(error([](auto* file) { file->minor = 3; }), HasSubstr("not in the container"));
  EXPECT_THAT(error([](auto* file) { file->message.mutable_vector_index()->set_dimension(5); }),
              HasSubstr("centroids"));
  EXPECT_THAT(error([](auto* file) { file->pq()->set_dimension(8); }), HasSubstr("PQ of dimension 8"));
  EXPECT_THAT(error([](auto* file) { file->pq()->set_num_bits(5); }), HasSubstr("neither 4 nor 8 bits: 5"));
  EXPECT_THAT(error([](auto* file) { file->pq()->set_num_sub_vectors(4); }), HasSubstr("rows of 10 bytes, not of 4"));
  EXPECT_THAT(error([](auto* file) { file->pq()->set_num_sub_vectors(0); }), HasSubstr("rows of 10 bytes"));
  EXPECT_THAT(error([](auto* file) { file->ivf()->set_offsets(1, 31); }), HasSubstr("partition 1 has 2 rows"));
  EXPECT_THAT(error([](auto* file) { file->ivf()->set_offsets(1, 40); }), HasSubstr("partition 1 has 2 rows"));
  EXPECT_THAT(error([](auto* file) { file->ivf()->set_lengths(1, 4); }), HasSubstr("7 rows from byte 0 to 50"));
  EXPECT_THAT(error([](auto* file) { file->ivf()->clear_offsets(); }), HasSubstr("0 offsets for 2 partitions"));
  EXPECT_THAT(error([](auto* file) { file->rows.clear(); }), HasSubstr("rows of 0 bytes"));
}

TEST(SingleFileIndex, DamagedFilesAreRefusedOrHarmless) {
  ForEachCorruption(TestIndexFile(4, 2).Build(), [](const std::shared_ptr<arrow::Buffer>& bytes) {
    InMemoryFile file("index.idx", bytes);
    const auto index = ReadSingleFileIndex(&file);
    if (!index.ok()) return;
    for (size_t i = 0; i < index->offsets.size(); ++i) {
      const auto rows = ReadSingleFileRows(&file, index->layout, index->offsets[i], index->lengths[i]);
      ASSERT_TRUE(rows.ok()) << rows.status();
      ASSERT_TRUE((*rows)->ValidateFull().ok());
    }
  });
}

}  // namespace
}  // namespace fewter::lance
