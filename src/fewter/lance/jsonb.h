#pragma once

#include <string>
#include <string_view>

#include <arrow/status.h>

/// What columns of JSON hold: the binary form of the Rust crate jsonb (https://github.com/databendlabs/jsonb), 0.5.
///
/// A container begins with a big-endian uint32: three bits for array, object or scalar, then how many values it has (a
/// scalar is a container of one). An entry for each follows, uint32 too: what the value is, and how many bytes it
/// takes; of an object, entries of all keys come before those of the values. Then the bytes themselves, in the same
/// order. An array or object inside another is a container again.

namespace fewter::lance {

/// Deeper values are not read. pylance 14 overflows its stack somewhere between 2000 and 5000.
inline constexpr int kMaxJsonDepth = 2000;

/// Appends the value as JSON text, in the form in which Lance returns it: no spaces, keys in the order that they are
/// stored in, escapes only where JSON needs them, doubles with the fewest digits that tell them from others, NaN and
/// infinities as null. No bytes at all are null too, and bytes behind the value do not count, as in the crate.
///
/// Invalid for bytes that are no such value or text that is not UTF-8; NotImplemented for one that is too deep, and for
/// decimals, dates, times and bytes, which Lance does not write: it makes its values of JSON text. What has been
/// appended before an error remains. Thread safe.
arrow::Status AppendJsonText(std::string_view jsonb, std::string* text);

}  // namespace fewter::lance
