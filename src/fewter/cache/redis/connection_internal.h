#pragma once

#include <sys/socket.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <valkey/valkey.h>

#include "fewter/cache/redis/deadline_internal.h"
#include "fewter/cache/redis/redis_backend.h"

/// One connection to a server. Nothing here waits but Open, and that only until its deadline.

struct ssl_ctx_st;
struct ssl_st;

namespace fewter::redis {

struct FreeReply {
  void operator()(valkeyReply* reply) const { freeReplyObject(reply); }
};
using ReplyPtr = std::unique_ptr<valkeyReply, FreeReply>;

/// The text of a reply; empty if it has none.
std::string_view TextOf(const valkeyReply& reply);
bool IsError(const valkeyReply& reply);
/// What an error reply says of the server.
Fault FaultOf(const valkeyReply& error);

/// Bounds what a server can make us allocate by sending little.
void LimitReader(valkeyReader* reader);

/// A command as RESP. `payload` follows it, as the last argument, without being copied; null for none.
std::string FormatCommand(const std::vector<std::string_view>& arguments, std::optional<std::string_view> payload = {});

struct SocketAddress {
  sockaddr_storage address = {};
  socklen_t length = 0;
};
arrow::Result<SocketAddress> UnixAddress(const std::string& path);

/// The settings for TLS, with certificates read; shared by all connections. Null without TLS.
using TlsContext = std::shared_ptr<ssl_ctx_st>;
arrow::Result<TlsContext> MakeTlsContext(const RedisBackendOptions& options);

class Connection {
 public:
  /// Connects, and does TLS, AUTH and SELECT. `host` is the one whose certificate is expected.
  static std::variant<std::unique_ptr<Connection>, Fault> Open(const SocketAddress& address, const std::string& host,
                                                               const RedisBackendOptions& options,
                                                               const TlsContext& tls, const Deadline& deadline);

  /// Queues bytes to be sent. What is referred to must stay until all replies are there.
  void Send(std::string_view bytes);

  enum class Step { kBlocked, kProgress, kFailed };
  /// Sends and receives what can be without waiting.
  Step Advance();
  /// The next reply; null if it has not arrived or the connection has failed.
  ReplyPtr NextReply();

  bool failed() const { return failed_; }
  /// Of a connection that has failed.
  const Fault& fault() const { return fault_; }

  int fd() const { return context_->fd; }
  /// What poll should wait for.
  short events() const;
  /// True if nothing is under way and the server has neither closed the connection nor sent what nobody asked for.
  bool IsQuiet() const;

 private:
  struct FreeContext {
    void operator()(valkeyContext* context) const { valkeyFree(context); }
  };
  using ContextPtr = std::unique_ptr<valkeyContext, FreeContext>;

  explicit Connection(ContextPtr context);

  std::optional<Fault> StartTls(const std::string& host, const RedisBackendOptions& options, const TlsContext& tls,
                                const Deadline& deadline);
  std::optional<Fault> Greet(const RedisBackendOptions& options, const Deadline& deadline);
  bool SendSome();
  size_t Unread() const { return context_->reader->len - context_->reader->pos; }
  Step Fail(TierFault kind, std::string message);
  Step FailAsContextDid();

  ContextPtr context_;
  std::deque<std::string_view> to_send_;
  /// Whether libvalkey's buffer holds bytes that have not been sent.
  bool unsent_ = false;
  /// What has been read of the reply that is not whole yet, and behind it.
  size_t reply_bytes_ = 0;
  bool failed_ = false;
  Fault fault_;
};

/// Waits until `fd` is ready, or a slice of the deadline is over. Other failures show when the descriptor is used.
void WaitFor(int fd, short events, const Deadline& deadline);

}  // namespace fewter::redis
