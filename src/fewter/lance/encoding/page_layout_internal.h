#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <arrow/result.h>

#include "fewter/lance/encoding/compression_internal.h"
#include "fewter/lance/encoding/levels_internal.h"
#include "fewter/lance/file_metadata.h"

/// How a page of version 2.1 or later is laid out: the protobuf message, checked against its page.

namespace fewter::lance {

/// Narrow values in chunks. Page buffers: chunk words, chunks, dictionary (if any), repetition index (if any).
struct MiniBlockLayout {
  LevelMeaning levels;
  std::optional<Compression> repetition;
  std::optional<Compression> definition;
  Compression values;
  /// The values are indices into it, if there is one.
  std::optional<Compression> dictionary;
  uint64_t num_dictionary_items = 0;
  uint64_t num_value_buffers = 0;
  bool has_repetition_index = false;
  uint64_t num_values = 0;
  /// 32-bit chunk words and buffer sizes instead of 16-bit ones.
  bool large = false;
};

/// Wide values one after the other, each behind a control word of its levels. Page buffers: values, repetition index
/// (with lists, or values of varying length).
struct FullZipLayout {
  LevelMeaning levels;
  uint32_t repetition_bits = 0;
  uint32_t definition_bits = 0;
  /// Of the length in front of each value that is not null; 0 if values have a fixed width, and then null ones have
  /// their bytes, too.
  uint32_t length_bits = 0;
  Compression values;

  bool has_index() const { return levels.has_lists() || length_bits > 0; }

  /// The bytes of a control word.
  uint32_t control_bytes() const;
};

/// All values equal or null, or no value at all. Page buffers: scalar (if not inline), then both kinds of levels or
/// none.
struct ConstantLayout {
  LevelMeaning levels;
  std::optional<std::string> inline_value;
  /// Absent for plain 16-bit levels.
  std::optional<Compression> repetition;
  std::optional<Compression> definition;
  uint64_t num_repetition_levels = 0;
  uint64_t num_definition_levels = 0;

  bool has_scalar_buffer(size_t num_buffers) const { return !inline_value && (num_buffers == 1 || num_buffers == 3); }
};

/// Where values lie in the file: positions and sizes (u64 both) in a page of another layout without levels, which has
/// the page's buffers. What has no value has a size of 0 and its definition level in bits 16 to 31 of the position.
struct BlobLayout {
  LevelMeaning levels;
  std::shared_ptr<const std::variant<MiniBlockLayout, FullZipLayout, ConstantLayout>> inner;
};

using PageLayout = std::variant<MiniBlockLayout, FullZipLayout, ConstantLayout, BlobLayout>;

/// What is around the values of a column, from the inside out; see LevelMeaning::FromLayers.
struct ColumnLayers {
  std::vector<bool> lists = {false};
  std::vector<uint64_t> strides = {1};
};

/// Decodes the page's encoding message. NotImplemented, naming the encoding, for what we do not read. Invalid for what
/// is malformed, does not fit the page's buffers or the column's layers, or does not belong into a file of this
/// version.
arrow::Result<PageLayout> ParsePageLayout(const PageMetadata& page, const ColumnLayers& layers, FileVersion version);

/// How the values of a page are compressed in the end, past its dictionary; null if the layout does not say.
const Compression* ValueCompression(const PageLayout& layout);

}  // namespace fewter::lance
