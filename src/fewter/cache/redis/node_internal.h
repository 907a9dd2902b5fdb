#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "fewter/cache/health.h"
#include "fewter/cache/redis/connection_internal.h"
#include "fewter/cache/redis/deadline_internal.h"
#include "fewter/cache/redis/redis_backend.h"

namespace fewter::redis {

/// What all nodes have in common.
struct Shared {
  RedisBackendOptions options;
  TlsContext tls;
};

/// One server: its connections, its address, and whether it may be used. Thread safe.
class Node {
 public:
  Node(std::shared_ptr<const Shared> shared, RedisAddress address);

  /// As people write it.
  const std::string& name() const { return name_; }
  const RedisAddress& address() const { return address_; }
  TierHealth& health() { return health_; }
  const TierHealth& health() const { return health_; }

  /// The right to use one of the connections, for as long as it lives.
  class Permit {
   public:
    explicit Permit(Node* node = nullptr) : node_(node) {}
    Permit(Permit&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Permit() {
      if (node_ != nullptr) node_->Release();
    }
    explicit operator bool() const { return node_ != nullptr; }

   private:
    Node* node_;
  };

  /// Waits for one of the connections to become free; an empty one if that takes too long.
  Permit Enter(const Deadline& deadline);

  /// A connection that was used before; null if there is none that still stands.
  std::unique_ptr<Connection> TakeIdle();
  /// A new one.
  std::variant<std::unique_ptr<Connection>, Fault> Connect(const Deadline& deadline);
  /// Keeps a connection for the next one to need it, if it is quiet.
  void Keep(std::unique_ptr<Connection> connection);
  void DropIdle();

 private:
  struct Resolution;

  void Release();
  std::variant<std::vector<SocketAddress>, Fault> Resolve(const Deadline& deadline);
  /// Forgets connections of the process that this one was forked from. Requires the lock.
  void ForgetParent();

  const std::shared_ptr<const Shared> shared_;
  const RedisAddress address_;
  const std::string name_;
  TierHealth health_;

  std::mutex mutex_;
  std::condition_variable freed_;
  pid_t pid_;
  int in_use_ = 0;
  std::vector<std::unique_ptr<Connection>> idle_;
  /// What the name stands for; empty if not known, and after a connection could not be made.
  std::vector<SocketAddress> resolved_;
  /// Under way on the executor.
  std::shared_ptr<Resolution> resolution_;
};

}  // namespace fewter::redis
