#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

#include "fewter/cache/codec.h"
#include "fewter/cache/key.h"

/// Values and keys for the tests of the cache.

namespace fewter::testing {

/// A type that knows its own bytes. Deserialize copies nothing.
class Text {
 public:
  static constexpr std::string_view kCacheTypeId = "fewter.testing.Text";
  static constexpr uint32_t kCacheTypeVersion = 3;

  explicit Text(std::string_view text) : Text(arrow::Buffer::FromString(std::string(text))) {}
  explicit Text(std::shared_ptr<arrow::Buffer> bytes) : bytes_(std::move(bytes)) {}
  static std::shared_ptr<const Text> Make(std::string_view text) { return std::make_shared<Text>(text); }

  arrow::Status Serialize(arrow::io::OutputStream* out) const { return out->Write(bytes_->data(), bytes_->size()); }
  static arrow::Result<std::shared_ptr<const Text>> Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
    return std::make_shared<const Text>(body);
  }
  int64_t SizeInBytes() const { return bytes_->size(); }

  std::string ToString() const { return bytes_->ToString(); }
  const std::shared_ptr<arrow::Buffer>& bytes() const { return bytes_; }

 private:
  std::shared_ptr<arrow::Buffer> bytes_;
};

struct TextKey {
  using Value = Text;
  static constexpr std::string_view kTypeId = "fewter.testing.TextKey";
  static CacheCodec Codec() { return CacheCodec::For<Text>(); }
  uint64_t number;
  void AppendFields(KeyWriter& fields) const { fields.U64(number); }
};

/// The same value in memory only.
struct LiveTextKey {
  using Value = Text;
  static constexpr std::string_view kTypeId = "fewter.testing.LiveTextKey";
  uint64_t number;
  void AppendFields(KeyWriter& fields) const { fields.U64(number); }
};

/// A type that we do not own, from two functions.
using Numbers = std::vector<uint32_t>;

inline arrow::Status WriteNumbers(const Numbers& numbers, arrow::io::OutputStream* out) {
  return out->Write(numbers.data(), static_cast<int64_t>(numbers.size() * sizeof(uint32_t)));
}

inline arrow::Result<std::shared_ptr<const Numbers>> ReadNumbers(const std::shared_ptr<arrow::Buffer>& body) {
  if (body->size() % sizeof(uint32_t) != 0) return arrow::Status::Invalid("half a number");
  const auto* begin = reinterpret_cast<const uint32_t*>(body->data());
  return std::make_shared<const Numbers>(begin, begin + body->size() / sizeof(uint32_t));
}

struct NumbersKey {
  using Value = Numbers;
  static constexpr std::string_view kTypeId = "fewter.testing.NumbersKey";
  static CacheCodec Codec() { return CacheCodec::Of<Numbers, WriteNumbers, ReadNumbers>("fewter.testing.Numbers", 1); }
  static int64_t SizeInBytes(const Numbers& numbers) { return static_cast<int64_t>(numbers.size() * sizeof(uint32_t)); }
  std::string name;
  void AppendFields(KeyWriter& fields) const { fields.String(name); }
};

/// An interface, of which only live objects can be kept.
class Shape {
 public:
  virtual ~Shape() = default;
  virtual double Area() const = 0;
  virtual int64_t SizeInBytes() const = 0;
};

struct ShapeKey {
  using Value = Shape;
  static constexpr std::string_view kTypeId = "fewter.testing.ShapeKey";
  uint32_t id;
  void AppendFields(KeyWriter& fields) const { fields.U32(id); }
};

/// A key with its bytes, as a backend gets it.
template <CacheKey K>
class Encoded {
 public:
  explicit Encoded(const K& key, std::shared_ptr<const CacheNamespace> name_space = CacheNamespace::Root())
      : namespace_(std::move(name_space)), fields_(K::kTypeId) {
    key.AppendFields(fields_);
  }
  EncodedKey operator*() const { return EncodedKey(*namespace_, fields_); }

 private:
  std::shared_ptr<const CacheNamespace> namespace_;
  KeyWriter fields_;
};

}  // namespace fewter::testing
