#include "fewter/cache/envelope.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/envelope_internal.h"
#include "fewter/cache/test_values_internal.h"
#include "fewter/util/bytes.h"

namespace fewter {
namespace {

using internal::EnvelopeHeader;
using testing::Encoded;
using ::testing::HasSubstr;
using testing::Numbers;
using testing::ReadNumbers;
using testing::Text;
using testing::TextKey;
using testing::WriteNumbers;

const CacheCodec kCodec = CacheCodec::For<Text>();

std::shared_ptr<const CacheNamespace> IndexNamespace() {
  return CacheNamespace::Root()->Child("s3://bucket/table")->Child("6a1f");
}

Encoded<TextKey> Key(uint64_t number = 17) {
  return Encoded(TextKey{number}, IndexNamespace());
}

std::shared_ptr<arrow::Buffer> Entry(std::string_view text, uint64_t number = 17) {
  const Text value(text);
  auto entry = EncodeEntry(*Key(number), kCodec, &value);
  EXPECT_TRUE(entry.ok()) << entry.status();
  return *entry;
}

std::shared_ptr<arrow::Buffer> Copy(const arrow::Buffer& bytes) {
  return *bytes.CopySlice(0, bytes.size());
}

EnvelopeVerdict Verdict(const std::shared_ptr<arrow::Buffer>& bytes) {
  const DecodedEntry decoded = DecodeEntry(*Key(), kCodec, bytes);
  EXPECT_EQ(decoded.hit(), decoded.value != nullptr);
  return decoded.verdict;
}

EnvelopeHeader HeaderOf(const arrow::Buffer& entry) {
  return LoadLittleEndian<EnvelopeHeader>(entry.data());
}

/// The entry with this header and the checksum that belongs to it, as its writer would have written it.
std::shared_ptr<arrow::Buffer> WithHeader(const arrow::Buffer& entry, EnvelopeHeader header) {
  const auto changed = Copy(entry);
  std::memcpy(changed->mutable_data(), &header, sizeof(header));
  header.header_checksum = internal::EnvelopeHeaderChecksum(
      {reinterpret_cast<const char*>(changed->data()), static_cast<size_t>(changed->size())},
      HeaderOf(entry).body_offset);
  std::memcpy(changed->mutable_data(), &header, sizeof(header));
  return changed;
}

class EnvelopeOfSize : public ::testing::TestWithParam<size_t> {};

TEST_P(EnvelopeOfSize, ComesBackInPlace) {
  const std::string text(GetParam(), 'x');
  const auto entry = Entry(text);
  EXPECT_EQ(entry->size() % 64, 0);
  EXPECT_EQ(entry->address() % 64, 0u);
  const DecodedEntry decoded = DecodeEntry(*Key(), kCodec, entry);
  ASSERT_EQ(decoded.verdict, EnvelopeVerdict::kHit);
  EXPECT_EQ(decoded.body_bytes, static_cast<int64_t>(text.size()));
  const auto& body = *std::static_pointer_cast<const Text>(decoded.value)->bytes();
  EXPECT_EQ(body.ToString(), text);
  EXPECT_EQ(body.address() % 64, 0u);
  EXPECT_EQ(body.data(), entry->data() + HeaderOf(*entry).body_offset);
}

INSTANTIATE_TEST_SUITE_P(Envelope, EnvelopeOfSize, ::testing::Values(0, 1, 63, 64, 65, 1000, 100'000));

TEST(Envelope, IsLaidOutAsDocumented) {
  // Half a page that must not change without a new version: see docs/format/cache_entry.md.
  const auto entry = Entry("hello");
  const EnvelopeHeader header = HeaderOf(*entry);
  EXPECT_EQ(std::string(header.magic.data(), 4), "FWCE");
  EXPECT_EQ(header.envelope_version, 1);
  EXPECT_EQ(header.type_version, 3u);
  EXPECT_EQ(header.type_id_length, 19);
  const std::string full = (*Key()).Full();
  EXPECT_EQ(header.key_length, full.size());
  EXPECT_EQ(header.body_offset, RoundUp<uint64_t>(64 + 19 + full.size(), 64));
  EXPECT_EQ(header.body_length, 5u);
  const std::string bytes = entry->ToString();
  EXPECT_EQ(bytes.substr(64, 19 + full.size()), "fewter.testing.Text" + full);
  EXPECT_EQ(bytes.substr(header.body_offset, 5), "hello");
  EXPECT_EQ(bytes.size(), header.body_offset + 64);
}

TEST(Envelope, HasTheSameBytesEachTime) {
  EXPECT_TRUE(Entry("hello")->Equals(*Entry("hello")));
  EXPECT_FALSE(Entry("hello")->Equals(*Entry("hellO")));
  EXPECT_FALSE(Entry("hello", 1)->Equals(*Entry("hello", 2)));
}

TEST(Envelope, ValueKeepsTheBytesAlive) {
  auto entry = Entry("hello");
  const std::weak_ptr<arrow::Buffer> watch = entry;
  auto decoded = DecodeEntry(*Key(), kCodec, entry);
  entry.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(std::static_pointer_cast<const Text>(decoded.value)->ToString(), "hello");
  decoded.value.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(Envelope, CopiesBytesThatAreNotAlignedOnce) {
  const auto entry = Entry("hello");
  for (const int64_t shift : {1, 8, 32}) {
    const std::shared_ptr<arrow::Buffer> moved = *arrow::AllocateBuffer(entry->size() + shift);
    std::memcpy(moved->mutable_data() + shift, entry->data(), static_cast<size_t>(entry->size()));
    const auto decoded = DecodeEntry(*Key(), kCodec, arrow::SliceBuffer(moved, shift));
    ASSERT_TRUE(decoded.hit());
    const auto& body = *std::static_pointer_cast<const Text>(decoded.value)->bytes();
    EXPECT_EQ(body.ToString(), "hello");
    EXPECT_EQ(body.address() % 64, 0u);
  }
}

TEST(Envelope, EveryBitFlipIsAMissWithAReason) {
  const auto entry = Entry("hello, this is the body");
  std::map<EnvelopeVerdict, int> verdicts;
  for (int64_t bit = 0; bit < entry->size() * 8; ++bit) {
    const auto flipped = Copy(*entry);
    flipped->mutable_data()[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const EnvelopeVerdict verdict = Verdict(flipped);
    EXPECT_NE(verdict, EnvelopeVerdict::kHit) << "bit " << bit % 8 << " of byte " << bit / 8;
    ++verdicts[verdict];
  }
  EXPECT_EQ(verdicts[EnvelopeVerdict::kNotOurs], 32) << "the magic number";
  EXPECT_EQ(verdicts[EnvelopeVerdict::kTooNew], 15) << "the envelope's version, but for the bit that makes it 0";
  EXPECT_EQ(verdicts[EnvelopeVerdict::kCorrupt], entry->size() * 8 - 47);
}

TEST(Envelope, EveryTruncationIsAMissWithAReason) {
  const auto entry = Entry("hello");
  for (int64_t size = 0; size < entry->size(); ++size) {
    EXPECT_EQ(Verdict(arrow::SliceBuffer(entry, 0, size)),
              size < 64 ? EnvelopeVerdict::kNotOurs : EnvelopeVerdict::kCorrupt)
        << size;
  }
}

TEST(Envelope, BytesBehindTheEntryAreAMiss) {
  const auto entry = Entry("hello");
  for (const size_t size : {1, 63, 64, 128}) {
    EXPECT_EQ(Verdict(arrow::Buffer::FromString(entry->ToString() + std::string(size, '\0'))),
              EnvelopeVerdict::kCorrupt);
  }
}

TEST(Envelope, TellsOtherKeysApart) {
  EXPECT_EQ(Verdict(Entry("hello", 18)), EnvelopeVerdict::kOtherKey);
  const Text value("hello");
  const Encoded elsewhere(TextKey{17}, CacheNamespace::Root()->Child("s3://bucket/table"));
  EXPECT_EQ(Verdict(*EncodeEntry(*elsewhere, kCodec, &value)), EnvelopeVerdict::kOtherKey);
}

TEST(Envelope, TellsOtherTypesApart) {
  const Numbers numbers = {1, 2};
  const auto codec = CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>("fewter.testing.Numbers", 3);
  EXPECT_EQ(Verdict(*EncodeEntry(*Key(), codec, &numbers)), EnvelopeVerdict::kOtherType);
  // A type id that begins like the one that is expected.
  const auto longer = CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>("fewter.testing.Texts", 3);
  EXPECT_EQ(Verdict(*EncodeEntry(*Key(), longer, &numbers)), EnvelopeVerdict::kOtherType);
}

TEST(Envelope, TellsVersionsOfTheTypeApart) {
  const Numbers numbers = {1, 2};
  const auto newer = CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>("fewter.testing.Text", 4);
  EXPECT_EQ(Verdict(*EncodeEntry(*Key(), newer, &numbers)), EnvelopeVerdict::kTooNew);
  const auto older = CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>("fewter.testing.Text", 2);
  EXPECT_EQ(Verdict(*EncodeEntry(*Key(), older, &numbers)), EnvelopeVerdict::kTooOld);
}

TEST(Envelope, TellsVersionsOfTheEnvelopeApart) {
  const auto entry = Entry("hello");
  EnvelopeHeader header = HeaderOf(*entry);
  header.envelope_version = 2;
  EXPECT_EQ(Verdict(WithHeader(*entry, header)), EnvelopeVerdict::kTooNew);
  header.envelope_version = 0;
  EXPECT_EQ(Verdict(WithHeader(*entry, header)), EnvelopeVerdict::kCorrupt);
}

TEST(Envelope, BoundsLengthsThatCarryARightChecksum) {
  const auto entry = Entry("hello");
  const auto verdict_with = [&](auto change) {
    EnvelopeHeader header = HeaderOf(*entry);
    change(header);
    return Verdict(WithHeader(*entry, header));
  };
  EXPECT_EQ(verdict_with([](EnvelopeHeader&) {}), EnvelopeVerdict::kHit);
  for (const uint64_t length : {uint64_t{65}, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{63}}) {
    EXPECT_EQ(verdict_with([=](EnvelopeHeader& header) { header.body_length = length; }), EnvelopeVerdict::kCorrupt);
    EXPECT_EQ(verdict_with([=](EnvelopeHeader& header) { header.body_offset = length; }), EnvelopeVerdict::kCorrupt);
    EXPECT_EQ(verdict_with([=](EnvelopeHeader& header) { header.body_offset += length; }), EnvelopeVerdict::kCorrupt);
  }
  EXPECT_EQ(verdict_with([](EnvelopeHeader& header) { header.key_length = 0xffffffff; }), EnvelopeVerdict::kCorrupt);
  EXPECT_EQ(verdict_with([](EnvelopeHeader& header) { header.type_id_length = 0xffff; }), EnvelopeVerdict::kCorrupt);
  // A shorter type id and a longer key take the same room.
  EXPECT_EQ(verdict_with([](EnvelopeHeader& header) {
              header.type_id_length -= 1;
              header.key_length += 1;
            }),
            EnvelopeVerdict::kOtherType);
  EXPECT_EQ(verdict_with([](EnvelopeHeader& header) { header.key_length -= 1; }), EnvelopeVerdict::kOtherKey);
  EXPECT_EQ(verdict_with([](EnvelopeHeader& header) { header.body_length = 4; }), EnvelopeVerdict::kCorrupt);
}

TEST(Envelope, ABodyVerifiedBeforeIsNotReadAgain) {
  const auto entry = Copy(*Entry("hello"));
  entry->mutable_data()[HeaderOf(*entry).body_offset] = 'j';
  EXPECT_EQ(Verdict(entry), EnvelopeVerdict::kCorrupt);
  const auto decoded = DecodeEntry(*Key(), kCodec, entry, VerifyBody::kNo);
  ASSERT_TRUE(decoded.hit());
  EXPECT_EQ(std::static_pointer_cast<const Text>(decoded.value)->ToString(), "jello");
}

TEST(Envelope, ABodyThatTheCodecRefusesIsCorrupt) {
  const auto refuses = [](auto deserialize) {
    const CacheCodec codec(Text::kCacheTypeId, Text::kCacheTypeVersion, nullptr, deserialize);
    return DecodeEntry(*Key(), codec, Entry("hello")).verdict;
  };
  using Value = arrow::Result<std::shared_ptr<const void>>;
  using Body = const std::shared_ptr<arrow::Buffer>&;
  EXPECT_EQ(refuses(+[](Body) -> Value { return arrow::Status::Invalid("no"); }), EnvelopeVerdict::kCorrupt);
  EXPECT_EQ(refuses(+[](Body) -> Value { return std::shared_ptr<const void>(); }), EnvelopeVerdict::kCorrupt);
  EXPECT_EQ(refuses(+[](Body) -> Value { throw std::length_error("no"); }), EnvelopeVerdict::kCorrupt);
}

arrow::Status EncodeWith(CacheCodec::SerializeFunction serialize, std::string_view type_id = "t") {
  return EncodeEntry(*Key(), CacheCodec(type_id, 1, serialize, nullptr), nullptr).status();
}

arrow::Status WriteNothing(const void*, arrow::io::OutputStream*) {
  return arrow::Status::OK();
}

TEST(EncodeEntry, ReturnsTheErrorOfTheCodec) {
  const auto fails = EncodeWith([](const void*, arrow::io::OutputStream*) { return arrow::Status::IOError("full"); });
  EXPECT_TRUE(fails.IsIOError());
  const auto throws =
      EncodeWith([](const void*, arrow::io::OutputStream*) -> arrow::Status { throw std::runtime_error("thrown"); });
  EXPECT_TRUE(throws.IsUnknownError());
  EXPECT_THAT(throws.message(), HasSubstr("thrown"));
}

TEST(EncodeEntry, RefusesACodecThatWritesSomethingElseTheSecondTime) {
  static int calls = 0;
  calls = 0;
  const auto shorter = EncodeWith(
      [](const void*, arrow::io::OutputStream* out) { return out->Write(std::string(calls++ == 0 ? 10 : 5, 'x')); });
  EXPECT_TRUE(shorter.IsInvalid()) << shorter;
  calls = 0;
  const auto longer = EncodeWith(
      [](const void*, arrow::io::OutputStream* out) { return out->Write(std::string(calls++ == 0 ? 5 : 10, 'x')); });
  EXPECT_FALSE(longer.ok());
}

TEST(EncodeEntry, GivesTheCodecTheBodysFirstByteAsPositionZero) {
  const auto status = EncodeWith([](const void*, arrow::io::OutputStream* out) {
    EXPECT_EQ(*out->Tell(), 0);
    ARROW_RETURN_NOT_OK(out->Write("abc"));
    EXPECT_EQ(*out->Tell(), 3);
    return arrow::Status::OK();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(EncodeEntry, BoundsTheTypeId) {
  EXPECT_TRUE(EncodeWith(WriteNothing, std::string(65'535, 't')).ok());
  EXPECT_TRUE(EncodeWith(WriteNothing, std::string(65'536, 't')).IsInvalid());
}

TEST(EncodeEntry, AllocatesOnceAndExactly) {
  arrow::ProxyMemoryPool pool(arrow::default_memory_pool());
  const Text value(std::string(100'000, 'x'));
  const auto entry = *EncodeEntry(*Key(), kCodec, &value, &pool);
  EXPECT_EQ(pool.num_allocations(), 1);
  EXPECT_EQ(pool.bytes_allocated(), entry->size());
}

TEST(InspectEntry, ReadsWithoutKeyOrCodec) {
  const auto entry = Entry("hello");
  const InspectedEntry inspected = InspectEntry(std::string_view(*entry));
  EXPECT_EQ(inspected.header, EnvelopeVerdict::kHit);
  EXPECT_TRUE(inspected.body_is_intact);
  EXPECT_EQ(inspected.type_id, "fewter.testing.Text");
  EXPECT_EQ(inspected.type_version, 3u);
  EXPECT_EQ(inspected.name_space, IndexNamespace()->bytes());
  EXPECT_EQ(inspected.fields, (*Key()).fields());
  EXPECT_EQ(inspected.body_bytes, 5);
}

TEST(InspectEntry, TellsADamagedBodyFromADamagedHeader) {
  const auto entry = Entry("hello");
  const uint64_t body_offset = HeaderOf(*entry).body_offset;
  for (int64_t i = 0; i < entry->size(); ++i) {
    const auto changed = Copy(*entry);
    changed->mutable_data()[i] ^= 1;
    const InspectedEntry inspected = InspectEntry(std::string_view(*changed));
    EXPECT_EQ(inspected.header == EnvelopeVerdict::kHit, i >= static_cast<int64_t>(body_offset)) << i;
    EXPECT_FALSE(inspected.body_is_intact) << i;
    EXPECT_NE(InspectEntry(std::string_view(*entry).substr(0, static_cast<size_t>(i))).header, EnvelopeVerdict::kHit);
  }
}

TEST(InspectEntry, ChecksTheNamespaceInsideTheKey) {
  const auto entry = Entry("hello");
  const auto with_name_space_length = [&](uint32_t length) {
    const auto changed = Copy(*entry);
    std::memcpy(changed->mutable_data() + sizeof(EnvelopeHeader) + Text::kCacheTypeId.size(), &length, sizeof(length));
    return InspectEntry(std::string_view(*WithHeader(*changed, HeaderOf(*changed)))).header;
  };
  const auto key_size = static_cast<uint32_t>((*Key()).FullSize());
  EXPECT_EQ(with_name_space_length(key_size - 4), EnvelopeVerdict::kHit);
  EXPECT_EQ(with_name_space_length(key_size - 3), EnvelopeVerdict::kCorrupt);
  EXPECT_EQ(with_name_space_length(0xffffffff), EnvelopeVerdict::kCorrupt);
  EnvelopeHeader header = HeaderOf(*entry);
  // A key too short for a length of its namespace; the type id takes its room.
  header.type_id_length = static_cast<uint16_t>(header.type_id_length + header.key_length - 3);
  header.key_length = 3;
  EXPECT_EQ(InspectEntry(std::string_view(*WithHeader(*entry, header))).header, EnvelopeVerdict::kCorrupt);
}

TEST(EnvelopeVerdict, HasNames) {
  for (int i = 0; i < kEnvelopeVerdicts; ++i) EXPECT_NE(ToString(EnvelopeVerdict(i)), "unknown");
  EXPECT_EQ(ToString(EnvelopeVerdict::kTooNew), "too new");
}

}  // namespace
}  // namespace fewter
