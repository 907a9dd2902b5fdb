#include "fewter/lance/encoding/page_reader_internal.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/array/util.h>

#include "fewter/lance/in_memory_file_internal.h"
#include "fewter/lance/proto/encodings_v2_1.pb.h"

// Pages of every layout, made by hand byte by byte.

namespace fewter::lance {
namespace {

using Bytes = std::vector<uint8_t>;

template <typename T>
void Append(Bytes* bytes, T value) {
  const size_t position = bytes->size();
  bytes->resize(position + sizeof(T));
  std::memcpy(bytes->data() + position, &value, sizeof(T));
}

template <typename T>
Bytes BytesOf(const std::vector<T>& values) {
  Bytes bytes;
  for (const T value : values) Append(&bytes, value);
  return bytes;
}

/// A page with its buffers in a file of its own.
struct TestPage {
  PageMetadata metadata;
  Bytes file = Bytes(64, 0xEE);

  TestPage(uint64_t num_rows, const std::vector<Bytes>& buffers) {
    metadata.num_rows = num_rows;
    for (const Bytes& buffer : buffers) {
      metadata.buffers.push_back({file.size(), buffer.size()});
      file.insert(file.end(), buffer.begin(), buffer.end());
      file.resize((file.size() + 63) / 64 * 64, 0x48);
    }
  }
};

arrow::Result<std::shared_ptr<arrow::Array>> ReadPage(const PageLayout& layout, const TestPage& page,
                                                      const std::string& logical_type,
                                                      const std::vector<RowRange>& rows) {
  ARROW_ASSIGN_OR_RAISE(const ValueType type, ParseLogicalType(logical_type));
  InMemoryFile file("page", std::make_shared<arrow::Buffer>(page.file.data(), static_cast<int64_t>(page.file.size())));
  ARROW_ASSIGN_OR_RAISE(const auto opening, file.ReadMany(OpeningRanges(layout, page.metadata)));
  ARROW_ASSIGN_OR_RAISE(const auto reader, OpenPage(layout, page.metadata, type, opening));
  ARROW_ASSIGN_OR_RAISE(const auto ranges, reader->Plan(rows));
  ARROW_ASSIGN_OR_RAISE(const auto bytes, file.ReadMany(ranges));
  const bool is_list = std::visit([](const auto& kind) { return kind.levels.has_lists(); }, layout);
  ColumnBuilder builder(type, is_list ? std::vector<bool>{false, true} : std::vector<bool>{false});
  ARROW_RETURN_NOT_OK(reader->Decode(rows, bytes, &builder));
  ARROW_ASSIGN_OR_RAISE(auto array, builder.FinishValues());
  if (is_list) {
    LayerBuilder& lists = builder.layers()[1];
    const auto length = static_cast<int64_t>(lists.length());
    ARROW_ASSIGN_OR_RAISE(auto offsets, lists.FinishOffsets(false));
    array = arrow::MakeArray(arrow::ArrayData::Make(arrow::list(array->type()), length,
                                                    {lists.validity().Finish(), std::move(offsets)}, {array->data()}));
  }
  ARROW_RETURN_NOT_OK(array->ValidateFull());
  return array;
}

/// The rows as text without white space, or the error.
std::string ReadRanges(const PageLayout& layout, const TestPage& page, const std::string& logical_type,
                       const std::vector<RowRange>& rows) {
  const auto array = ReadPage(layout, page, logical_type, rows);
  if (!array.ok()) return array.status().ToString();
  std::string text;
  for (const char c : (*array)->ToString()) {
    if (c != ' ' && c != '\n') text += c;
  }
  return text;
}

std::string Read(const PageLayout& layout, const TestPage& page, const std::string& logical_type, RowRange rows) {
  return ReadRanges(layout, page, logical_type, {rows});
}

bool IsInvalid(const std::string& text) {
  return text.starts_with("Invalid");
}

LevelMeaning Meaning(std::vector<int> layers) {
  std::vector<bool> lists(layers.size(), true);
  lists[0] = false;
  return LevelMeaning::FromLayers(layers, lists, std::vector<uint64_t>(layers.size(), 1)).ValueOrDie();
}
const LevelMeaning kItems = Meaning({pb::v2_1::ALL_VALID_ITEM});
const LevelMeaning kNullableItems = Meaning({pb::v2_1::NULLABLE_ITEM});
const LevelMeaning kLists = Meaning({pb::v2_1::ALL_VALID_ITEM, pb::v2_1::NULL_AND_EMPTY_LIST});

/// A mini-block chunk of one value buffer.
Bytes Chunk(bool large, uint16_t num_levels, const std::vector<Bytes>& levels, const Bytes& values) {
  Bytes chunk;
  Append(&chunk, num_levels);
  for (const Bytes& level : levels) Append(&chunk, static_cast<uint16_t>(level.size()));
  if (large) {
    Append(&chunk, static_cast<uint32_t>(values.size()));
  } else {
    Append(&chunk, static_cast<uint16_t>(values.size()));
  }
  const auto pad = [&chunk] { chunk.resize((chunk.size() + 7) / 8 * 8, 0xFE); };
  pad();
  for (const Bytes& level : levels) {
    chunk.insert(chunk.end(), level.begin(), level.end());
    pad();
  }
  chunk.insert(chunk.end(), values.begin(), values.end());
  pad();
  return chunk;
}

void AppendWord(bool large, const Bytes& chunk, uint32_t log, Bytes* words) {
  const auto word = static_cast<uint32_t>((chunk.size() / 8 - 1) << 4 | log);
  if (large) {
    Append(words, word);
  } else {
    Append(words, static_cast<uint16_t>(word));
  }
}

MiniBlockLayout PlainMiniBlock(bool large, uint64_t num_values) {
  MiniBlockLayout layout;
  layout.levels = kItems;
  layout.values = {FlatCompression{32}};
  layout.num_value_buffers = 1;
  layout.num_values = num_values;
  layout.large = large;
  return layout;
}

/// Chunks of 4, 2 and 3 values: 0, 1, 2, ….
TestPage ThreeChunks(bool large) {
  const std::vector<Bytes> chunks = {Chunk(large, 0, {}, BytesOf<uint32_t>({0, 1, 2, 3})),
                                     Chunk(large, 0, {}, BytesOf<uint32_t>({4, 5})),
                                     Chunk(large, 0, {}, BytesOf<uint32_t>({6, 7, 8}))};
  Bytes words;
  AppendWord(large, chunks[0], 2, &words);
  AppendWord(large, chunks[1], 1, &words);
  AppendWord(large, chunks[2], 0, &words);
  Bytes data;
  for (const Bytes& chunk : chunks) data.insert(data.end(), chunk.begin(), chunk.end());
  return TestPage(9, {words, data});
}

TEST(MiniBlockPageTest, RowsOfSeveralChunks) {
  for (const bool large : {false, true}) {
    const PageLayout layout = PlainMiniBlock(large, 9);
    const TestPage page = ThreeChunks(large);
    EXPECT_EQ(Read(layout, page, "uint32", {0, 9}), "[0,1,2,3,4,5,6,7,8]");
    EXPECT_EQ(Read(layout, page, "uint32", {3, 4}), "[3,4,5,6]");
    EXPECT_EQ(Read(layout, page, "uint32", {4, 2}), "[4,5]");
    EXPECT_EQ(Read(layout, page, "uint32", {8, 1}), "[8]");
    EXPECT_EQ(Read(layout, page, "uint32", {5, 0}), "[]");
  }
}

TEST(MiniBlockPageTest, RangesInAnyOrderOneAfterTheOther) {
  const PageLayout layout = PlainMiniBlock(true, 9);
  const TestPage page = ThreeChunks(true);
  EXPECT_EQ(ReadRanges(layout, page, "uint32", {{0, 1}, {2, 1}, {3, 3}, {8, 1}}), "[0,2,3,4,5,8]");
  EXPECT_EQ(ReadRanges(layout, page, "uint32", {{8, 1}, {2, 4}, {2, 1}, {2, 0}, {3, 2}}), "[8,2,3,4,5,2,3,4]");
  EXPECT_EQ(ReadRanges(layout, page, "uint32", {}), "[]");
}

TEST(MiniBlockPageTest, OnlyTheChunksOfTheRowsArePlanned) {
  const PageLayout layout = PlainMiniBlock(true, 9);
  const TestPage page = ThreeChunks(true);
  const Bytes& file = page.file;
  const std::vector<std::shared_ptr<arrow::Buffer>> opening = {std::make_shared<arrow::Buffer>(file.data() + 64, 12)};
  const auto reader = OpenPage(layout, page.metadata, ParseLogicalType("uint32").ValueOrDie(), opening).ValueOrDie();
  // A header of 8 bytes, then the values, padded.
  EXPECT_EQ(reader->Plan(std::vector<RowRange>{{4, 2}}).ValueOrDie(), (std::vector<ByteRange>{{128 + 24, 16}}));
  EXPECT_EQ(reader->Plan(std::vector<RowRange>{{3, 2}}).ValueOrDie(), (std::vector<ByteRange>{{128, 40}}));
}

TEST(MiniBlockPageTest, MalformedChunkWordsAreRefused) {
  const TestPage page = ThreeChunks(true);
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(true, 5), page, "uint32", {0, 1})));
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(true, 100'000), page, "uint32", {0, 1})));
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(false, 9), page, "uint32", {0, 1})));
  TestPage zero = page;
  zero.file[64] &= 0xF0;
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(true, 9), zero, "uint32", {0, 1})));
  TestPage longer = page;
  longer.file[64] += 0x10;
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(true, 9), longer, "uint32", {0, 1})));
  TestPage overlong = page;
  overlong.file[128 + 2] = 0xFF;
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(true, 9), overlong, "uint32", {0, 1})));
}

TEST(MiniBlockPageTest, ValuesOfAnotherWidthThanTheColumnAreRefused) {
  EXPECT_TRUE(IsInvalid(Read(PlainMiniBlock(true, 9), ThreeChunks(true), "uint64", {0, 1})));
}

TEST(MiniBlockPageTest, NullsKeepTheirPlace) {
  MiniBlockLayout layout = PlainMiniBlock(true, 3);
  layout.levels = kNullableItems;
  layout.definition = Compression{FlatCompression{16}};
  const Bytes chunk = Chunk(true, 3, {BytesOf<uint16_t>({0, 1, 0})}, BytesOf<uint32_t>({5, 99, 6}));
  Bytes words;
  AppendWord(true, chunk, 0, &words);
  EXPECT_EQ(Read(layout, TestPage(3, {words, chunk}), "uint32", {0, 3}), "[5,null,6]");
  EXPECT_EQ(Read(layout, TestPage(3, {words, chunk}), "uint32", {1, 2}), "[null,6]");
  const Bytes short_chunk = Chunk(true, 2, {BytesOf<uint16_t>({0, 1})}, BytesOf<uint32_t>({5, 99, 6}));
  Bytes short_words;
  AppendWord(true, short_chunk, 0, &short_words);
  EXPECT_TRUE(IsInvalid(Read(layout, TestPage(3, {short_words, short_chunk}), "uint32", {0, 1})));
}

TEST(MiniBlockPageTest, ElementsOfVectorsMayBeNull) {
  MiniBlockLayout layout = PlainMiniBlock(false, 3);
  layout.values = {FixedSizeListCompression{{{3, true}}, 16}};
  layout.num_value_buffers = 2;
  // Both value buffers by hand: nine bits of validity, and nine values.
  Bytes chunk = BytesOf<uint16_t>({0, 2, 18, 0xFEFE});
  for (const uint8_t byte : {0b11101101, 0b00000001, 0, 0, 0, 0, 0, 0}) chunk.push_back(byte);
  for (uint16_t i = 0; i < 12; ++i) Append(&chunk, i);
  Bytes words;
  AppendWord(false, chunk, 0, &words);
  const TestPage page(3, {words, chunk});
  const std::string type = "fixed_size_list:uint16:3";
  EXPECT_EQ(Read(layout, page, type, {0, 3}), "[[0,null,2],[3,null,5],[6,7,8]]");
  EXPECT_EQ(Read(layout, page, type, {1, 2}), "[[3,null,5],[6,7,8]]");
  EXPECT_EQ(Read(layout, page, type, {2, 1}), "[[6,7,8]]");
  TestPage short_bits = page;
  short_bits.file[128 + 2] = 1;
  EXPECT_TRUE(IsInvalid(Read(layout, short_bits, type, {0, 1})));
  layout.num_value_buffers = 1;
  EXPECT_TRUE(IsInvalid(Read(layout, page, type, {0, 1})));
}

TEST(MiniBlockPageTest, DictionaryItemsAreLookedUp) {
  MiniBlockLayout layout = PlainMiniBlock(true, 4);
  layout.dictionary = Compression{FlatCompression{64}};
  layout.num_dictionary_items = 3;
  const Bytes chunk = Chunk(true, 0, {}, BytesOf<uint32_t>({2, 0, 0, 1}));
  Bytes words;
  AppendWord(true, chunk, 0, &words);
  const TestPage page(4, {words, chunk, BytesOf<uint64_t>({100, 200, 300})});
  EXPECT_EQ(Read(layout, page, "uint64", {0, 4}), "[300,100,100,200]");
  layout.num_dictionary_items = 2;
  EXPECT_TRUE(IsInvalid(Read(layout, page, "uint64", {0, 4})));
  layout.num_dictionary_items = 4;
  EXPECT_TRUE(IsInvalid(Read(layout, page, "uint64", {0, 4})));
}

/// Lists [0,1,2] [] null [3] [4,5,6,7] in chunks that cut the first and the last of them.
struct ListPage {
  MiniBlockLayout layout = PlainMiniBlock(true, 8);
  Bytes words;
  Bytes data;

  ListPage() {
    layout.levels = kLists;
    layout.repetition = Compression{FlatCompression{16}};
    layout.definition = Compression{FlatCompression{16}};
    layout.has_repetition_index = true;
    Add({1, 0}, {0, 0}, {0, 1}, 1);
    Add({0, 1, 1, 1}, {0, 2, 1, 0}, {2, 3}, 1);
    Add({1, 0}, {0, 0}, {4, 5}, 1);
    Add({0, 0}, {0, 0}, {6, 7}, 0);
  }

  void Add(const std::vector<uint16_t>& repetition, const std::vector<uint16_t>& definition,
           const std::vector<uint32_t>& values, uint32_t log) {
    const Bytes chunk = Chunk(true, static_cast<uint16_t>(repetition.size()),
                              {BytesOf(repetition), BytesOf(definition)}, BytesOf(values));
    AppendWord(true, chunk, log, &words);
    data.insert(data.end(), chunk.begin(), chunk.end());
  }

  const std::vector<uint64_t> index = {0, 2, 4, 0, 0, 2, 1, 0};

  std::string ReadRows(RowRange rows) const { return ReadRows(rows, index); }
  std::string ReadRows(RowRange rows, const std::vector<uint64_t>& of_index) const {
    return Read(layout, TestPage(5, {words, data, BytesOf(of_index)}), "uint32", rows);
  }
};

TEST(MiniBlockPageTest, ListsMayCrossChunks) {
  const ListPage page;
  EXPECT_EQ(page.ReadRows({0, 5}), "[[0,1,2],[],null,[3],[4,5,6,7]]");
  EXPECT_EQ(page.ReadRows({0, 1}), "[[0,1,2]]");
  EXPECT_EQ(page.ReadRows({1, 2}), "[[],null]");
  EXPECT_EQ(page.ReadRows({3, 2}), "[[3],[4,5,6,7]]");
  EXPECT_EQ(page.ReadRows({4, 1}), "[[4,5,6,7]]");
  EXPECT_EQ(page.ReadRows({2, 0}), "[]");
}

TEST(MiniBlockPageTest, RangesOfListsInAnyOrder) {
  const ListPage page;
  const auto read = [&](const std::vector<RowRange>& rows) {
    return ReadRanges(page.layout, TestPage(5, {page.words, page.data, BytesOf(page.index)}), "uint32", rows);
  };
  EXPECT_EQ(read({{0, 1}, {2, 2}}), "[[0,1,2],null,[3]]");
  EXPECT_EQ(read({{1, 1}, {3, 1}, {4, 1}}), "[[],[3],[4,5,6,7]]");
  EXPECT_EQ(read({{4, 1}, {0, 2}, {0, 1}}), "[[4,5,6,7],[0,1,2],[],[0,1,2]]");
}

TEST(MiniBlockPageTest, MalformedRepetitionIndexesAreRefused) {
  const ListPage page;
  EXPECT_TRUE(IsInvalid(page.ReadRows({0, 5}, {0, 2, 4, 0, 0, 2, 2, 0})));
  EXPECT_TRUE(IsInvalid(page.ReadRows({0, 5}, {0, 2, 4, 0, 0, 2})));
  EXPECT_TRUE(IsInvalid(page.ReadRows({0, 5}, {0, 2, 4, 0, 0, 2, 1, 1})));
  EXPECT_TRUE(IsInvalid(page.ReadRows({0, 5}, {0, 2, ~uint64_t{0}, 0, 0, 2, 1, 0})));
  EXPECT_TRUE(IsInvalid(page.ReadRows({0, 5}, {0, 2, 0, 0, 4, 2, 1, 0})));
  // A row said to begin where it does not.
  EXPECT_TRUE(IsInvalid(page.ReadRows({1, 1}, {3, 0, 1, 0, 0, 2, 1, 0})));
}

FullZipLayout FullZip(const LevelMeaning& meaning, uint32_t repetition_bits, uint32_t definition_bits) {
  FullZipLayout layout;
  layout.levels = meaning;
  layout.repetition_bits = repetition_bits;
  layout.definition_bits = definition_bits;
  layout.values = {FixedSizeListCompression{{{2, false}}, 16}};
  return layout;
}

TEST(FullZipPageTest, ValuesWithoutLevels) {
  const TestPage page(3, {BytesOf<uint16_t>({1, 2, 3, 4, 5, 6})});
  EXPECT_EQ(Read(FullZip(kItems, 0, 0), page, "fixed_size_list:uint16:2", {0, 3}), "[[1,2],[3,4],[5,6]]");
  EXPECT_EQ(Read(FullZip(kItems, 0, 0), page, "fixed_size_list:uint16:2", {2, 1}), "[[5,6]]");
  EXPECT_TRUE(IsInvalid(Read(FullZip(kItems, 0, 0), TestPage(4, {BytesOf<uint16_t>({1, 2, 3, 4, 5, 6})}),
                             "fixed_size_list:uint16:2", {0, 1})));
  EXPECT_TRUE(IsInvalid(
      Read(FullZip(kItems, 0, 0), TestPage(uint64_t{1} << 62, {Bytes()}), "fixed_size_list:uint16:2", {0, 1})));
}

TEST(FullZipPageTest, ControlWordsOfEveryWidth) {
  for (const uint32_t bits : {1u, 8u, 9u, 16u}) {
    const FullZipLayout layout = FullZip(kNullableItems, 0, bits);
    Bytes values;
    for (uint16_t i = 0; i < 3; ++i) {
      values.push_back(i == 1 ? 1 : 0);
      values.resize(values.size() + layout.control_bytes() - 1, 0);
      Append(&values, static_cast<uint16_t>(i * 10));
      Append(&values, static_cast<uint16_t>(i * 10 + 1));
    }
    EXPECT_EQ(Read(layout, TestPage(3, {values}), "fixed_size_list:uint16:2", {0, 3}), "[[0,1],null,[20,21]]");
    EXPECT_EQ(Read(layout, TestPage(3, {values}), "fixed_size_list:uint16:2", {1, 2}), "[null,[20,21]]");
    values[0] = 3;
    EXPECT_EQ(IsInvalid(Read(layout, TestPage(3, {values}), "fixed_size_list:uint16:2", {0, 3})), bits > 1);
  }
}

TEST(FullZipPageTest, ElementsOfVectorsMayBeNull) {
  for (const uint32_t bits : {0u, 1u}) {
    FullZipLayout layout = FullZip(bits == 0 ? kItems : kNullableItems, 0, bits);
    layout.values = {FixedSizeListCompression{{{2, true}}, 16}};
    Bytes values;
    for (uint16_t i = 0; i < 3; ++i) {
      if (bits > 0) values.push_back(0);
      values.push_back(static_cast<uint8_t>(i + 1));
      Append(&values, static_cast<uint16_t>(i * 10));
      Append(&values, static_cast<uint16_t>(i * 10 + 1));
    }
    const std::string type = "fixed_size_list:uint16:2";
    EXPECT_EQ(Read(layout, TestPage(3, {values}), type, {0, 3}), "[[0,null],[null,11],[20,21]]");
    EXPECT_EQ(Read(layout, TestPage(3, {values}), type, {1, 1}), "[[null,11]]");
    values.pop_back();
    EXPECT_TRUE(IsInvalid(Read(layout, TestPage(3, {values}), type, {0, 1})));
  }
}

/// Lists [[0,1],[2,3]] [] null [[4,5]] with control words of `control` bytes and an index of Index.
template <typename Index>
TestPage FullZipLists(uint32_t definition_bits, uint32_t control) {
  Bytes values;
  std::vector<Index> index = {0};
  uint16_t next = 0;
  const auto add = [&](uint32_t repetition, uint32_t definition) {
    const uint32_t word = repetition << definition_bits | definition;
    for (uint32_t i = 0; i < control; ++i) values.push_back(static_cast<uint8_t>(word >> (8 * i)));
    if (definition > 0) return;
    Append(&values, next++);
    Append(&values, next++);
  };
  const auto end_row = [&] { index.push_back(static_cast<Index>(values.size())); };
  add(1, 0);
  add(0, 0);
  end_row();
  add(1, 2);
  end_row();
  add(1, 1);
  end_row();
  add(1, 0);
  end_row();
  return TestPage(4, {values, BytesOf(index)});
}

TEST(FullZipPageTest, ListsAreFoundByTheirIndex) {
  const FullZipLayout one = FullZip(kLists, 1, 2);
  const FullZipLayout two = FullZip(kLists, 1, 10);
  const FullZipLayout four = FullZip(kLists, 1, 16);
  const std::string type = "fixed_size_list:uint16:2";
  const std::vector<std::pair<FullZipLayout, TestPage>> pages = {{one, FullZipLists<uint8_t>(2, 1)},
                                                                 {one, FullZipLists<uint16_t>(2, 1)},
                                                                 {two, FullZipLists<uint32_t>(10, 2)},
                                                                 {four, FullZipLists<uint64_t>(16, 4)}};
  for (const auto& [layout, page] : pages) {
    EXPECT_EQ(Read(layout, page, type, {0, 4}), "[[[0,1],[2,3]],[],null,[[4,5]]]");
    EXPECT_EQ(Read(layout, page, type, {1, 2}), "[[],null]");
    EXPECT_EQ(Read(layout, page, type, {3, 1}), "[[[4,5]]]");
  }
}

TEST(FullZipPageTest, MalformedListsAreRefused) {
  const FullZipLayout layout = FullZip(kLists, 1, 2);
  const std::string type = "fixed_size_list:uint16:2";
  TestPage page = FullZipLists<uint8_t>(2, 1);
  const uint64_t index = page.metadata.buffers[1].offset;
  page.metadata.num_rows = 5;
  EXPECT_TRUE(IsInvalid(Read(layout, page, type, {0, 4})));
  page.metadata.num_rows = 4;
  page.file[index + 1] = 200;
  EXPECT_TRUE(IsInvalid(Read(layout, page, type, {0, 1})));
  page.file[index + 1] = 9;
  EXPECT_TRUE(IsInvalid(Read(layout, page, type, {0, 1})));
  page.file[index + 1] = 5;
  EXPECT_TRUE(IsInvalid(Read(layout, page, type, {1, 1})));
}

ConstantLayout Constant(const LevelMeaning& meaning, std::optional<std::string> value) {
  ConstantLayout layout;
  layout.levels = meaning;
  layout.inline_value = std::move(value);
  return layout;
}

const std::string kSeven("\x07\x00\x00\x00", 4);

TEST(ConstantPageTest, OneValueForAll) {
  EXPECT_EQ(Read(Constant(kItems, kSeven), TestPage(100, {}), "uint32", {50, 3}), "[7,7,7]");
  EXPECT_TRUE(IsInvalid(Read(Constant(kItems, kSeven), TestPage(100, {}), "uint64", {50, 3})));
  Bytes scalar = BytesOf<uint32_t>({1, 4, 7});
  EXPECT_EQ(Read(Constant(kItems, std::nullopt), TestPage(100, {scalar}), "uint32", {0, 2}), "[7,7]");
  scalar[4] = 5;
  EXPECT_TRUE(IsInvalid(Read(Constant(kItems, std::nullopt), TestPage(100, {scalar}), "uint32", {0, 2})));
}

TEST(ConstantPageTest, SomeOrAllNull) {
  EXPECT_EQ(Read(Constant(kNullableItems, std::nullopt), TestPage(100, {}), "float", {0, 2}), "[null,null]");
  const TestPage page(3, {Bytes(), BytesOf<uint16_t>({0, 1, 0})});
  EXPECT_EQ(Read(Constant(kNullableItems, kSeven), page, "uint32", {0, 3}), "[7,null,7]");
  EXPECT_EQ(Read(Constant(kNullableItems, kSeven), page, "uint32", {1, 1}), "[null]");
  EXPECT_TRUE(IsInvalid(Read(Constant(kNullableItems, std::nullopt), page, "uint32", {0, 3})));
}

TEST(ConstantPageTest, ListsOfOneValue) {
  const TestPage page(4, {BytesOf<uint16_t>({1, 0, 1, 1, 1}), BytesOf<uint16_t>({0, 0, 2, 1, 0})});
  EXPECT_EQ(Read(Constant(kLists, kSeven), page, "uint32", {0, 4}), "[[7,7],[],null,[7]]");
  EXPECT_EQ(Read(Constant(kLists, kSeven), page, "uint32", {2, 2}), "[null,[7]]");
  const TestPage with_scalar(1, {BytesOf<uint32_t>({1, 4, 7}), BytesOf<uint16_t>({1, 0}), Bytes()});
  EXPECT_EQ(Read(Constant(kLists, std::nullopt), with_scalar, "uint32", {0, 1}), "[[7,7]]");
}

TEST(ConstantPageTest, ListsWithoutAnyValue) {
  const TestPage plain(3, {BytesOf<uint16_t>({1, 1, 1}), BytesOf<uint16_t>({2, 1, 2})});
  EXPECT_EQ(Read(Constant(kLists, std::nullopt), plain, "uint32", {0, 3}), "[[],null,[]]");
  ConstantLayout compressed = Constant(kLists, std::nullopt);
  compressed.repetition = Compression{RunLengthCompression{16, 8, nullptr, nullptr}};
  compressed.definition = Compression{OutOfLineBitPacking{16, 2}};
  compressed.num_repetition_levels = compressed.num_definition_levels = 3;
  Bytes repetition = BytesOf<uint64_t>({2});
  Append(&repetition, uint16_t{1});
  repetition.push_back(3);
  const TestPage page(3, {repetition, BytesOf<uint16_t>({2, 1, 2})});
  EXPECT_EQ(Read(compressed, page, "uint32", {0, 3}), "[[],null,[]]");
  EXPECT_EQ(Read(compressed, page, "uint32", {1, 1}), "[null]");
  const TestPage without_definition(3, {BytesOf<uint16_t>({1, 1, 1}), Bytes()});
  EXPECT_TRUE(IsInvalid(Read(Constant(kLists, std::nullopt), without_definition, "uint32", {0, 3})));
}

TEST(ConstantPageTest, HugePagesAreRefusedBeforeTheyAreMade) {
  const uint64_t rows = uint64_t{1} << 60;
  EXPECT_TRUE(IsInvalid(Read(Constant(kItems, kSeven), TestPage(rows, {}), "uint32", {0, rows})));
  EXPECT_EQ(Read(Constant(kItems, kSeven), TestPage(rows, {}), "uint32", {rows - 1, 1}), "[7]");
}

}  // namespace
}  // namespace fewter::lance
