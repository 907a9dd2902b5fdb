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

template <typename Index>
arrow::Status GatherText(const Index* indices, uint64_t count, const VariableValues& items, ColumnBuilder* out) {
  std::vector<uint64_t> ends(count);
  uint64_t size = 0;
  for (uint64_t i = 0; i < count; ++i) ends[i] = size += items[indices[i]].size();
  if (size > kMaxBlockBytes) return arrow::Status::Invalid("a chunk of ", size, " bytes of dictionary items");
  ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendBytes(size));
  for (uint64_t i = 0; i < count; ++i) {
    const Bytes item = items[indices[i]];
    if (!item.empty()) std::memcpy(to, item.data(), item.size());
    to += item.size();
  }
  out->FinishBytes(ends);
  return arrow::Status::OK();
}

/// Copies dictionary items: `indices` are `count` numbers of type Index.
template <typename Index>
arrow::Status GatherItems(const Index* indices, uint64_t count, const Dictionary& dictionary, ColumnBuilder* out) {
  const Index highest = count == 0 ? Index{0} : *std::max_element(indices, indices + count);
  if (count > 0 && highest >= dictionary.num_items) {
    return arrow::Status::Invalid("index ", +highest, " into ", dictionary.num_items, " items");
  }
  if (dictionary.variable) return GatherText(indices, count, *dictionary.variable, out);
  const uint64_t width = out->value_bytes();
  ARROW_ASSIGN_OR_RAISE(uint8_t * to, out->ExtendValues(count));
  const uint8_t* const items = dictionary.fixed->data();
  for (uint64_t i = 0; i < count; ++i, to += width) std::memcpy(to, items + indices[i] * width, width);
  return arrow::Status::OK();
}

class MiniBlockPage : public PageReader {
 public:
  MiniBlockPage(const MiniBlockLayout& layout, ByteRange chunks, ChunkIndex index, std::optional<Dictionary> dictionary)
      : layout_(layout), chunks_(chunks), index_(std::move(index)), dictionary_(std::move(dictionary)) {}

  arrow::Result<std::vector<ByteRange>> Plan(std::span<const RowRange> rows) const override {
    std::vector<ByteRange> ranges;
    for (StretchIterator stretches(*this, rows); stretches.Next();) {
      const Stretch& one = stretches.value();
      const uint64_t begin = index_.bytes[one.first_chunk];
      ranges.push_back({chunks_.offset + begin, index_.bytes[one.last_chunk] - begin});
    }
    return ranges;
  }

  arrow::Status Decode(std::span<const RowRange> rows, Buffers bytes, ColumnBuilder* out) const override {
    if (!layout_.levels.has_lists()) {
      ARROW_RETURN_NOT_OK(out->ReserveValues(ValuesOf({0, TotalLength(rows)}).length, TotalSize(bytes)));
    }
    size_t next = 0;
    for (StretchIterator stretches(*this, rows); stretches.Next();) {
      const Stretch& one = stretches.value();
      ARROW_ASSIGN_OR_RAISE(const auto chunks, ParseChunks(one, BytesOf(*bytes[next++])));
      ARROW_RETURN_NOT_OK(layout_.levels.has_lists() ? DecodeLists(one, chunks, out) : DecodeItems(one, chunks, out));
    }
    return arrow::Status::OK();
  }

 private:
  /// Rows that are decoded together, ascending and apart, and the chunks [first_chunk, last_chunk) from the first that
  /// has one of them to the last; all chunks between are touched.
  struct Stretch {
    std::span<const RowRange> rows;
    uint64_t first_chunk = 0;
    uint64_t last_chunk = 0;
  };

  /// Divides rows into stretches.
  class StretchIterator {
   public:
    StretchIterator(const MiniBlockPage& page, std::span<const RowRange> rows) : page_(page), left_(rows) {}

    bool Next() {
      while (!left_.empty() && left_.front().length == 0) left_ = left_.subspan(1);
      if (left_.empty()) return false;
      const auto [first, last] = page_.ChunksOf(left_.front());
      value_ = {left_.first(1), first, last};
      for (size_t i = 1; i < left_.size() && Joins(left_[i]); ++i) {
        value_.rows = left_.first(i + 1);
        value_.last_chunk = page_.ChunksOf(left_[i]).second;
      }
      left_ = left_.subspan(value_.rows.size());
      return true;
    }
    const Stretch& value() const { return value_; }

   private:
    bool Joins(RowRange rows) const {
      return rows.length > 0 && rows.start >= value_.rows.back().end() &&
             page_.ChunksOf(rows).first <= value_.last_chunk;
    }

    const MiniBlockPage& page_;
    std::span<const RowRange> left_;
    Stretch value_;
  };

  /// The values of rows without lists.
  RowRange ValuesOf(RowRange rows) const {
    const uint64_t values = layout_.levels.values_per_row();
    return {rows.start * values, rows.length * values};
  }

  /// The chunks [first, last) that hold the rows, of which there are some. A row may begin in a chunk where an earlier
  /// one ends.
  std::pair<uint64_t, uint64_t> ChunksOf(RowRange rows) const {
    if (!layout_.levels.has_lists()) rows = ValuesOf(rows);
    const auto& begun = layout_.levels.has_lists() ? index_.rows_begun : index_.values;
    const auto& ended = layout_.levels.has_lists() ? index_.rows_ended : index_.values;
    // The chunk by whose end the first row has begun, and the one by whose end the last has ended.
    const auto first = std::upper_bound(begun.begin() + 1, begun.end(), rows.start) - begun.begin() - 1;
    const auto last = std::lower_bound(ended.begin() + 1 + first, ended.end(), rows.end()) - ended.begin();
    return {static_cast<uint64_t>(first), static_cast<uint64_t>(last)};
  }

  arrow::Result<std::vector<Chunk>> ParseChunks(const Stretch& stretch, Bytes bytes) const {
    std::vector<Chunk> chunks;
    chunks.reserve(stretch.last_chunk - stretch.first_chunk);
    for (uint64_t i = stretch.first_chunk; i < stretch.last_chunk; ++i) {
      const Bytes chunk =
          bytes.subspan(index_.bytes[i] - index_.bytes[stretch.first_chunk], index_.bytes[i + 1] - index_.bytes[i]);
      ARROW_ASSIGN_OR_RAISE(chunks.emplace_back(), ChunkParser(chunk).Parse(layout_));
    }
    return chunks;
  }

  /// Appends the values of all chunks that the ranges of the page's values have, which are ascending and apart.
  arrow::Status AppendAllValues(const Stretch& stretch, const std::vector<Chunk>& chunks,
                                std::span<const ValueRange> values, ColumnBuilder* out) const {
    std::vector<ValueRange> of_chunk;
    size_t first = 0;
    for (uint64_t i = 0; i < chunks.size(); ++i) {
      const uint64_t begin = index_.values[stretch.first_chunk + i];
      const uint64_t end = index_.values[stretch.first_chunk + i + 1];
      while (first < values.size() && values[first].start + values[first].length <= begin) ++first;
      of_chunk.clear();
      for (size_t k = first; k < values.size() && values[k].start < end; ++k) {
        const uint64_t low = std::max(begin, values[k].start);
        const uint64_t high = std::min(end, values[k].start + values[k].length);
        if (low < high) of_chunk.push_back({low - begin, high - low});
      }
      ARROW_RETURN_NOT_OK(AppendValues(chunks[i], end - begin, of_chunk, out));
    }
    return arrow::Status::OK();
  }

  arrow::Status DecodeItems(const Stretch& stretch, const std::vector<Chunk>& chunks, ColumnBuilder* out) const {
    std::vector<ValueRange> values;
    values.reserve(stretch.rows.size());
    for (const RowRange& rows : stretch.rows) {
      const RowRange range = ValuesOf(rows);
      values.push_back({range.start, range.length});
    }
    ARROW_RETURN_NOT_OK(AppendAllValues(stretch, chunks, values, out));
    std::vector<uint16_t> definition;
    for (uint64_t i = 0; i < chunks.size() && layout_.definition; ++i) {
      const uint64_t chunk = stretch.first_chunk + i;
      const uint64_t chunk_values = index_.values[chunk + 1] - index_.values[chunk];
      if (chunks[i].num_levels != chunk_values) {
        return arrow::Status::Invalid("a chunk of ", chunk_values, " values with ", chunks[i].num_levels, " levels");
      }
      ARROW_RETURN_NOT_OK(AppendLevels(*layout_.definition, chunks[i].definition, chunk_values, &definition));
    }
    for (ValueRange& range : values) {
      range.start -= index_.values[stretch.first_chunk];
      ARROW_RETURN_NOT_OK(AppendValidity(layout_.levels, definition, range, out));
    }
    return arrow::Status::OK();
  }

  arrow::Status DecodeLists(const Stretch& stretch, const std::vector<Chunk>& chunks, ColumnBuilder* out) const {
    Levels levels;
    for (const Chunk& chunk : chunks) {
      ARROW_RETURN_NOT_OK(AppendLevels(*layout_.repetition, chunk.repetition, chunk.num_levels, &levels.repetition));
      if (!layout_.definition) continue;
      ARROW_RETURN_NOT_OK(AppendLevels(*layout_.definition, chunk.definition, chunk.num_levels, &levels.definition));
    }
    const uint64_t first_value = index_.values[stretch.first_chunk];
    const uint64_t num_values = index_.values[stretch.last_chunk] - first_value;
    // The levels begin with the rows that begin in these chunks.
    std::vector<RowRange> rows(stretch.rows.begin(), stretch.rows.end());
    for (RowRange& range : rows) range.start -= index_.rows_begun[stretch.first_chunk];
    ARROW_ASSIGN_OR_RAISE(auto values, AppendLists(layout_.levels, levels, rows, num_values, out));
    uint64_t wanted = 0;
    for (ValueRange& range : values) {
      range.start += first_value;
      wanted += range.length;
    }
    ARROW_RETURN_NOT_OK(out->ReserveValues(wanted, NumBytes(stretch)));
    return AppendAllValues(stretch, chunks, values, out);
  }

  uint64_t NumBytes(const Stretch& stretch) const {
    return index_.bytes[stretch.last_chunk] - index_.bytes[stretch.first_chunk];
  }

  static arrow::Status AppendLevels(const Compression& compression, Bytes bytes, uint64_t count,
                                    std::vector<uint16_t>* levels) {
    ARROW_ASSIGN_OR_RAISE(const auto decoded, DecodeLevels(compression, bytes, count));
    levels->insert(levels->end(), decoded.begin(), decoded.end());
    return arrow::Status::OK();
  }

  /// Appends some of a chunk's `count` values.
  arrow::Status AppendValues(const Chunk& chunk, uint64_t count, std::span<const ValueRange> ranges,
                             ColumnBuilder* out) const {
    if (ranges.empty()) return arrow::Status::OK();
    // Before the values are decoded nothing but their claimed number says how many bytes they take.
    if (count > kMaxBlockBytes / out->value_bytes()) {
      return arrow::Status::Invalid("a chunk of ", count, " values of ", out->value_bytes(), " bytes");
    }
    if (!dictionary_) return AppendChunkValues(layout_.values, chunk.values, count, ranges, out);
    const uint64_t index_bits = *layout_.values.value_bits();
    uint64_t wanted = 0;
    for (const ValueRange& range : ranges) wanted += range.length;
    ARROW_ASSIGN_OR_RAISE(auto indices, arrow::AllocateBuffer(static_cast<int64_t>(wanted * index_bits / 8)));
    ARROW_RETURN_NOT_OK(DecodeChunkValues(layout_.values, chunk.values, count, ranges, indices->mutable_data()));
    return WithWord(index_bits, [&](auto word) {
      return GatherItems(reinterpret_cast<const decltype(word)*>(indices->data()), wanted, *dictionary_, out);
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

std::vector<ByteRange> LikelyRanges(const MiniBlockLayout& layout, const PageMetadata& page,
                                    std::span<const RowRange> rows) {
  // So little is read at once.
  constexpr uint64_t kSmallPage = ReadableFile::kRemoteCoalesceGap;
  const ByteRange chunks = page.buffers[1];
  if (chunks.length <= kSmallPage) return {chunks};
  // Chunks of plain values are all of one size; of others the sums of many stay near to their mean.
  const bool is_even = !layout.levels.has_lists() && !layout.levels.has_nulls() &&
                       (std::holds_alternative<FlatCompression>(layout.values.kind) ||
                        std::holds_alternative<FixedSizeListCompression>(layout.values.kind));
  const uint64_t num_chunks = std::max<uint64_t>(page.buffers[0].length / (layout.large ? 4 : 2), 1);
  const uint64_t slack = 2 * (chunks.length / num_chunks) + (is_even ? 0 : chunks.length / 64);
  const double bytes_per_row = static_cast<double>(chunks.length) / static_cast<double>(page.num_rows);
  std::vector<ByteRange> likely;
  for (const RowRange& range : rows) {
    const auto begin = static_cast<uint64_t>(static_cast<double>(range.start) * bytes_per_row);
    const auto end = static_cast<uint64_t>(static_cast<double>(range.end()) * bytes_per_row);
    const uint64_t from = begin - std::min(begin, slack);
    const uint64_t to = std::min(chunks.length, end + slack);
    if (from < to) likely.push_back({chunks.offset + from, to - from});
  }
  return likely;
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
