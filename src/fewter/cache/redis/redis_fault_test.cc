#include <poll.h>

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/query.h"
#include "fewter/cache/redis/redis_backend.h"
#include "fewter/cache/redis/redis_server_internal.h"
#include "fewter/cache/redis/redis_test_internal.h"
#include "fewter/util/signal_guard_internal.h"

// What a server that misbehaves may cost: misses, a little time, and nothing else.

namespace fewter::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTimeout{100};
/// Generous, since the machine may be busy; a lookup without a deadline would wait for ever.
constexpr seconds kBound{5};

/// As the library has it, but for a shorter timeout, and a long wait after a failure.
RedisBackendOptions HastyOptions(const std::string& uri) {
  RedisBackendOptions options = ParseRedisUri(uri).ValueOrDie();
  options.timeout = options.connect_timeout = kTimeout;
  options.write_timeout = kTimeout;
  options.health.first_wait = options.health.longest_wait = seconds(60);
  return options;
}

uint64_t Rejected(const Cache& cache, EnvelopeVerdict verdict) {
  return cache.Stats().rejected[static_cast<size_t>(verdict)];
}

/// Sends all of it; false if the other side has gone.
bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

/// Waits for a request and reads what has come of it; empty if the other side has gone.
std::string ReadRequest(int fd) {
  std::string request(65536, '\0');
  const ssize_t size = recv(fd, request.data(), request.size(), 0);
  request.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return request;
}

/// Something that listens where a Redis server is expected, and serves each connection, on a thread of its own, as
/// told.
class FakeServer {
 public:
  /// `serve` returns when it is done with a connection, at the latest when reading or sending fails.
  explicit FakeServer(std::function<void(int fd, int number)> serve) : serve_(std::move(serve)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address_);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address_), length), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    accepting_ = std::thread([this] { Accept(); });
  }
  ~FakeServer() {
    stopped_ = true;
    shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    for (auto& [fd, thread] : served_) {
      shutdown(fd, SHUT_RDWR);
      thread.join();
      close(fd);
    }
    close(listener_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string Uri() const { return "redis://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }
  int connections() const { return connections_; }

 private:
  void Accept() {
    while (!stopped_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      served_.emplace_back(fd, std::thread([this, fd, number = connections_++] {
                             serve_(fd, number);
                             shutdown(fd, SHUT_RDWR);
                           }));
    }
  }

  const std::function<void(int fd, int number)> serve_;
  sockaddr_in address_{};
  int listener_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> connections_ = 0;
  std::list<std::pair<int, std::thread>> served_;
  std::thread accepting_;
};

/// Answers every request with the same bytes.
auto Answering(std::string answer) {
  return [answer = std::move(answer)](int fd, int) {
    while (!ReadRequest(fd).empty() && SendAll(fd, answer)) {
    }
  };
}

/// Asks a server that will not do for one entry, and checks that this costs a miss, some time, and only once.
void ExpectAMiss(const std::string& uri, TierFault fault) {
  RedisBackendOptions options = HastyOptions(uri);
  // On a busy machine, what is wrong at once must not be taken for a server that is late.
  if (fault != TierFault::kTimeout) options.timeout = options.connect_timeout = 20 * kTimeout;
  const Cache cache = OpenCache(options);
  EXPECT_LT(TimeOf([&] { EXPECT_EQ(TextAt(cache, 1), "miss"); }), kBound);
  EXPECT_EQ(Faults(cache, fault), 1) << cache.backend()->Report()[0].health.last_message;
  EXPECT_EQ(StateOf(cache), TierState::kBypassed);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(TextAt(cache, i), "miss");
  EXPECT_EQ(cache.backend()->Report()[0].health.skipped, 100) << "once is enough";
}

TEST(RedisFaults, NobodyListens) {
  ExpectAMiss("redis://127.0.0.1:" + std::to_string(FreePort()), TierFault::kUnreachable);
  ExpectAMiss("redis+unix:///no/such/socket", TierFault::kUnreachable);
}

TEST(RedisFaults, NobodyAccepts) {
  // With the queue of connections full, the kernel drops what asks for another, as a network that is cut does.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ASSERT_EQ(listen(listener, 0), 0);
  std::vector<int> filling;
  for (int i = 0; i < 4; ++i) {
    filling.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(filling.back(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  ExpectAMiss("redis://127.0.0.1:" + std::to_string(ntohs(address.sin_port)), TierFault::kTimeout);
  for (const int fd : filling) close(fd);
  close(listener);
}

TEST(RedisFaults, AServerThatClosesAtOnce) {
  FakeServer server([](int, int) {});
  ExpectAMiss(server.Uri(), TierFault::kUnreachable);
}

TEST(RedisFaults, AServerThatIsSilent) {
  FakeServer server([](int fd, int) {
    while (!ReadRequest(fd).empty()) {
    }
  });
  ExpectAMiss(server.Uri(), TierFault::kTimeout);
  ExpectAMiss("redis://:password@" + server.Uri().substr(8), TierFault::kTimeout);
}

TEST(RedisFaults, AServerThatDrips) {
  // Each byte is in time; only the whole is not.
  FakeServer server([](int fd, int) {
    ReadRequest(fd);
    if (!SendAll(fd, "$100000\r\n")) return;
    pollfd gone{.fd = fd, .events = POLLRDHUP, .revents = 0};
    while (poll(&gone, 1, 20) == 0 && SendAll(fd, "x")) {
    }
  });
  ExpectAMiss(server.Uri(), TierFault::kTimeout);
}

TEST(RedisFaults, AServerThatFloods) {
  FakeServer server([](int fd, int) {
    ReadRequest(fd);
    bool open = SendAll(fd, "$999999999999\r\n");
    const std::string bytes(1 << 16, 'x');
    while (open) open = SendAll(fd, bytes);
  });
  ExpectAMiss(server.Uri(), TierFault::kProtocol);
}

TEST(RedisFaults, AServerThatIsNone) {
  FakeServer http(Answering("HTTP/1.1 400 Bad Request\r\n\r\n"));
  ExpectAMiss(http.Uri(), TierFault::kProtocol);
  ExpectAMiss("redis://:password@" + http.Uri().substr(8), TierFault::kProtocol);
  FakeServer zeros(Answering(std::string(1000, '\0')));
  ExpectAMiss(zeros.Uri(), TierFault::kProtocol);
}

TEST(RedisFaults, LengthsThatCannotBe) {
  for (const char* answer : {"$-2\r\n", "*-7\r\n", "*99999999999\r\n", "$99999999999999999999999\r\n", ":12x\r\n"}) {
    FakeServer server(Answering(answer));
    ExpectAMiss(server.Uri(), TierFault::kProtocol);
  }
  std::string nested;
  for (int i = 0; i < 5000; ++i) nested += "*1\r\n";
  FakeServer server(Answering(nested));
  ExpectAMiss(server.Uri(), TierFault::kProtocol);
}

TEST(RedisFaults, ErrorsAreClassified) {
  const std::vector<std::pair<const char*, TierFault>> cases = {
      {"-LOADING Redis is loading the dataset in memory\r\n", TierFault::kUnreachable},
      {"-CLUSTERDOWN The cluster is down\r\n", TierFault::kUnreachable},
      {"-ERR max number of clients reached\r\n", TierFault::kUnreachable},
      {"-NOAUTH Authentication required.\r\n", TierFault::kRefused},
      {"-NOPERM this user has no permissions\r\n", TierFault::kRefused},
      {"-ERR unknown command\r\n", TierFault::kProtocol},
      {"-MOVED 17 127.0.0.1:1\r\n", TierFault::kProtocol},
  };
  for (const auto& [answer, fault] : cases) {
    FakeServer server(Answering(answer));
    ExpectAMiss(server.Uri(), fault);
  }
}

TEST(RedisFaults, AnswersOfAnotherTypeAreMisses) {
  for (const char* answer : {":1\r\n", "+OK\r\n", "*0\r\n", "*2\r\n+a\r\n:1\r\n", "$-1\r\n", "$0\r\n\r\n"}) {
    FakeServer server(Answering(answer));
    const Cache cache = OpenCache(HastyOptions(server.Uri()));
    EXPECT_EQ(TextAt(cache, 1), "miss") << answer;
  }
}

TEST(RedisFaults, AConnectionThatIsOutOfStepIsNotUsedAgain) {
  // The second answer is to nothing that was asked; taken for the next one it would be another key's value.
  FakeServer server(Answering("$-1\r\n$1\r\nx\r\n"));
  const Cache cache = OpenCache(PatientOptions(server.Uri()));
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(TextAt(cache, i), "miss");
  EXPECT_EQ(Rejected(cache, EnvelopeVerdict::kNotOurs), 0);
  EXPECT_EQ(server.connections(), 5);
}

TEST(RedisFaults, AConnectionThatDiesWhenItIsUsedAgainIsReplaced) {
  FakeServer server([](int fd, int number) {
    while (!ReadRequest(fd).empty() && SendAll(fd, "$-1\r\n")) {
      if (number == 0) break;
    }
    // The first connection stays open, and closes instead of answering its second request.
    if (number == 0) ReadRequest(fd);
  });
  const Cache cache = OpenCache(PatientOptions(server.Uri()));
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(TextAt(cache, i), "miss");
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(Faults(cache, TierFault::kUnreachable), 0);
  EXPECT_EQ(StateOf(cache), TierState::kHealthy);
}

TEST(RedisFaults, AQueryThatIsShortOfTimeDoesNotBlameTheServer) {
  FakeServer server([](int fd, int) {
    while (!ReadRequest(fd).empty()) {
    }
  });
  RedisBackendOptions options = HastyOptions(server.Uri());
  options.timeout = seconds(5);
  const Cache cache = OpenCache(options);
  CacheQuery query(milliseconds(20));
  const CacheQuery::Scope scope(&query);
  EXPECT_LT(TimeOf([&] { EXPECT_EQ(TextAt(cache, 1), "miss"); }), seconds(3));
  EXPECT_EQ(query.remote_left().count(), 0);
  EXPECT_EQ(StateOf(cache), TierState::kHealthy);
}

TEST(RedisFaults, AStoppedServerIsFoundAgain) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  server.Kill();
  EXPECT_EQ(TextAt(cache, 1), "miss");
  EXPECT_EQ(StateOf(cache), TierState::kBypassed);
  server.Start();
  EXPECT_TRUE(Eventually([&] {
    InsertAndFlush(cache, 2, "two");
    return TextAt(cache, 2) == "two";
  }));
  EXPECT_EQ(StateOf(cache), TierState::kHealthy);
}

TEST(RedisFaults, AServerThatRestartedCostsNothing) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(TextAt(cache, 1), "one");
  server.Restart();
  EXPECT_EQ(TextAt(cache, 1), "miss");
  InsertAndFlush(cache, 1, "one again");
  EXPECT_EQ(TextAt(cache, 1), "one again");
  EXPECT_THAT(cache.backend()->Report()[0].health.faults, ::testing::Each(0));
}

TEST(RedisFaults, APausedServerIsFoundAgain) {
  RedisServer server;
  RedisBackendOptions options = PatientOptions(server.Uri());
  options.timeout = kTimeout;
  const Cache cache = OpenCache(options);
  InsertAndFlush(cache, 1, "one");
  ASSERT_TRUE(Eventually([&] { return TextAt(cache, 1) == "one"; }));
  server.Pause();
  EXPECT_LT(TimeOf([&] { EXPECT_EQ(TextAt(cache, 1), "miss"); }), kBound);
  EXPECT_GE(Faults(cache, TierFault::kTimeout), 1);
  server.Resume();
  EXPECT_TRUE(Eventually([&] { return TextAt(cache, 1) == "one"; }));
}

TEST(RedisFaults, AFlushedServerFillsAgain) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  server.Command({"FLUSHALL"});
  EXPECT_EQ(TextAt(cache, 1), "miss");
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(TextAt(cache, 1), "one");
}

TEST(RedisFaults, AFullServerIsStillRead) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  server.Command({"CONFIG", "SET", "maxmemory", "1"});
  InsertAndFlush(cache, 2, "two");
  EXPECT_EQ(Faults(cache, TierFault::kNoSpace), 1);
  EXPECT_EQ(StateOf(cache), TierState::kReadOnly);
  EXPECT_EQ(TextAt(cache, 1), "one");
  EXPECT_EQ(cache.Stats().insertions, 1);
  server.Command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(Eventually([&] {
    InsertAndFlush(cache, 2, "two");
    return TextAt(cache, 2) == "two";
  }));
  EXPECT_EQ(StateOf(cache), TierState::kHealthy);
}

TEST(RedisFaults, AReplicaIsOnlyRead) {
  RedisServer server;
  const Cache cache = OpenCache(server.Uri());
  InsertAndFlush(cache, 1, "one");
  server.Command({"REPLICAOF", "127.0.0.1", "1"});
  InsertAndFlush(cache, 2, "two");
  EXPECT_EQ(Faults(cache, TierFault::kRefused), 1);
  EXPECT_EQ(TextAt(cache, 1), "one");
}

TEST(RedisFaults, WritingToAPausedServerEnds) {
  RedisServer server;
  const Cache cache = OpenCache(HastyOptions(server.Uri()));
  ASSERT_EQ(TextAt(cache, 9), "miss");
  server.Pause();
  for (uint64_t i = 0; i < 10; ++i) cache.Insert(TextKey{i}, Text::Make(LongText(4000000)));
  EXPECT_LT(TimeOf([&] { cache.backend()->Flush(); }), seconds(5));
  EXPECT_EQ(cache.Stats().insertions, 0);
  EXPECT_GE(Faults(cache, TierFault::kTimeout), 1);
}

/// One entry in the server, short or in chunks, for somebody to spoil.
class RedisSpoiled : public ::testing::TestWithParam<size_t> {
 protected:
  RedisSpoiled() : cache_(OpenCache(server_.Uri())), text_(LongText(GetParam())) {
    InsertAndFlush(cache_, 1, text_);
    value_ = server_.Command({"GET", RedisKey(1)});
  }

  /// Checks that the entry is a miss for a reason, and that loading it again repairs it.
  void ExpectRejected(EnvelopeVerdict verdict) {
    EXPECT_EQ(TextAt(cache_, 1), "miss");
    EXPECT_EQ(Rejected(cache_, verdict), ++rejected_[verdict]) << ToString(verdict);
    EXPECT_EQ(StateOf(cache_), TierState::kHealthy) << "it is not the server's fault";
    const auto loaded = cache_.GetOrLoad(TextKey{1}, [&] { return std::make_shared<const Text>(text_); });
    ASSERT_TRUE(loaded.ok());
    rejected_[verdict] = Rejected(cache_, verdict);
    cache_.backend()->Flush();
    EXPECT_TRUE(TextAt(cache_, 1) == text_);
  }

  RedisServer server_;
  Cache cache_;
  const std::string text_;
  std::string value_;
  std::map<EnvelopeVerdict, uint64_t> rejected_;
};

TEST_P(RedisSpoiled, ByGarbage) {
  server_.Command({"SET", RedisKey(1), "garbage"});
  ExpectRejected(EnvelopeVerdict::kNotOurs);
  server_.Command({"SET", RedisKey(1), LongText(3000000)});
  ExpectRejected(EnvelopeVerdict::kNotOurs);
}

TEST_P(RedisSpoiled, ByAValueOfAnotherKind) {
  server_.Command({"DEL", RedisKey(1)});
  server_.Command({"RPUSH", RedisKey(1), "a list"});
  ExpectRejected(EnvelopeVerdict::kNotOurs);
}

TEST_P(RedisSpoiled, ByTruncation) {
  for (const size_t size : {value_.size() - 1, value_.size() / 2, size_t{100}, size_t{33}}) {
    server_.Command({"SET", RedisKey(1), value_.substr(0, size)});
    ExpectRejected(size < 64 && !redis::IsChunked(value_) ? EnvelopeVerdict::kNotOurs : EnvelopeVerdict::kCorrupt);
  }
}

TEST_P(RedisSpoiled, ByABitThatFlipped) {
  std::string flipped = value_;
  flipped[flipped.size() / 2 + 50] ^= 4;
  server_.Command({"SET", RedisKey(1), flipped});
  ExpectRejected(EnvelopeVerdict::kCorrupt);
}

TEST_P(RedisSpoiled, ByAnotherKeysEntry) {
  InsertAndFlush(cache_, 2, "another");
  server_.Command({"COPY", RedisKey(2), RedisKey(1), "REPLACE"});
  ExpectRejected(EnvelopeVerdict::kOtherKey);
}

INSTANTIATE_TEST_SUITE_P(Sizes, RedisSpoiled, ::testing::Values(2000, 1300000));

class RedisSpoiledChunk : public RedisSpoiled {
 protected:
  std::string SomeChunk() {
    redis::ChunkedHead head;
    EXPECT_EQ(redis::ReadHead(value_, 1 << 30, &head), EnvelopeVerdict::kHit);
    return redis::ChunkKey(RedisKey(1), head, 1);
  }
};

TEST_P(RedisSpoiledChunk, ByExpiry) {
  server_.Command({"DEL", SomeChunk()});
  EXPECT_EQ(TextAt(cache_, 1), "miss");
  EXPECT_THAT(cache_.Stats().rejected, ::testing::Each(0)) << "nothing is wrong with what is there";
}

TEST_P(RedisSpoiledChunk, ByGarbage) {
  const std::string key = SomeChunk();
  for (const std::string& garbage : {std::string("x"), std::string(redis::kChunkBytes, 'x'), LongText(3000000)}) {
    server_.Command({"SET", key, garbage});
    ExpectRejected(EnvelopeVerdict::kCorrupt);
  }
}

TEST_P(RedisSpoiledChunk, ByAHeadThatLies) {
  for (const size_t at : {4U, 6U, 8U, 12U, 17U, 22U, 24U}) {
    std::string lying = value_;
    lying[at] = static_cast<char>(lying[at] + 1);
    server_.Command({"SET", RedisKey(1), lying});
    if (at == 24) {
      // Another checksum names chunks that are not there.
      EXPECT_EQ(TextAt(cache_, 1), "miss");
    } else {
      ExpectRejected(at == 4 ? EnvelopeVerdict::kTooNew : EnvelopeVerdict::kCorrupt);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RedisSpoiledChunk, ::testing::Values(1300000));

TEST(SignalGuard, AWriteToAClosedConnectionIsOnlyAnError) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  close(ends[1]);
  {
    const SignalGuard guard(SIGPIPE);
    EXPECT_EQ(send(ends[0], "x", 1, 0), -1);
    EXPECT_EQ(errno, EPIPE);
  }
  // The signal is neither waiting for its chance nor blocked for others.
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGPIPE), 0);
  close(ends[0]);
}

}  // namespace
}  // namespace fewter::testing
