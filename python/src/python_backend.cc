#include "python_backend.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include "fewter/cache/envelope.h"
#include "fewter/cache/health.h"
#include "kept_object.h"

namespace nb = nanobind;

namespace fewter::python {

namespace {

/// The bytes of an object with the buffer protocol, which it keeps alive.
class PythonBuffer final : public arrow::Buffer {
 public:
  explicit PythonBuffer(const Py_buffer& view)
      : arrow::Buffer(static_cast<const uint8_t*>(view.buf), view.len), view_(view) {}

  ~PythonBuffer() override {
    if (!PythonRuns()) return;
    const nb::gil_scoped_acquire lock;
    PyBuffer_Release(&view_);
  }

 private:
  Py_buffer view_;
};

/// Throws if the object has no bytes.
std::shared_ptr<arrow::Buffer> BufferOf(const nb::object& object) {
  Py_buffer view;
  if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_SIMPLE) != 0) throw nb::python_error();
  return std::make_shared<PythonBuffer>(view);
}

void AppendHex(std::string* text, uint64_t number, int digits) {
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%0*llx", digits, static_cast<unsigned long long>(number));
  *text += hex;
}

/// The segments, each with a slash behind it; what is not a letter, a digit, '-', '.' or '_' is %XX, so that no two
/// namespaces have the same text, and the text of an ancestor is a prefix.
std::string PrefixOf(const CacheNamespace& name_space) {
  std::string prefix;
  for (const std::string_view segment : name_space.segments()) {
    for (const char letter : segment) {
      const auto byte = static_cast<unsigned char>(letter);
      const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                            (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '.' || byte == '_';
      if (is_plain) {
        prefix += letter;
      } else {
        prefix += '%';
        AppendHex(&prefix, byte, 2);
      }
    }
    prefix += '/';
  }
  return prefix;
}

std::string NameOf(const EncodedKey& key) {
  std::string name = PrefixOf(key.name_space());
  AppendHex(&name, key.digest().high, 16);
  AppendHex(&name, key.digest().low, 16);
  return name;
}

class PythonBackend final : public CacheBackend {
 public:
  explicit PythonBackend(nb::object implementation) : implementation_(std::move(implementation)) {}

  std::string_view kind() const override { return "python"; }

  std::string_view Locate(const EncodedKey& key) const override {
    bool is_there = false;
    Ask([&] { is_there = nb::cast<bool>(implementation_.get().attr("contains")(NameOf(key))); });
    return is_there ? kind() : std::string_view();
  }

  /// Nobody knows what a call costs: the tiers above do not ask it for what they evict.
  bool is_remote() const override { return true; }

  void Flush() override {
    Ask([&] { implementation_.get().attr("flush")(); });
  }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    if (!codec || !health_.MayRead()) return {};
    std::shared_ptr<arrow::Buffer> bytes;
    const std::string failure = Ask([&] {
      const nb::object found = implementation_.get().attr("get")(NameOf(key));
      if (!found.is_none()) bytes = BufferOf(found);
    });
    if (!failure.empty()) {
      health_.ReadFailed(TierFault::kIo, failure);
      return {};
    }
    health_.ReadSucceeded();
    if (bytes == nullptr) return {};
    DecodedEntry decoded = DecodeEntry(key, codec, bytes);
    if (!decoded.hit()) {
      counters().Rejected(decoded.verdict);
      return {};
    }
    return {.value = std::move(decoded.value), .type = &type, .bytes = bytes->size(), .encoded = bytes};
  }

  /// The lookup a moment ago was the answer.
  CacheEntry LookupAgain(const EncodedKey&, const CacheCodec&, const std::type_info&) override { return {}; }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    if (!codec || !health_.MayWrite()) return;
    std::shared_ptr<arrow::Buffer> encoded = entry.encoded;
    if (encoded == nullptr && !EncodeEntry(key, codec, entry.value.get()).Value(&encoded).ok()) {
      // Says nothing about the object, but who may write has to report.
      health_.WriteSucceeded();
      return counters().EncodeFailure();
    }
    const std::string failure = Ask([&] {
      // A copy that the object may keep for as long as it likes.
      const nb::bytes bytes(encoded->data(), static_cast<size_t>(encoded->size()));
      implementation_.get().attr("insert")(NameOf(key), bytes);
    });
    if (!failure.empty()) return health_.WriteFailed(TierFault::kIo, failure);
    health_.WriteSucceeded();
    counters().Insertion();
  }

  void Invalidate(const CacheNamespace& name_space) override {
    const std::string prefix = PrefixOf(name_space);
    const std::string failure = Ask([&] {
      if (prefix.empty()) {
        implementation_.get().attr("clear")();
      } else {
        implementation_.get().attr("invalidate_prefix")(prefix);
      }
    });
    // What was not dropped only takes up room.
    if (!failure.empty()) health_.Note(TierFault::kIo, failure);
  }

  Contents Held() const override {
    std::pair<uint64_t, int64_t> held;
    Ask([&] { held = nb::cast<std::pair<uint64_t, int64_t>>(implementation_.get().attr("size")()); });
    return {.entries = held.first, .bytes = held.second};
  }

  HealthReport Health() const override { return health_.Report(); }

 private:
  /// Does something with Python's lock; returns what it raised, as text, or nothing.
  template <typename Question>
  std::string Ask(Question&& question) const {
    if (!PythonRuns()) return "the interpreter is on its way out";
    const nb::gil_scoped_acquire lock;
    try {
      question();
    } catch (nb::python_error& error) {
      bool is_interrupt = error.matches(PyExc_KeyboardInterrupt);
      std::string failure = nb::cast<std::string>(nb::str(nb::type_name(error.type())));
      // One that has no text is told by its name. Python looks for signals whenever it makes one.
      const nb::object text = nb::steal(PyObject_Str(error.value().ptr()));
      if (const char* utf8 = text.is_valid() ? PyUnicode_AsUTF8(text.ptr()) : nullptr) {
        failure += std::string(": ") + utf8;
      } else {
        is_interrupt |= PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
        PyErr_Clear();
      }
      // Not the object's failure: for whoever called the library. Last, since making a text looks for signals.
      if (is_interrupt) PyErr_SetInterrupt();
      return failure;
    } catch (const nb::cast_error&) {
      return "it returned something of another type than it should";
    }
    return {};
  }

  KeptObject implementation_;
  TierHealth health_{{.failures_to_bypass = 3}};
};

}  // namespace

std::shared_ptr<CacheBackend> MakePythonBackend(nb::object implementation) {
  return std::make_shared<PythonBackend>(std::move(implementation));
}

}  // namespace fewter::python
