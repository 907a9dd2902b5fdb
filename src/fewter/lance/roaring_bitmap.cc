#include "fewter/lance/roaring_bitmap.h"

#include <bit>
#include <optional>

#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

constexpr uint32_t kCookieWithoutRuns = 12346;
constexpr uint32_t kCookieWithRuns = 12347;
/// With runs, a bitmap of fewer containers has no table of their positions.
constexpr uint32_t kMinContainersForPositions = 4;
constexpr uint32_t kMaxContainers = 1 << 16;
/// Containers of at most this many values list them; larger ones are a bitmap of 2^16 bits.
constexpr uint32_t kMaxArrayValues = 4096;
constexpr size_t kBitmapWords = 1024;

/// The values whose upper 16 bits are `key`.
struct Container {
  uint16_t key = 0;
  /// 1 to 65536.
  uint32_t num_values = 0;
  bool is_runs = false;
};

class Decoder {
 public:
  Decoder(std::string_view bytes, uint64_t max_values, std::string_view what)
      : bytes_(bytes), max_values_(max_values), what_(what) {}

  /// The bitmap at the start of the bytes; Rest() is what follows it.
  arrow::Result<std::vector<uint32_t>> Decode() {
    RETURN_NOT_OK(ReadHeader());
    for (const Container& container : containers_) {
      const size_t before = values_.size();
      if (container.is_runs) {
        RETURN_NOT_OK(ReadRuns(container));
      } else if (container.num_values <= kMaxArrayValues) {
        RETURN_NOT_OK(ReadArray(container));
      } else {
        RETURN_NOT_OK(ReadBitmap(container));
      }
      if (values_.size() - before != container.num_values) {
        return Malformed("a container does not hold as many values as it says");
      }
    }
    return std::move(values_);
  }

  std::string_view Rest() const { return bytes_; }

  arrow::Status CheckEnd() const {
    if (bytes_.empty()) return arrow::Status::OK();
    return Malformed("there are bytes after the last container");
  }

 private:
  arrow::Status Malformed(std::string_view problem) const {
    return arrow::Status::Invalid(what_, ": malformed roaring bitmap: ", problem);
  }

  arrow::Result<std::string_view> Take(size_t length) {
    if (length > bytes_.size()) return Malformed("it ends too early");
    const std::string_view taken = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return taken;
  }

  arrow::Status ReadHeader() {
    ARROW_ASSIGN_OR_RAISE(auto start, Take(sizeof(uint32_t)));
    const auto cookie = LoadLittleEndian<uint32_t>(start.data());
    uint32_t count = 0;
    std::string_view run_flags;
    if ((cookie & 0xFFFF) == kCookieWithRuns) {
      count = (cookie >> 16) + 1;
      ARROW_ASSIGN_OR_RAISE(run_flags, Take((count + 7) / 8));
    } else if (cookie == kCookieWithoutRuns) {
      ARROW_ASSIGN_OR_RAISE(auto declared, Take(sizeof(uint32_t)));
      count = LoadLittleEndian<uint32_t>(declared.data());
    } else {
      return Malformed("it starts with an unknown number");
    }
    if (count > kMaxContainers) return Malformed("it says to have more containers than there can be");
    RETURN_NOT_OK(ReadDescriptions(count, run_flags));
    // The containers follow one another, so their positions tell nothing new.
    const bool has_positions = run_flags.empty() || count >= kMinContainersForPositions;
    return has_positions ? Take(count * sizeof(uint32_t)).status() : arrow::Status::OK();
  }

  arrow::Status ReadDescriptions(uint32_t count, std::string_view run_flags) {
    ARROW_ASSIGN_OR_RAISE(auto descriptions, Take(count * sizeof(uint32_t)));
    uint64_t total = 0;
    containers_.reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      const char* description = descriptions.data() + i * sizeof(uint32_t);
      Container container;
      container.key = LoadLittleEndian<uint16_t>(description);
      container.num_values = LoadLittleEndian<uint16_t>(description + sizeof(uint16_t)) + 1U;
      container.is_runs = !run_flags.empty() && ((static_cast<uint8_t>(run_flags[i / 8]) >> (i % 8)) & 1) != 0;
      if (i > 0 && container.key <= containers_.back().key) return Malformed("its containers are out of order");
      total += container.num_values;
      containers_.push_back(container);
    }
    if (total > max_values_) {
      return arrow::Status::Invalid(what_, ": has more values than the ", max_values_, " that there can be: ", total);
    }
    return arrow::Status::OK();
  }

  arrow::Status ReadArray(const Container& container) {
    ARROW_ASSIGN_OR_RAISE(auto array, Take(container.num_values * sizeof(uint16_t)));
    int32_t previous = -1;
    for (uint32_t i = 0; i < container.num_values; ++i) {
      const auto low = LoadLittleEndian<uint16_t>(array.data() + i * sizeof(uint16_t));
      if (low <= previous) return Malformed("values are out of order");
      values_.push_back(uint32_t{container.key} << 16 | low);
      previous = low;
    }
    return arrow::Status::OK();
  }

  arrow::Status ReadBitmap(const Container& container) {
    ARROW_ASSIGN_OR_RAISE(auto bitmap, Take(kBitmapWords * sizeof(uint64_t)));
    for (size_t i = 0; i < kBitmapWords; ++i) {
      auto word = LoadLittleEndian<uint64_t>(bitmap.data() + i * sizeof(uint64_t));
      for (; word != 0; word &= word - 1) {
        const auto low = static_cast<uint32_t>(i * 64) + static_cast<uint32_t>(std::countr_zero(word));
        values_.push_back(uint32_t{container.key} << 16 | low);
      }
    }
    return arrow::Status::OK();
  }

  arrow::Status ReadRuns(const Container& container) {
    ARROW_ASSIGN_OR_RAISE(auto count, Take(sizeof(uint16_t)));
    const auto num_runs = LoadLittleEndian<uint16_t>(count.data());
    ARROW_ASSIGN_OR_RAISE(auto runs, Take(num_runs * sizeof(uint32_t)));
    uint32_t end = 0;
    for (uint32_t i = 0; i < num_runs; ++i) {
      const char* run = runs.data() + i * sizeof(uint32_t);
      const uint32_t start = LoadLittleEndian<uint16_t>(run);
      const uint32_t last = start + LoadLittleEndian<uint16_t>(run + sizeof(uint16_t));
      if (start < end || last > 0xFFFF) return Malformed("runs overlap or are too long");
      for (uint32_t low = start; low <= last; ++low) values_.push_back(uint32_t{container.key} << 16 | low);
      end = last + 1;
    }
    return arrow::Status::OK();
  }

  std::string_view bytes_;
  const uint64_t max_values_;
  const std::string_view what_;
  std::vector<Container> containers_;
  std::vector<uint32_t> values_;
};

}  // namespace

arrow::Result<std::vector<uint32_t>> ParseRoaringBitmap(std::string_view bytes, uint64_t max_values,
                                                        std::string_view what) {
  Decoder decoder(bytes, max_values, what);
  ARROW_ASSIGN_OR_RAISE(auto values, decoder.Decode());
  RETURN_NOT_OK(decoder.CheckEnd());
  return values;
}

arrow::Status VisitRoaringTreemap(std::string_view bytes, uint64_t max_values, std::string_view what,
                                  const std::function<arrow::Status(uint32_t, const std::vector<uint32_t>&)>& visit) {
  const auto malformed = [&](std::string_view problem) {
    return arrow::Status::Invalid(what, ": malformed roaring treemap: ", problem);
  };
  if (bytes.size() < sizeof(uint64_t)) return malformed("it is too short for its count");
  const auto count = LoadLittleEndian<uint64_t>(bytes.data());
  bytes.remove_prefix(sizeof(uint64_t));
  std::optional<uint32_t> previous;
  for (uint64_t i = 0; i < count; ++i) {
    if (bytes.size() < sizeof(uint32_t)) return malformed("it ends too early");
    const auto upper = LoadLittleEndian<uint32_t>(bytes.data());
    if (previous && upper <= *previous) return malformed("its bitmaps are out of order");
    previous = upper;
    Decoder decoder(bytes.substr(sizeof(uint32_t)), max_values, what);
    ARROW_ASSIGN_OR_RAISE(const auto lower, decoder.Decode());
    max_values -= lower.size();
    bytes = decoder.Rest();
    RETURN_NOT_OK(visit(upper, lower));
  }
  if (!bytes.empty()) return malformed("there are bytes after the last bitmap");
  return arrow::Status::OK();
}

}  // namespace fewter::lance
