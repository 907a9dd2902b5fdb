#include "fewter/cache/redis/node_internal.h"

#include <netdb.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>

namespace fewter::redis {
namespace {

std::string NameOf(const RedisBackendOptions& options, const RedisAddress& address) {
  if (!options.unix_socket.empty()) return options.unix_socket;
  const bool is_ip6 = address.host.find(':') != std::string::npos;
  return (is_ip6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::vector<SocketAddress> LookUp(const std::string& host, int port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  std::vector<SocketAddress> addresses;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress address{.address = {}, .length = one->ai_addrlen};
    std::memcpy(&address.address, one->ai_addr, one->ai_addrlen);
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

/// A name on its way to addresses. The system's resolver takes no deadline, so it works elsewhere.
struct Node::Resolution {
  std::mutex mutex;
  std::condition_variable done;
  bool is_done = false;
  std::vector<SocketAddress> addresses;
};

Node::Node(std::shared_ptr<const Shared> shared, RedisAddress address)
    : shared_(std::move(shared)),
      address_(std::move(address)),
      name_(NameOf(shared_->options, address_)),
      health_(shared_->options.health),
      pid_(getpid()) {}

void Node::ForgetParent() {
  if (pid_ == getpid()) return;
  pid_ = getpid();
  in_use_ = 0;
  idle_.clear();
  resolution_ = nullptr;
}

Node::Permit Node::Enter(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  ForgetParent();
  if (!freed_.wait_for(lock, deadline.left(), [&] { return in_use_ < shared_->options.connections; })) return Permit();
  ++in_use_;
  return Permit(this);
}

void Node::Release() {
  {
    std::lock_guard lock(mutex_);
    if (in_use_ > 0) --in_use_;
  }
  freed_.notify_one();
}

std::unique_ptr<Connection> Node::TakeIdle() {
  std::lock_guard lock(mutex_);
  ForgetParent();
  while (!idle_.empty()) {
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->IsQuiet()) return connection;
  }
  return nullptr;
}

void Node::Keep(std::unique_ptr<Connection> connection) {
  if (!connection->IsQuiet()) return;
  std::lock_guard lock(mutex_);
  ForgetParent();
  // One more than lookups use, for the writing task.
  if (idle_.size() <= static_cast<size_t>(shared_->options.connections)) idle_.push_back(std::move(connection));
}

void Node::DropIdle() {
  std::vector<std::unique_ptr<Connection>> dropped;
  std::lock_guard lock(mutex_);
  dropped.swap(idle_);
}

std::variant<std::vector<SocketAddress>, Fault> Node::Resolve(const Deadline& deadline) {
  if (!shared_->options.unix_socket.empty()) {
    auto address = UnixAddress(shared_->options.unix_socket);
    if (!address.ok()) return Fault{TierFault::kUnreachable, address.status().message()};
    return std::vector<SocketAddress>{*address};
  }
  std::vector<SocketAddress> addresses = LookUp(address_.host, address_.port, AI_NUMERICHOST);
  if (!addresses.empty()) return addresses;

  std::shared_ptr<Resolution> resolution;
  {
    std::lock_guard lock(mutex_);
    if (!resolved_.empty()) return resolved_;
    if (resolution_ == nullptr) {
      resolution_ = std::make_shared<Resolution>();
      auto* const executor =
          shared_->options.executor != nullptr ? shared_->options.executor : arrow::io::default_io_context().executor();
      const arrow::Status spawned = executor->Spawn([to = resolution_, address = address_] {
        std::vector<SocketAddress> found = LookUp(address.host, address.port, AI_ADDRCONFIG);
        std::lock_guard done(to->mutex);
        to->addresses = std::move(found);
        to->is_done = true;
        to->done.notify_all();
      });
      if (!spawned.ok()) {
        resolution_ = nullptr;
        return Fault{TierFault::kUnreachable, spawned.message()};
      }
    }
    resolution = resolution_;
  }
  {
    std::unique_lock lock(resolution->mutex);
    if (!resolution->done.wait_for(lock, deadline.left(), [&] { return resolution->is_done; })) {
      return Fault{TierFault::kTimeout, "the name was not resolved in time"};
    }
    addresses = resolution->addresses;
  }
  std::lock_guard lock(mutex_);
  if (resolution_ == resolution) resolution_ = nullptr;
  if (addresses.empty()) return Fault{TierFault::kUnreachable, "no such host"};
  resolved_ = addresses;
  return addresses;
}

std::variant<std::unique_ptr<Connection>, Fault> Node::Connect(const Deadline& whole) {
  const Deadline deadline = whole.AtMost(shared_->options.connect_timeout);
  auto addresses = Resolve(deadline);
  Fault fault;
  if (auto* unresolved = std::get_if<Fault>(&addresses)) {
    fault = std::move(*unresolved);
  } else {
    const auto& all = std::get<std::vector<SocketAddress>>(addresses);
    for (size_t i = 0; i < all.size(); ++i) {
      // Each has its share of the time: the first may be one that never answers.
      const auto share = deadline.left() / static_cast<int64_t>(all.size() - i);
      auto opened = Connection::Open(all[i], address_.host, shared_->options, shared_->tls, deadline.AtMost(share));
      if (auto* connection = std::get_if<std::unique_ptr<Connection>>(&opened)) return std::move(*connection);
      fault = std::move(std::get<Fault>(opened));
    }
  }
  std::lock_guard lock(mutex_);
  resolved_.clear();
  return fault;
}

}  // namespace fewter::redis
