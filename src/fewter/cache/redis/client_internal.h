#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fewter/cache/redis/connection_internal.h"
#include "fewter/cache/redis/deadline_internal.h"
#include "fewter/cache/redis/node_internal.h"
#include "fewter/cache/redis/redis_backend.h"

/// Commands to one server or to a cluster: who is asked, over which connection, and what comes of it for their health.

namespace fewter::redis {

using NodePtr = std::shared_ptr<Node>;

/// One command and its answer.
struct Request {
  /// The slot of the key that it is about.
  int slot = 0;
  /// The node to ask whatever the slot; null for the one that has the slot.
  NodePtr node = {};
  /// As FormatCommand wrote it.
  std::string command = {};
  /// What follows it, with nothing copied; must outlive the request.
  std::optional<std::string_view> payload = {};
  /// Where the text of the answer is copied, if it has exactly this length; the answer is then not kept.
  std::span<uint8_t> into = {};

  /// The answer, which may be an error; null if there was none in time.
  ReplyPtr reply = {};
  /// Whether `into` has been filled.
  bool filled = false;

  /// An answer that sent us elsewhere, for a slot that is just moving: its node wants to be told that we know.
  bool asking = false;
};

/// Whether a request counts as a read or a write of the nodes that answer it.
enum class Use { kRead, kWrite };

/// Which node has which slot. Thread safe.
class Topology {
 public:
  explicit Topology(std::shared_ptr<const Shared> shared);

  /// All nodes that are known; those that the options name first.
  std::vector<NodePtr> Nodes() const;
  /// The nodes that have a slot, or all that are known if that is not known.
  std::vector<NodePtr> Serving() const;
  /// Null if it is not known.
  NodePtr OfSlot(int slot) const;
  /// The node at an address, which becomes known.
  NodePtr At(const RedisAddress& address);

  void Move(int slot, const NodePtr& to);
  /// Takes the answer to CLUSTER SLOTS, given by `from`; false if it is not one.
  bool Take(const valkeyReply& slots, const Node& from);

  void MarkStale();
  /// True if the slots should be asked for, and nobody has tried in the last second; the caller then does.
  bool ClaimRefresh();

 private:
  NodePtr AtLocked(const RedisAddress& address);

  const std::shared_ptr<const Shared> shared_;
  mutable std::mutex mutex_;
  std::vector<NodePtr> nodes_;
  /// Empty without a cluster.
  std::vector<NodePtr> slots_;
  bool stale_ = true;
  std::optional<Deadline::Clock::time_point> last_refresh_;
};

class Client {
 public:
  explicit Client(std::shared_ptr<const Shared> shared);

  /// Sends requests, side by side to all nodes concerned, and waits for the answers, but not past the deadline.
  /// Follows a cluster's redirections. Nodes whose health forbids it are not asked; the others' is told how it went,
  /// but a timeout is only blamed on the server if `blame_timeouts`, that is, if it had a fair amount of time.
  void Run(std::span<Request> requests, Use use, const Deadline& deadline, bool blame_timeouts = true);

  /// Where keys may be, for who wants to see all.
  std::vector<NodePtr> Serving() const { return topology_.Serving(); }

  HealthReport Health() const;

 private:
  struct Pipeline;

  std::vector<Pipeline> Group(std::span<Request> requests, const std::vector<size_t>& pending);
  NodePtr NodeFor(const Request& request) const;
  void Start(std::span<Request> requests, Use use, const Deadline& deadline, std::vector<Pipeline>* pipelines);
  void Exchange(std::span<Request> requests, const Deadline& deadline, std::vector<Pipeline>* pipelines);
  /// Says how it went, and what has to be sent once more.
  std::vector<size_t> Settle(std::span<Request> requests, Use use, bool blame_timeouts,
                             std::vector<Pipeline>* pipelines);
  /// Tells a node's health how it went.
  void Report(const std::optional<Fault>& fault, Use use, bool blame_timeouts, bool could_not_connect, Node* node);
  /// Whether an answer sends us to another node; the request is then ready to be sent there.
  bool Redirects(const Node& asked, Request* request);
  void RefreshTopology(const Deadline& deadline);
  void RunRounds(std::span<Request> requests, Use use, const Deadline& deadline, bool blame_timeouts);

  const std::shared_ptr<const Shared> shared_;
  Topology topology_;
};

/// The host and port of a redirection such as "MOVED 17 10.0.0.1:7000"; nothing if the text is not one.
std::optional<RedisAddress> RedirectionTarget(std::string_view error, const RedisAddress& asked);

}  // namespace fewter::redis
