#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/type_fwd.h>
#include <arrow/result.h>
#include <arrow/status.h>

/// How a value of the cache becomes bytes and comes back.

namespace fewter {

/// A type that knows its own bytes.
template <typename T>
concept CacheSerializable =
    requires(const T& value, arrow::io::OutputStream* out, const std::shared_ptr<arrow::Buffer>& body) {
      { T::kCacheTypeId } -> std::convertible_to<std::string_view>;
      { T::kCacheTypeVersion } -> std::convertible_to<uint32_t>;
      { value.Serialize(out) } -> std::same_as<arrow::Status>;
      { T::Deserialize(body) } -> std::same_as<arrow::Result<std::shared_ptr<const T>>>;
    };

/// Two plain function pointers and the name of what they write. Copied freely, allocates nothing, and costs nothing
/// where it is not used: a backend that keeps live objects never calls it.
///
/// Serialize writes the body; it is called twice, first to learn the size, and must write the same both times; `out` is
/// at position 0 at the body's first byte, and the body will lie at a 64-byte boundary when it is read back.
/// Deserialize gets a body that may have been written by anyone: it checks every length before it allocates or
/// dereferences, and returns a Status for bytes that it does not like (the caller of the cache then sees a miss). What
/// it returns should point into `body` rather than copy it, and must keep it alive.
///
/// Both may be called from any thread, at the same time.
class CacheCodec {
 public:
  using SerializeFunction = arrow::Status (*)(const void* value, arrow::io::OutputStream* out);
  using DeserializeFunction =
      arrow::Result<std::shared_ptr<const void>> (*)(const std::shared_ptr<arrow::Buffer>& body);

  /// No codec: the value stays in memory.
  constexpr CacheCodec() = default;

  /// From untyped functions; Of is the safer way. `type_id` must refer to memory that is never freed, such as a string
  /// literal; raise `type_version` whenever old bodies can no longer be read.
  constexpr CacheCodec(std::string_view type_id, uint32_t type_version, SerializeFunction serialize,
                       DeserializeFunction deserialize)
      : type_id_(type_id), type_version_(type_version), serialize_(serialize), deserialize_(deserialize) {}

  /// For a type that one does not own, from two functions:
  ///
  ///     arrow::Status WriteBitmap(const Bitmap& value, arrow::io::OutputStream* out);
  ///     arrow::Result<std::shared_ptr<const Bitmap>> ReadBitmap(const std::shared_ptr<arrow::Buffer>& body);
  ///     CacheCodec::Of<Bitmap, WriteBitmap, ReadBitmap>("fewter.Bitmap", 1)
  template <typename T, auto serialize, auto deserialize>
  static constexpr CacheCodec Of(std::string_view type_id, uint32_t type_version) {
    return CacheCodec(
        type_id, type_version,
        [](const void* value, arrow::io::OutputStream* out) -> arrow::Status {
          return std::invoke(serialize, *static_cast<const T*>(value), out);
        },
        [](const std::shared_ptr<arrow::Buffer>& body) -> arrow::Result<std::shared_ptr<const void>> {
          ARROW_ASSIGN_OR_RAISE(std::shared_ptr<const T> value, deserialize(body));
          return std::shared_ptr<const void>(std::move(value));
        });
  }

  /// For a type that has Serialize and Deserialize.
  template <CacheSerializable T>
  static constexpr CacheCodec For() {
    return Of<T, &T::Serialize, &T::Deserialize>(T::kCacheTypeId, T::kCacheTypeVersion);
  }

  /// False for the empty codec.
  constexpr explicit operator bool() const { return serialize_ != nullptr; }

  constexpr std::string_view type_id() const { return type_id_; }
  constexpr uint32_t type_version() const { return type_version_; }

  /// Requires a codec that is not empty, and a value of the codec's type.
  arrow::Status Serialize(const void* value, arrow::io::OutputStream* out) const { return serialize_(value, out); }
  arrow::Result<std::shared_ptr<const void>> Deserialize(const std::shared_ptr<arrow::Buffer>& body) const {
    return deserialize_(body);
  }

 private:
  std::string_view type_id_;
  uint32_t type_version_ = 0;
  SerializeFunction serialize_ = nullptr;
  DeserializeFunction deserialize_ = nullptr;
};

static_assert(std::is_trivially_copyable_v<CacheCodec>);

}  // namespace fewter
