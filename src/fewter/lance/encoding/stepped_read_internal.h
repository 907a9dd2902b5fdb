#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "fewter/lance/object_store.h"

/// Reading in steps, so that the IO of many columns can be done at once.

namespace fewter::lance {

using Buffers = std::span<const std::shared_ptr<arrow::Buffer>>;

/// A read whose ranges may depend on what was read before. Not thread safe.
class SteppedRead {
 public:
  virtual ~SteppedRead() = default;

  /// The ranges to read next, maybe none; or nothing once it has all it needs, after which it is not asked again.
  /// `bytes` are the ranges that it named the last time. Ranges of length 0 need no IO, and get an empty buffer.
  virtual arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) = 0;
};

/// Several reads that take their steps together.
class SteppedReads : public SteppedRead {
 public:
  /// The read must outlive this.
  void Add(SteppedRead* read) { parts_.push_back({read, 0, false}); }

  arrow::Result<std::optional<std::vector<ByteRange>>> Next(Buffers bytes) override {
    std::vector<ByteRange> ranges;
    size_t position = 0;
    bool done = true;
    for (Part& part : parts_) {
      if (part.done) continue;
      ARROW_ASSIGN_OR_RAISE(const auto next, part.read->Next(bytes.subspan(position, part.num_ranges)));
      position += part.num_ranges;
      part.done = !next.has_value();
      part.num_ranges = next ? next->size() : 0;
      if (next) ranges.insert(ranges.end(), next->begin(), next->end());
      done = done && part.done;
    }
    if (done) return std::nullopt;
    return ranges;
  }

 private:
  struct Part {
    SteppedRead* read;
    size_t num_ranges;
    bool done;
  };
  std::vector<Part> parts_;
};

}  // namespace fewter::lance
