#include <algorithm>
#include <charconv>

#include "fewter/cache/redis/client_internal.h"
#include "fewter/cache/redis/value_internal.h"

namespace fewter::redis {
namespace {

/// More nodes than any cluster has; an answer that names more is not believed.
constexpr size_t kMostNodes = 1024;

bool IsArray(const valkeyReply* reply, size_t least) {
  return reply != nullptr && reply->type == VALKEY_REPLY_ARRAY && reply->elements >= least;
}

bool IsNumber(const valkeyReply* reply, int64_t least, int64_t most) {
  return reply != nullptr && reply->type == VALKEY_REPLY_INTEGER && reply->integer >= least && reply->integer <= most;
}

/// [first slot, last slot, [host, port, …], replicas…]
bool IsRange(const valkeyReply* range) {
  if (!IsArray(range, 3) || !IsNumber(range->element[0], 0, kSlots - 1)) return false;
  if (!IsNumber(range->element[1], range->element[0]->integer, kSlots - 1)) return false;
  const valkeyReply* const node = range->element[2];
  return IsArray(node, 2) && node->element[0] != nullptr && IsNumber(node->element[1], 1, 65535);
}

}  // namespace

std::optional<RedisAddress> RedirectionTarget(std::string_view error, const RedisAddress& asked) {
  if (!error.starts_with("MOVED ") && !error.starts_with("ASK ")) return std::nullopt;
  const std::string_view target = error.substr(error.rfind(' ') + 1);
  const size_t colon = target.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port_text = target.substr(colon + 1);
  int port = 0;
  const auto [end, failure] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (failure != std::errc() || end != port_text.data() + port_text.size() || port < 1 || port > 65535) {
    return std::nullopt;
  }
  // A node that does not know its own name leaves it out.
  return RedisAddress{.host = colon == 0 ? asked.host : std::string(target.substr(0, colon)), .port = port};
}

Topology::Topology(std::shared_ptr<const Shared> shared) : shared_(std::move(shared)) {
  for (const RedisAddress& address : shared_->options.servers) AtLocked(address);
  if (!shared_->options.unix_socket.empty()) AtLocked({});
  if (shared_->options.cluster) slots_.resize(kSlots);
}

NodePtr Topology::AtLocked(const RedisAddress& address) {
  for (const NodePtr& node : nodes_) {
    if (node->address() == address) return node;
  }
  if (nodes_.size() >= kMostNodes) return nullptr;
  return nodes_.emplace_back(std::make_shared<Node>(shared_, address));
}

NodePtr Topology::At(const RedisAddress& address) {
  std::lock_guard lock(mutex_);
  return AtLocked(address);
}

std::vector<NodePtr> Topology::Nodes() const {
  std::lock_guard lock(mutex_);
  return nodes_;
}

std::vector<NodePtr> Topology::Serving() const {
  std::lock_guard lock(mutex_);
  std::vector<NodePtr> serving;
  for (const NodePtr& node : slots_) {
    if (node == nullptr || (!serving.empty() && serving.back() == node)) continue;
    if (std::find(serving.begin(), serving.end(), node) == serving.end()) serving.push_back(node);
  }
  return serving.empty() ? nodes_ : serving;
}

NodePtr Topology::OfSlot(int slot) const {
  std::lock_guard lock(mutex_);
  return slots_.empty() ? nodes_.front() : slots_[static_cast<size_t>(slot)];
}

void Topology::Move(int slot, const NodePtr& to) {
  std::lock_guard lock(mutex_);
  if (slots_.empty()) return;
  slots_[static_cast<size_t>(slot)] = to;
  stale_ = true;
}

bool Topology::Take(const valkeyReply& slots, const Node& from) {
  if (!IsArray(&slots, 1) || !std::all_of(slots.element, slots.element + slots.elements, IsRange)) return false;
  std::lock_guard lock(mutex_);
  std::vector<NodePtr> taken(kSlots);
  for (const valkeyReply* range : std::span(slots.element, slots.elements)) {
    const valkeyReply& where = *range->element[2];
    std::string host(TextOf(*where.element[0]));
    if (host.empty() || host == "?") host = from.address().host;
    const NodePtr node = AtLocked({.host = std::move(host), .port = static_cast<int>(where.element[1]->integer)});
    std::fill(taken.begin() + range->element[0]->integer, taken.begin() + range->element[1]->integer + 1, node);
  }
  slots_ = std::move(taken);
  stale_ = false;
  return true;
}

void Topology::MarkStale() {
  std::lock_guard lock(mutex_);
  stale_ = true;
}

bool Topology::ClaimRefresh() {
  std::lock_guard lock(mutex_);
  const auto now = Deadline::Clock::now();
  if (slots_.empty() || !stale_ || (last_refresh_ && now - *last_refresh_ < std::chrono::seconds(1))) return false;
  last_refresh_ = now;
  return true;
}

}  // namespace fewter::redis
