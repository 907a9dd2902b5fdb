#include "fewter/cache/redis/client_internal.h"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <deque>

namespace fewter::redis {
namespace {

/// A redirection, the answer to it that the slot has moved on meanwhile, and a connection that had gone.
constexpr int kRounds = 4;

constexpr std::string_view kAsking = "*1\r\n$6\r\nASKING\r\n";
constexpr std::string_view kLineEnd = "\r\n";

HealthReport Worse(HealthReport a, const HealthReport& b) {
  const auto badness = [](TierState state) {
    return state == TierState::kProbing ? static_cast<int>(TierState::kBypassed) : static_cast<int>(state);
  };
  if (badness(b.state) > badness(a.state)) {
    a.state = b.state;
    a.last_message.clear();
  }
  if (a.last_message.empty()) a.last_message = b.last_message;
  for (size_t i = 0; i < a.faults.size(); ++i) a.faults[i] += b.faults[i];
  a.skipped += b.skipped;
  return a;
}

}  // namespace

/// The requests to one node in one round.
struct Client::Pipeline {
  NodePtr node;
  std::vector<size_t> requests;
  Node::Permit permit = Node::Permit();
  std::unique_ptr<Connection> connection = nullptr;
  /// Whether the connection has been used before, so that the server may have closed it without a word.
  bool reused = false;
  /// Whether the node's health let us.
  bool admitted = false;
  /// The first requests that are answered.
  size_t answered = 0;
  /// Whether the next reply is the one to ASKING.
  bool skips_reply = false;
  std::optional<Fault> fault = {};

  bool done() const { return connection == nullptr || fault.has_value() || answered == requests.size(); }
};

Client::Client(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)), topology_(shared_) {}

HealthReport Client::Health() const {
  HealthReport whole;
  for (const NodePtr& node : topology_.Nodes()) {
    HealthReport report = node->health().Report();
    if (!report.last_message.empty()) report.last_message = node->name() + ": " + report.last_message;
    whole = Worse(std::move(whole), report);
  }
  return whole;
}

void Client::Run(std::span<Request> requests, Use use, const Deadline& deadline, bool blame_timeouts) {
  if (topology_.ClaimRefresh()) RefreshTopology(deadline);
  RunRounds(requests, use, deadline, blame_timeouts);
}

void Client::RunRounds(std::span<Request> requests, Use use, const Deadline& deadline, bool blame_timeouts) {
  std::vector<size_t> pending(requests.size());
  for (size_t i = 0; i < pending.size(); ++i) pending[i] = i;
  for (int round = 0; round < kRounds && !pending.empty() && !deadline.passed(); ++round) {
    std::vector<Pipeline> pipelines = Group(requests, pending);
    Start(requests, use, deadline, &pipelines);
    Exchange(requests, deadline, &pipelines);
    pending = Settle(requests, use, blame_timeouts, &pipelines);
  }
}

NodePtr Client::NodeFor(const Request& request) const {
  if (request.node != nullptr) return request.node;
  if (NodePtr node = topology_.OfSlot(request.slot)) return node;
  // Any node knows better; prefer one that works.
  std::vector<NodePtr> nodes = topology_.Nodes();
  for (const NodePtr& node : nodes) {
    if (node->health().Report().state == TierState::kHealthy) return node;
  }
  return nodes.front();
}

std::vector<Client::Pipeline> Client::Group(std::span<Request> requests, const std::vector<size_t>& pending) {
  std::vector<Pipeline> pipelines;
  for (const size_t i : pending) {
    const NodePtr node = NodeFor(requests[i]);
    auto pipeline = std::find_if(pipelines.begin(), pipelines.end(), [&](const auto& p) { return p.node == node; });
    if (pipeline == pipelines.end())
      pipeline = pipelines.insert(pipelines.end(), Pipeline{.node = node, .requests = {}});
    pipeline->requests.push_back(i);
  }
  return pipelines;
}

void Client::Start(std::span<Request> requests, Use use, const Deadline& deadline, std::vector<Pipeline>* pipelines) {
  const auto send = [&](Pipeline& pipeline) {
    for (const size_t i : pipeline.requests) {
      if (requests[i].asking) pipeline.connection->Send(kAsking);
      pipeline.connection->Send(requests[i].command);
      if (!requests[i].payload) continue;
      pipeline.connection->Send(*requests[i].payload);
      pipeline.connection->Send(kLineEnd);
    }
    pipeline.skips_reply = requests[pipeline.requests.front()].asking;
    // A failure shows again when the answers are read.
    pipeline.connection->Advance();
  };
  for (Pipeline& pipeline : *pipelines) {
    TierHealth& health = pipeline.node->health();
    pipeline.admitted = use == Use::kRead ? health.MayRead() : health.MayWrite();
    if (!pipeline.admitted) continue;
    // The writing task is only one, and should not keep lookups waiting.
    if (use == Use::kRead) pipeline.permit = pipeline.node->Enter(deadline);
    pipeline.admitted = use == Use::kWrite || pipeline.permit;
    if (!pipeline.admitted) continue;
    pipeline.connection = pipeline.node->TakeIdle();
    pipeline.reused = pipeline.connection != nullptr;
    if (pipeline.reused) send(pipeline);
  }
  // Connecting to a node that is gone takes time: the others have their requests by now.
  for (Pipeline& pipeline : *pipelines) {
    if (!pipeline.admitted || pipeline.connection != nullptr) continue;
    auto connected = pipeline.node->Connect(deadline);
    if (auto* fault = std::get_if<Fault>(&connected)) {
      pipeline.fault = std::move(*fault);
      continue;
    }
    pipeline.connection = std::move(std::get<std::unique_ptr<Connection>>(connected));
    send(pipeline);
  }
}

namespace {

/// Puts an answer where its request wants it.
void Deliver(ReplyPtr reply, Request* request) {
  const std::string_view text = TextOf(*reply);
  if (request->into.empty() || reply->type != VALKEY_REPLY_STRING || text.size() != request->into.size()) {
    request->reply = std::move(reply);
    return;
  }
  std::memcpy(request->into.data(), text.data(), text.size());
  request->filled = true;
}

}  // namespace

void Client::Exchange(std::span<Request> requests, const Deadline& deadline, std::vector<Pipeline>* pipelines) {
  const auto take_replies = [&](Pipeline& pipeline) {
    while (!pipeline.done()) {
      ReplyPtr reply = pipeline.connection->NextReply();
      if (reply == nullptr) return;
      if (std::exchange(pipeline.skips_reply, false)) continue;
      Deliver(std::move(reply), &requests[pipeline.requests[pipeline.answered++]]);
      pipeline.skips_reply = !pipeline.done() && requests[pipeline.requests[pipeline.answered]].asking;
    }
  };
  while (true) {
    bool progress = false;
    std::vector<pollfd> waiting;
    for (Pipeline& pipeline : *pipelines) {
      if (pipeline.done()) continue;
      const Connection::Step step = pipeline.connection->Advance();
      take_replies(pipeline);
      // A protocol error shows only when the reply is read.
      if (step == Connection::Step::kFailed || pipeline.connection->failed()) {
        pipeline.fault = pipeline.connection->fault();
      }
      progress |= step == Connection::Step::kProgress;
      if (!pipeline.done()) {
        waiting.push_back({.fd = pipeline.connection->fd(), .events = pipeline.connection->events(), .revents = 0});
      }
    }
    if (waiting.empty()) return;
    if (deadline.passed()) break;
    if (!progress) poll(waiting.data(), waiting.size(), static_cast<int>(deadline.slice().count()));
  }
  for (Pipeline& pipeline : *pipelines) {
    if (!pipeline.done()) pipeline.fault = Fault{TierFault::kTimeout, "no answer in time"};
  }
}

bool Client::Redirects(const Node& asked, Request* request) {
  if (request->reply == nullptr || !IsError(*request->reply)) return false;
  const std::string_view error = TextOf(*request->reply);
  if (!shared_->options.cluster) return false;
  const auto target = RedirectionTarget(error, asked.address());
  if (!target) return false;
  const NodePtr node = topology_.At(*target);
  if (node == nullptr) return false;
  request->asking = error.starts_with("ASK ");
  if (request->asking) {
    request->node = node;
  } else {
    request->node = nullptr;
    topology_.Move(request->slot, node);
  }
  request->reply = nullptr;
  return true;
}

std::vector<size_t> Client::Settle(std::span<Request> requests, Use use, bool blame_timeouts,
                                   std::vector<Pipeline>* pipelines) {
  std::vector<size_t> again;
  for (Pipeline& pipeline : *pipelines) {
    if (!pipeline.admitted) continue;
    Node& node = *pipeline.node;
    std::optional<Fault> fault = pipeline.fault;
    if (fault && pipeline.reused && pipeline.answered == 0 && fault->kind == TierFault::kUnreachable) {
      // The server has restarted, perhaps: once more, over new connections.
      node.DropIdle();
      again.insert(again.end(), pipeline.requests.begin(), pipeline.requests.end());
      continue;
    }
    for (const size_t i : pipeline.requests) {
      if (Redirects(node, &requests[i])) {
        again.push_back(i);
      } else if (requests[i].reply != nullptr && IsError(*requests[i].reply) && !fault) {
        // A value of another type is not the server's fault.
        if (!TextOf(*requests[i].reply).starts_with("WRONGTYPE")) fault = FaultOf(*requests[i].reply);
      }
    }
    if (pipeline.connection != nullptr && !pipeline.fault) node.Keep(std::move(pipeline.connection));
    Report(fault, use, blame_timeouts, pipeline.connection == nullptr && pipeline.fault.has_value(), &node);
  }
  return again;
}

void Client::Report(const std::optional<Fault>& fault, Use use, bool blame_timeouts, bool could_not_connect,
                    Node* node) {
  TierHealth& health = node->health();
  if (!fault) return use == Use::kRead ? health.ReadSucceeded() : health.WriteSucceeded();
  if (fault->kind == TierFault::kUnreachable || fault->kind == TierFault::kTimeout) topology_.MarkStale();
  if (fault->kind == TierFault::kTimeout && !blame_timeouts) return;
  // Who cannot even connect to write need not try to read.
  if (use == Use::kRead || could_not_connect) return health.ReadFailed(fault->kind, fault->message);
  health.WriteFailed(fault->kind, fault->message);
}

void Client::RefreshTopology(const Deadline& whole) {
  const Deadline deadline = whole.AtMost(shared_->options.connect_timeout);
  for (const NodePtr& node : topology_.Nodes()) {
    if (deadline.passed()) return;
    std::vector<Request> requests(1);
    requests[0].node = node;
    requests[0].command = FormatCommand({"CLUSTER", "SLOTS"});
    RunRounds(requests, Use::kRead, deadline, true);
    if (requests[0].reply != nullptr && topology_.Take(*requests[0].reply, *node)) return;
  }
}

}  // namespace fewter::redis
