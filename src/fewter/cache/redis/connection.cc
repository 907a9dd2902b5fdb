#include "fewter/cache/redis/connection_internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "fewter/util/signal_guard_internal.h"

namespace fewter::redis {
namespace {

/// How much is handed to libvalkey at a time, which copies it, and moves what remains after each partial write.
constexpr size_t kSendBytes = size_t{1} << 20;
/// The most that a reply may take: a chunk, or a page of a scan.
constexpr size_t kMaxReplyBytes = size_t{4} << 20;

std::string ErrnoText(int error) {
  std::array<char, 128> text{};
  return strerror_r(error, text.data(), text.size());
}

/// A socket that is connected, or the error.
std::variant<int, Fault> ConnectSocket(const SocketAddress& address, const Deadline& deadline) {
  const int fd = socket(address.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Fault{TierFault::kUnreachable, "socket: " + ErrnoText(errno)};
  if (address.address.ss_family != AF_UNIX) {
    constexpr int kOn = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
  }
  int error = connect(fd, reinterpret_cast<const sockaddr*>(&address.address), address.length) == 0 ? 0 : errno;
  while (error == EINPROGRESS && !deadline.passed()) {
    WaitFor(fd, POLLOUT, deadline);
    pollfd state{.fd = fd, .events = POLLOUT, .revents = 0};
    if (poll(&state, 1, 0) <= 0) continue;
    socklen_t length = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  }
  if (error == 0) return fd;
  close(fd);
  if (error == EINPROGRESS) return Fault{TierFault::kTimeout, "no connection in time"};
  // A Unix socket whose server does not accept says EAGAIN.
  return Fault{error == EACCES ? TierFault::kRefused : TierFault::kUnreachable, "connect: " + ErrnoText(error)};
}

void AppendArgument(std::string_view argument, std::string* command) {
  fmt::format_to(std::back_inserter(*command), "${}\r\n", argument.size());
  command->append(argument);
  command->append("\r\n");
}

}  // namespace

std::string_view TextOf(const valkeyReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

bool IsError(const valkeyReply& reply) {
  return reply.type == VALKEY_REPLY_ERROR;
}

Fault FaultOf(const valkeyReply& error) {
  const std::string_view text = TextOf(error);
  const std::string_view code = text.substr(0, text.find(' '));
  Fault fault{TierFault::kProtocol, std::string(text.substr(0, 200))};
  const auto is_one_of = [&](std::initializer_list<std::string_view> codes) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
  };
  if (code == "OOM") {
    fault.kind = TierFault::kNoSpace;
  } else if (is_one_of({"NOAUTH", "WRONGPASS", "NOPERM", "MISCONF", "READONLY", "DENIED", "-DENIED"})) {
    fault.kind = TierFault::kRefused;
  } else if (is_one_of({"LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS"}) ||
             text.starts_with("ERR max number of clients")) {
    fault.kind = TierFault::kUnreachable;
  }
  return fault;
}

std::string FormatCommand(const std::vector<std::string_view>& arguments, std::optional<std::string_view> payload) {
  std::string command = fmt::format("*{}\r\n", arguments.size() + (payload ? 1 : 0));
  for (const std::string_view argument : arguments) AppendArgument(argument, &command);
  if (payload) fmt::format_to(std::back_inserter(command), "${}\r\n", payload->size());
  return command;
}

arrow::Result<SocketAddress> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return arrow::Status::Invalid("the path of the socket is too long");
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  SocketAddress result{.address = {}, .length = sizeof(address)};
  std::memcpy(&result.address, &address, sizeof(address));
  return result;
}

void WaitFor(int fd, short events, const Deadline& deadline) {
  pollfd state{.fd = fd, .events = events, .revents = 0};
  poll(&state, 1, static_cast<int>(deadline.slice().count()));
}

void LimitReader(valkeyReader* reader) {
  // The nested answer to CLUSTER SLOTS is the deepest; nothing that we ask for has more elements.
  reader->maxelements = 1 << 16;
  reader->maxdepth = 6;
  reader->maxbuf = kSendBytes;
}

Connection::Connection(ContextPtr context) : context_(std::move(context)) {
  LimitReader(context_->reader);
}

std::variant<std::unique_ptr<Connection>, Fault> Connection::Open(const SocketAddress& address, const std::string& host,
                                                                  const RedisBackendOptions& options,
                                                                  const TlsContext& tls, const Deadline& deadline) {
  auto socket = ConnectSocket(address, deadline);
  if (auto* fault = std::get_if<Fault>(&socket)) return std::move(*fault);
  valkeyOptions how{};
  how.type = VALKEY_CONN_USERFD;
  how.options = VALKEY_OPT_NONBLOCK;
  how.endpoint.fd = std::get<int>(socket);
  ContextPtr context;
  {
    // A libvalkey that was built without threads fills a table the first time.
    static std::mutex mutex;
    std::lock_guard lock(mutex);
    context.reset(valkeyConnectWithOptions(&how));
  }
  if (context == nullptr || context->err != 0) {
    if (context == nullptr) close(how.endpoint.fd);
    return Fault{TierFault::kUnreachable, "no memory for a connection"};
  }
  std::unique_ptr<Connection> connection(new Connection(std::move(context)));
  if (tls != nullptr) {
    if (auto fault = connection->StartTls(host, options, tls, deadline)) return *std::move(fault);
  }
  if (auto fault = connection->Greet(options, deadline)) return *std::move(fault);
  return connection;
}

std::optional<Fault> Connection::Greet(const RedisBackendOptions& options, const Deadline& deadline) {
  std::string commands;
  int expected = 0;
  if (!options.password.empty()) {
    std::vector<std::string_view> arguments = {"AUTH", options.user, options.password};
    if (options.user.empty()) arguments.erase(arguments.begin() + 1);
    commands += FormatCommand(arguments);
    ++expected;
  }
  if (options.database != 0) {
    commands += FormatCommand({"SELECT", std::to_string(options.database)});
    ++expected;
  }
  Send(commands);
  while (expected > 0) {
    if (const ReplyPtr reply = NextReply()) {
      // Whatever the server does not like here, it is our credentials or our database; unless it is busy.
      if (IsError(*reply)) {
        Fault fault = FaultOf(*reply);
        if (fault.kind == TierFault::kProtocol) fault.kind = TierFault::kRefused;
        // The rest of the server's words may repeat the password.
        fault.message = "AUTH or SELECT was refused: " + fault.message.substr(0, fault.message.find(' '));
        return fault;
      }
      if (TextOf(*reply) != "OK") return Fault{TierFault::kProtocol, "not the answer of a Redis server"};
      --expected;
      continue;
    }
    if (deadline.passed()) return Fault{TierFault::kTimeout, "no answer to AUTH or SELECT in time"};
    const Step step = Advance();
    if (step == Step::kFailed || failed_) return fault_;
    if (step == Step::kBlocked) WaitFor(fd(), events(), deadline);
  }
  return std::nullopt;
}

void Connection::Send(std::string_view bytes) {
  if (!bytes.empty()) to_send_.push_back(bytes);
}

bool Connection::SendSome() {
  if (!unsent_) {
    for (size_t taken = 0; !to_send_.empty() && taken < kSendBytes;) {
      const std::string_view bytes = to_send_.front().substr(0, kSendBytes);
      if (valkeyAppendFormattedCommand(context_.get(), bytes.data(), bytes.size()) != VALKEY_OK) return false;
      taken += bytes.size();
      unsent_ = true;
      to_send_.front().remove_prefix(bytes.size());
      if (to_send_.front().empty()) to_send_.pop_front();
    }
  }
  if (!unsent_) return true;
  int done = 0;
  if (valkeyBufferWrite(context_.get(), &done) != VALKEY_OK) return false;
  unsent_ = done == 0;
  return true;
}

Connection::Step Connection::Advance() {
  if (failed_) return Step::kFailed;
  // Neither libvalkey nor OpenSSL asks the kernel not to send it.
  const SignalGuard guard(SIGPIPE);
  const bool had_to_send = unsent_ || !to_send_.empty();
  if (!SendSome()) return FailAsContextDid();
  const size_t before = Unread();
  if (valkeyBufferRead(context_.get()) != VALKEY_OK) return FailAsContextDid();
  // Elements of a reply that is not whole have left the buffer, and still take up memory.
  reply_bytes_ += Unread() - std::min(before, Unread());
  if (reply_bytes_ > kMaxReplyBytes) return Fail(TierFault::kProtocol, "a reply is longer than any that was asked for");
  const bool has_sent_all = had_to_send && !unsent_;
  return Unread() > before || has_sent_all ? Step::kProgress : Step::kBlocked;
}

ReplyPtr Connection::NextReply() {
  if (failed_) return nullptr;
  void* reply = nullptr;
  if (valkeyReaderGetReply(context_->reader, &reply) != VALKEY_OK) {
    Fail(TierFault::kProtocol, std::string("not a reply: ") + context_->reader->errstr);
    return nullptr;
  }
  if (reply != nullptr) reply_bytes_ = Unread();
  return ReplyPtr(static_cast<valkeyReply*>(reply));
}

short Connection::events() const {
  return static_cast<short>(unsent_ || !to_send_.empty() ? POLLIN | POLLOUT : POLLIN);
}

bool Connection::IsQuiet() const {
  if (failed_ || unsent_ || !to_send_.empty() || Unread() != 0) return false;
  pollfd state{.fd = context_->fd, .events = POLLIN, .revents = 0};
  return poll(&state, 1, 0) == 0;
}

Connection::Step Connection::Fail(TierFault kind, std::string message) {
  failed_ = true;
  fault_ = {kind, std::move(message)};
  return Step::kFailed;
}

Connection::Step Connection::FailAsContextDid() {
  const bool is_protocol = context_->err == VALKEY_ERR_PROTOCOL;
  return Fail(is_protocol ? TierFault::kProtocol : TierFault::kUnreachable, context_->errstr);
}

}  // namespace fewter::redis
