#pragma once

#include <array>
#include <cstddef>

/// What a thread works for, handed on to the threads that help it.

namespace fewter {

/// A few pointers that belong to a thread: each says for whom it works in one respect. RunSideBySide gives its helpers
/// the caller's, so that what they do is counted for, and bounded by, whoever asked for it.
class WorkContext {
 public:
  /// A pointer each; whoever adds one says here whose it is.
  enum Slot : size_t { kIoQuery, kCacheQuery, kSpan, kSlots };
  using Pointers = std::array<void*, kSlots>;

  static void* Get(Slot slot) { return pointers_[slot]; }
  static const Pointers& All() { return pointers_; }

  /// Sets the thread's pointers until it goes; what they point at must live as long.
  class Scope {
   public:
    explicit Scope(const Pointers& pointers) : outer_(pointers_) { pointers_ = pointers; }
    Scope(Slot slot, void* pointer) : outer_(pointers_) { pointers_[slot] = pointer; }
    ~Scope() { pointers_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const Pointers outer_;
  };

 private:
  // Looked at on the way of every hit of a cache, where a call to find it would be felt.
  static inline constinit thread_local Pointers pointers_ [[gnu::tls_model("initial-exec")]]{};
};

}  // namespace fewter
