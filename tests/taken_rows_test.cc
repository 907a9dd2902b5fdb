#include "fewter/dataset/taken_rows.h"

#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>

#include <gtest/gtest.h>

namespace fewter {
namespace {

std::shared_ptr<arrow::Buffer> Serialized(const TakenRows& rows) {
  auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(rows.Serialize(out.get()).ok());
  return out->Finish().ValueOrDie();
}

TEST(TakenRows, KeepABitForEachRow) {
  const TakenRows rows(arrow::Buffer::FromString(std::string("\x05\x80\x01", 3)), 17);
  EXPECT_EQ(rows.num_taken(), 4u);
  EXPECT_EQ(rows.Offsets(), (std::vector<uint64_t>{0, 2, 15, 16}));
  EXPECT_TRUE(rows.Takes(2));
  EXPECT_FALSE(rows.Takes(1));
  EXPECT_FALSE(rows.Takes(17));
  EXPECT_FALSE(rows.Takes(uint64_t{1} << 40));
}

TEST(TakenRows, ComeBackFromBytes) {
  for (const uint64_t num_rows : {0, 1, 8, 17}) {
    const TakenRows rows(arrow::Buffer::FromString(std::string((num_rows + 7) / 8, '\x01')), num_rows);
    const auto back = TakenRows::Deserialize(Serialized(rows)).ValueOrDie();
    EXPECT_EQ(back->num_rows(), num_rows);
    EXPECT_EQ(back->Offsets(), rows.Offsets());
  }
}

TEST(TakenRows, BytesThatDoNotFitAreRefused) {
  const auto bytes = Serialized(TakenRows(arrow::Buffer::FromString(std::string("\x05\x80\x01", 3)), 17))->ToString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(TakenRows::Deserialize(arrow::Buffer::FromString(bytes.substr(0, size))).status().IsInvalid()) << size;
  }
  EXPECT_TRUE(TakenRows::Deserialize(arrow::Buffer::FromString(bytes + "x")).status().IsInvalid());
  EXPECT_TRUE(TakenRows::Deserialize(arrow::Buffer::FromString(std::string(8, '\xff'))).status().IsInvalid());
}

}  // namespace
}  // namespace fewter
