#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include <arrow/result.h>

#include "fewter/cache/key.h"

/// How warm entries are, in numbers that survive a restart.
///
/// An entry's heat is a count of uses that halves every day. It decides what stays when the directory is full, and in
/// which order a process that starts fills its memory. Format of the file: docs/format/cache_heat.md.

namespace fewter::disk {

struct Heat {
  /// As of last_use; see At.
  float uses = 0;
  /// Seconds since 1970.
  uint32_t last_use = 0;

  /// What is left of it at a time.
  float At(uint32_t now) const;
  /// Takes in uses of another time.
  void Add(const Heat& other);
  bool operator==(const Heat&) const = default;
};

using HeatTable = std::unordered_map<KeyDigest, Heat, KeyDigestHash>;

std::string EncodeHeat(const HeatTable& table);
/// Invalid for bytes that are damaged, NotImplemented for those of a newer version.
arrow::Result<HeatTable> DecodeHeat(std::string_view bytes);

/// Seconds since 1970, now.
uint32_t SecondsNow();

}  // namespace fewter::disk
