#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "fewter/lance/encoding/page_reader_internal.h"
#include "fewter/lance/encoding/raw_bytes_internal.h"
#include "fewter/lance/encoding/words_internal.h"
#include "fewter/util/bytes.h"

/// Pages of narrow values, in chunks of a few KiB that are decoded as a whole.

namespace fewter::lance {
namespace {

/// Chunks and their parts are padded to this.
constexpr uint64_t kChunkAlignment = 8;
/// The most that a chunk word can say, and any writer can be configured for.
constexpr uint64_t kMaxChunkValues = uint64_t{1} << 15;

/// Where the chunks of a page begin, in bytes, in values and in rows; each has an entry more than there are chunks.
struct ChunkIndex {
  std::vector<uint64_t> bytes;
  std::vector<uint64_t> values;
  /// Rows that have ended before the chunk. Without lists a row is a value and this is empty.
  std::vector<uint64_t> rows_ended;
  /// Rows that have begun before the chunk: one more if a list goes on in it.
  std::vector<uint64_t> rows_begun;

  uint64_t num_chunks() const { return bytes.size() - 1; }
};

/// Decodes the chunk words: the low 4 bits are the logarithm of the number of values, the others the size in units of
/// 8 bytes, less one. The last chunk has the values that are left.
arrow::Result<ChunkIndex> ParseChunkWords(Bytes words, bool large, uint64_t num_values) {
  const uint64_t width = large ? sizeof(uint32_t) : sizeof(uint16_t);
  const uint64_t num_chunks = words.size() / width;
  if (num_chunks * width != words.size()) return arrow::Status::Invalid("chunk words of ", words.size(), " bytes");
  ChunkIndex index;
  index.bytes.assign(1, 0);
  index.values.assign(1, 0);
  for (uint64_t i = 0; i < num_chunks; ++i) {
    const uint8_t* from = words.data() + i * width;
    const uint32_t word = large ? LoadLittleEndian<uint32_t>(from) : LoadLittleEndian<uint16_t>(from);
    const uint32_t log = word & 15;
    const uint64_t left = num_values - index.values.back();
    const bool is_last = i + 1 == num_chunks;
    const uint64_t count = is_last && log == 0 ? left : uint64_t{1} << log;
    if (count > left || count > kMaxChunkValues || (is_last && count != left) || (!is_last && log == 0)) {
      return arrow::Status::Invalid("chunk ", i, " of ", num_chunks, " has ", count, " values where ", left,
                                    " are left");
    }
    index.values.push_back(index.values.back() + count);
    index.bytes.push_back(index.bytes.back() + (uint64_t{word >> 4} + 1) * kChunkAlignment);
  }
  if (index.values.back() != num_values) {
    return arrow::Status::Invalid("chunks of ", index.values.back(), " values where there are ", num_values);
  }
  return index;
}

/// Decodes the repetition index: for each chunk how many rows end in it, and how many values of a row that does not
/// are at its end (u64 both).
arrow::Status ParseRepetitionIndex(Bytes bytes, uint64_t num_rows, ChunkIndex* index) {
  constexpr uint64_t kEntry = 2 * sizeof(uint64_t);
  if (bytes.size() != index->num_chunks() * kEntry) {
    return arrow::Status::Invalid("a repetition index of ", bytes.size(), " bytes for ", index->num_chunks(),
                                  " chunks");
  }
  index->rows_ended.assign(1, 0);
  index->rows_begun.assign(1, 0);
  for (uint64_t i = 0; i < index->num_chunks(); ++i) {
    const auto ended_here = LoadLittleEndian<uint64_t>(bytes.data() + i * kEntry);
    const auto left_over = LoadLittleEndian<uint64_t>(bytes.data() + i * kEntry + sizeof(uint64_t));
    uint64_t ended = 0;
    if (!CheckedAdd(index->rows_ended.back(), ended_here, &ended) || ended > num_rows) {
      return arrow::Status::Invalid("a repetition index of more than the page's ", num_rows, " rows");
    }
    const uint64_t begun = ended + (left_over > 0 ? 1 : 0);
    if (begun < index->rows_begun.back()) {
      return arrow::Status::Invalid("a repetition index in which a row goes on but never ends");
    }
    index->rows_ended.push_back(ended);
    index->rows_begun.push_back(begun);
  }
  if (index->rows_ended.back() != num_rows || index->rows_begun.back() != num_rows) {
    return arrow::Status::Invalid("a repetition index of ", index->rows_ended.back(), " rows for ", num_rows);
  }
  return arrow::Status::OK();
}

/// The parts of a chunk, not yet decoded.
struct Chunk {
  uint64_t num_levels = 0;
  Bytes repetition;
  Bytes definition;
  std::vector<Bytes> values;
};

/// Takes a chunk apart, one part after the other.
class ChunkParser {
 public:
  explicit ChunkParser(Bytes chunk) : chunk_(chunk) {}

  arrow::Result<Chunk> Parse(const MiniBlockLayout& layout) {
    Chunk parts;
    uint64_t repetition_size = 0;
    uint64_t definition_size = 0;
    ARROW_RETURN_NOT_OK(TakeNumber<uint16_t>(&parts.num_levels));
    if (layout.repetition) ARROW_RETURN_NOT_OK(TakeNumber<uint16_t>(&repetition_size));
    if (layout.definition) ARROW_RETURN_NOT_OK(TakeNumber<uint16_t>(&definition_size));
    std::vector<uint64_t> value_sizes(layout.num_value_buffers);
    for (uint64_t& size : value_sizes) {
      ARROW_RETURN_NOT_OK(layout.large ? TakeNumber<uint32_t>(&size) : TakeNumber<uint16_t>(&size));
    }
    position_ = RoundUp(position_, kChunkAlignment);
    if (layout.repetition) ARROW_RETURN_NOT_OK(TakeBytes(repetition_size, &parts.repetition));
    if (layout.definition) ARROW_RETURN_NOT_OK(TakeBytes(definition_size, &parts.definition));
    for (const uint64_t size : value_sizes) {
      parts.values.emplace_back();
      ARROW_RETURN_NOT_OK(TakeBytes(size, &parts.values.back()));
    }
    return parts;
  }

 private:
  template <typename T>
  arrow::Status TakeNumber(uint64_t* number) {
    if (!RangeIsInside(position_, sizeof(T), chunk_.size())) return TooShort();
    *number = LoadLittleEndian<T>(chunk_.data() + position_);
    position_ += sizeof(T);
    return arrow::Status::OK();
  }

  arrow::Status TakeBytes(uint64_t size, Bytes* bytes) {
    if (!RangeIsInside(position_, size, chunk_.size())) return TooShort();
    *bytes = chunk_.subspan(position_, size);
    position_ = RoundUp(position_ + size, kChunkAlignment);
    return arrow::Status::OK();
  }

  arrow::Status TooShort() const {
    return arrow::Status::Invalid("a chunk of ", chunk_.size(), " bytes is too short for its parts");
  }

  const Bytes chunk_;
  uint64_t position_ = 0;
};

/// The items that a page's values are indices into.
struct Dictionary {
  uint64_t num_items = 0;
  /// One of the two: items of fixed width, or of varying length.
  std::shared_ptr<arrow::Buffer> fixed;
  std::optional<VariableValues> variable;
};

/// Copies dictionary items: `indices` are `count` numbers of type Index.
template <typename Index>
arrow::Status GatherItems(const Index* indices, uint64_t count, const Dictionary& dictionary, ColumnBuilder* out) {
  uint64_t size = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (indices[i] >= dictionary.num_items) {
      return arrow::Status::Invalid("index ", +indices[i], " into ", dictionary.num_items, " items");
    }
    if (dictionary.variable) size += (*dictionary.variable)[indices[i]].size();
  }
  if (dictionary.variable) {
    if (size > kMaxBlockBytes) return arrow::Status::Invalid("a chunk of ", size, " bytes of dictionary items");
    for (uint64_t i = 0; i < count; ++i) ARROW_RETURN_NOT_OK(out->AppendBytes((*dictionary.variable)[indices[i]]));
    return arrow::Status::OK();
  }
  const uint64_t width = out->value_bytes();
  ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(count));
  for (uint64_t i = 0; i < count; ++i, to += width) {
    std::memcpy(to, dictionary.fixed->data() + indices[i] * width, width);
  }
  return arrow::Status::OK();
}

class MiniBlockPage : public PageReader {
 public:
  MiniBlockPage(const MiniBlockLayout& layout, ByteRange chunks, ChunkIndex index, std::optional<Dictionary> dictionary)
      : layout_(layout), chunks_(chunks), index_(std::move(index)), dictionary_(std::move(dictionary)) {}

  arrow::Result<std::vector<ByteRange>> Plan(RowRange rows) const override {
    const auto [first, last] = ChunksOf(rows);
    return std::vector<ByteRange>{{chunks_.offset + index_.bytes[first], index_.bytes[last] - index_.bytes[first]}};
  }

  arrow::Status Decode(RowRange rows, Buffers bytes, ColumnBuilder* out) const override {
    const auto [first, last] = ChunksOf(rows);
    std::vector<Chunk> chunks;
    for (uint64_t i = first; i < last; ++i) {
      const uint64_t begin = index_.bytes[i] - index_.bytes[first];
      const Bytes all(bytes[0]->data(), static_cast<size_t>(bytes[0]->size()));
      ARROW_ASSIGN_OR_RAISE(Chunk chunk,
                            ChunkParser(all.subspan(begin, index_.bytes[i + 1] - index_.bytes[i])).Parse(layout_));
      chunks.push_back(std::move(chunk));
    }
    ARROW_RETURN_NOT_OK(out->ReserveValues(
        layout_.levels.has_lists() ? index_.values[last] - index_.values[first] : ValuesOf(rows).length,
        static_cast<uint64_t>(bytes[0]->size())));
    if (layout_.levels.has_lists()) return DecodeLists(rows, first, chunks, out);
    return DecodeItems(ValuesOf(rows), first, chunks, out);
  }

 private:
  /// The values of rows without lists.
  RowRange ValuesOf(RowRange rows) const {
    const uint64_t values = layout_.levels.values_per_row();
    return {rows.start * values, rows.length * values};
  }

  /// The chunks [first, last) that hold the rows. A row may begin in a chunk where an earlier one ends.
  std::pair<uint64_t, uint64_t> ChunksOf(RowRange rows) const {
    if (rows.length == 0) return {0, 0};
    if (!layout_.levels.has_lists()) rows = ValuesOf(rows);
    const auto& begun = layout_.levels.has_lists() ? index_.rows_begun : index_.values;
    const auto& ended = layout_.levels.has_lists() ? index_.rows_ended : index_.values;
    // The chunk by whose end the first row has begun, and the one by whose end the last has ended.
    const auto first = std::upper_bound(begun.begin() + 1, begun.end(), rows.start) - begun.begin() - 1;
    const auto last = std::lower_bound(ended.begin() + 1, ended.end(), rows.end()) - ended.begin();
    return {static_cast<uint64_t>(first), static_cast<uint64_t>(last)};
  }

  /// The part of chunk `i` inside the page's values [begin, end), counted from the chunk's start.
  ValueRange Overlap(uint64_t i, uint64_t begin, uint64_t end) const {
    const uint64_t low = std::max(begin, index_.values[i]);
    const uint64_t high = std::min(end, index_.values[i + 1]);
    return low < high ? ValueRange{low - index_.values[i], high - low} : ValueRange{};
  }

  arrow::Status DecodeItems(RowRange values, uint64_t first, const std::vector<Chunk>& chunks,
                            ColumnBuilder* out) const {
    std::vector<uint16_t> definition;
    for (uint64_t i = 0; i < chunks.size(); ++i) {
      ARROW_RETURN_NOT_OK(AppendValues(chunks[i], first + i, Overlap(first + i, values.start, values.end()), out));
      if (!layout_.definition) continue;
      const uint64_t chunk_values = index_.values[first + i + 1] - index_.values[first + i];
      if (chunks[i].num_levels != chunk_values) {
        return arrow::Status::Invalid("a chunk of ", chunk_values, " values with ", chunks[i].num_levels, " levels");
      }
      ARROW_RETURN_NOT_OK(AppendLevels(*layout_.definition, chunks[i].definition, chunk_values, &definition));
    }
    const uint64_t start = chunks.empty() ? 0 : values.start - index_.values[first];
    return AppendValidity(layout_.levels, definition, {start, values.length}, out);
  }

  arrow::Status DecodeLists(RowRange rows, uint64_t first, const std::vector<Chunk>& chunks, ColumnBuilder* out) const {
    Levels levels;
    for (const Chunk& chunk : chunks) {
      ARROW_RETURN_NOT_OK(AppendLevels(*layout_.repetition, chunk.repetition, chunk.num_levels, &levels.repetition));
      if (!layout_.definition) continue;
      ARROW_RETURN_NOT_OK(AppendLevels(*layout_.definition, chunk.definition, chunk.num_levels, &levels.definition));
    }
    const uint64_t first_value = index_.values[first];
    const uint64_t num_values = index_.values[first + chunks.size()] - first_value;
    const uint64_t skip = chunks.empty() ? 0 : rows.start - index_.rows_begun[first];
    ARROW_ASSIGN_OR_RAISE(const ValueRange range,
                          AppendLists(layout_.levels, levels, skip, rows.length, num_values, out));
    const uint64_t begin = first_value + range.start;
    for (uint64_t i = 0; i < chunks.size(); ++i) {
      ARROW_RETURN_NOT_OK(AppendValues(chunks[i], first + i, Overlap(first + i, begin, begin + range.length), out));
    }
    return arrow::Status::OK();
  }

  static arrow::Status AppendLevels(const Compression& compression, Bytes bytes, uint64_t count,
                                    std::vector<uint16_t>* levels) {
    ARROW_ASSIGN_OR_RAISE(const auto decoded, DecodeLevels(compression, bytes, count));
    levels->insert(levels->end(), decoded.begin(), decoded.end());
    return arrow::Status::OK();
  }

  arrow::Status AppendValues(const Chunk& chunk, uint64_t i, ValueRange range, ColumnBuilder* out) const {
    if (range.length == 0) return arrow::Status::OK();
    const uint64_t count = index_.values[i + 1] - index_.values[i];
    // Before the values are decoded nothing but their claimed number says how many bytes they take.
    if (count > kMaxBlockBytes / out->value_bytes()) {
      return arrow::Status::Invalid("a chunk of ", count, " values of ", out->value_bytes(), " bytes");
    }
    if (!dictionary_) return AppendChunkValues(layout_.values, chunk.values, count, range, out);
    const uint64_t index_bits = *layout_.values.value_bits();
    ARROW_ASSIGN_OR_RAISE(auto indices, arrow::AllocateBuffer(static_cast<int64_t>(range.length * index_bits / 8)));
    ARROW_RETURN_NOT_OK(DecodeChunkValues(layout_.values, chunk.values, count, range, indices->mutable_data()));
    return WithWord(index_bits, [&](auto word) {
      return GatherItems(reinterpret_cast<const decltype(word)*>(indices->data()), range.length, *dictionary_, out);
    });
  }

  const MiniBlockLayout layout_;
  const ByteRange chunks_;
  const ChunkIndex index_;
  const std::optional<Dictionary> dictionary_;
};

}  // namespace

std::vector<ByteRange> OpeningRanges(const MiniBlockLayout&, const PageMetadata& page) {
  std::vector<ByteRange> ranges = page.buffers;
  // Everything but the chunks themselves.
  ranges.erase(ranges.begin() + 1);
  return ranges;
}

arrow::Result<std::shared_ptr<const PageReader>> OpenMiniBlockPage(const MiniBlockLayout& layout,
                                                                   const PageMetadata& page, Buffers opening) {
  ARROW_ASSIGN_OR_RAISE(ChunkIndex index, ParseChunkWords(BytesOf(*opening[0]), layout.large, layout.num_values));
  if (index.bytes.back() != page.buffers[1].length) {
    return arrow::Status::Invalid("chunks of ", index.bytes.back(), " bytes in a buffer of ", page.buffers[1].length);
  }
  if (layout.has_repetition_index) {
    ARROW_RETURN_NOT_OK(ParseRepetitionIndex(BytesOf(*opening.back()), page.num_rows, &index));
  }
  std::optional<Dictionary> dictionary;
  if (layout.dictionary) {
    const uint64_t num_items = layout.num_dictionary_items;
    dictionary = Dictionary{num_items, nullptr, std::nullopt};
    if (layout.dictionary->is_variable()) {
      ARROW_ASSIGN_OR_RAISE(dictionary->variable,
                            DecodeVariableBlock(*layout.dictionary, BytesOf(*opening[1]), num_items));
    } else {
      ARROW_ASSIGN_OR_RAISE(dictionary->fixed, DecodeBlock(*layout.dictionary, BytesOf(*opening[1]), num_items));
    }
  }
  return std::make_shared<MiniBlockPage>(layout, page.buffers[1], std::move(index), std::move(dictionary));
}

}  // namespace fewter::lance
