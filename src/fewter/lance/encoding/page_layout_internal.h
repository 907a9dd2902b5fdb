#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

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
/// (with lists).
struct FullZipLayout {
  LevelMeaning levels;
  uint32_t repetition_bits = 0;
  uint32_t definition_bits = 0;
  Compression values;

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

using PageLayout = std::variant<MiniBlockLayout, FullZipLayout, ConstantLayout>;

/// Decodes the page's encoding message. NotImplemented, naming the encoding, for what we do not read. Invalid for what
/// is malformed, does not fit the page's buffers, or does not belong into a file of this version.
arrow::Result<PageLayout> ParsePageLayout(const PageMetadata& page, FileVersion version);

/// The bits of one value, or nothing if the layout does not say.
std::optional<uint64_t> ValueBits(const PageLayout& layout);

}  // namespace fewter::lance
