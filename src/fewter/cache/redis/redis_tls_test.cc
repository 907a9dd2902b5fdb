#include <cstdlib>

#include <arrow/util/thread_pool.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/redis/redis_backend.h"
#include "fewter/cache/redis/redis_server_internal.h"
#include "fewter/cache/redis/redis_test_internal.h"

namespace fewter::testing {
namespace {

/// An authority of our own, and certificates that it has signed; made by the openssl command.
class Certificates {
 public:
  Certificates() {
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority "
        "-keyout ca.key -out ca.pem");
    Sign("here", "IP:127.0.0.1,DNS:localhost");
    Sign("elsewhere", "DNS:elsewhere.example");
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

 private:
  void Sign(const std::string& name, const std::string& names) {
    Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout " + name +
        ".key -out " + name + ".csr");
    Run("printf subjectAltName=" + names + " > names && openssl x509 -req -in " + name +
        ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out " + name + ".pem");
  }

  void Run(const std::string& command) {
    const std::string line = "cd " + folder_.path() + " && (" + command + ") 2>> log";
    EXPECT_EQ(std::system(line.c_str()), 0) << "the openssl command (Debian package openssl) failed: " << command;
  }

  const ServerFolder folder_;
};

class RedisTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = std::make_unique<Certificates>();
    executor_ = arrow::internal::ThreadPool::Make(1).ValueOrDie();
  }
  static void TearDownTestSuite() {
    certificates_ = nullptr;
    executor_ = nullptr;
  }

  static RedisServer::Options Serving(const std::string& name) {
    return {.tls_cert = certificates_->Path(name + ".pem"),
            .tls_key = certificates_->Path(name + ".key"),
            .tls_ca = certificates_->Path("ca.pem")};
  }
  static Cache Open(const RedisServer& server, const std::string& more = "",
                    const std::string& ca = certificates_->Path("ca.pem")) {
    return OpenSecurely(PatientOptions("rediss://127.0.0.1:" + std::to_string(server.port()) + "?ca=" + ca + more));
  }
  static Cache OpenSecurely(RedisBackendOptions options) {
    options.executor = executor_.get();
    return OpenCache(std::move(options));
  }
  static void ExpectRefused(const Cache& cache) {
    EXPECT_EQ(TextAt(cache, 1), "miss");
    EXPECT_EQ(Faults(cache, TierFault::kRefused), 1);
    EXPECT_THAT(cache.backend()->Report()[0].health.last_message, ::testing::HasSubstr("certificate"));
  }

  static std::unique_ptr<Certificates> certificates_;
  /// A pool that ends before the process does: what OpenSSL keeps for a thread that outlives it looks like a leak.
  static std::shared_ptr<arrow::internal::ThreadPool> executor_;
};

std::unique_ptr<Certificates> RedisTls::certificates_;
std::shared_ptr<arrow::internal::ThreadPool> RedisTls::executor_;

TEST_F(RedisTls, EntriesComeBack) {
  RedisServer server(Serving("here"));
  const Cache cache = Open(server);
  for (const size_t size : {10, 700000, 9000000}) {
    const std::string text = LongText(size);
    InsertAndFlush(cache, size, text);
    EXPECT_TRUE(TextAt(cache, size) == text) << size;
  }
  EXPECT_THAT(cache.backend()->Report()[0].health.faults, ::testing::Each(0));
  const Cache named =
      OpenCache("rediss://localhost:" + std::to_string(server.port()) + "?ca=" + certificates_->Path("ca.pem"));
  EXPECT_EQ(TextAt(named, 10), LongText(10));
}

TEST_F(RedisTls, AnUnknownAuthorityIsRefused) {
  RedisServer server(Serving("here"));
  ExpectRefused(OpenSecurely(PatientOptions("rediss://127.0.0.1:" + std::to_string(server.port()))));
  ExpectRefused(Open(server, "", certificates_->Path("elsewhere.pem")));
}

TEST_F(RedisTls, ACertificateForAnotherHostIsRefused) {
  RedisServer server(Serving("elsewhere"));
  ExpectRefused(Open(server));
  ExpectRefused(Open(server, "&sni=third.example"));
  for (const char* more : {"&sni=elsewhere.example", "&verify=ca", "&verify=none"}) {
    const Cache cache = Open(server, more);
    InsertAndFlush(cache, 1, "one");
    EXPECT_EQ(TextAt(cache, 1), "one") << more;
  }
}

TEST_F(RedisTls, AServerMayAskForACertificate) {
  RedisServer::Options serving = Serving("here");
  serving.arguments = {"--tls-auth-clients", "yes"};
  RedisServer server(serving);
  const Cache cache =
      Open(server, "&cert=" + certificates_->Path("here.pem") + "&key=" + certificates_->Path("here.key"));
  InsertAndFlush(cache, 1, "one");
  EXPECT_EQ(TextAt(cache, 1), "one");
  EXPECT_EQ(TextAt(Open(server), 1), "miss");
}

TEST_F(RedisTls, MistakingOneForTheOtherIsAMiss) {
  RedisServer with(Serving("here"));
  RedisServer without;
  RedisBackendOptions plainly = PatientOptions(with.Uri());
  plainly.timeout = std::chrono::milliseconds(500);
  const Cache plain = OpenCache(plainly);
  EXPECT_EQ(TextAt(plain, 1), "miss");
  EXPECT_EQ(StateOf(plain), TierState::kBypassed);
  // A server without TLS waits for the end of a line that never comes.
  RedisBackendOptions securely = PatientOptions("rediss://127.0.0.1:" + std::to_string(without.port()));
  securely.timeout = std::chrono::milliseconds(200);
  const Cache secure = OpenSecurely(securely);
  EXPECT_EQ(TextAt(secure, 1), "miss");
  EXPECT_EQ(StateOf(secure), TierState::kBypassed);
}

TEST_F(RedisTls, AServerThatPausesOrRestarts) {
  RedisServer server(Serving("here"));
  const Cache cache = Open(server);
  InsertAndFlush(cache, 1, "one");
  server.Restart();
  EXPECT_EQ(TextAt(cache, 1), "miss");
  InsertAndFlush(cache, 1, "one again");
  EXPECT_EQ(TextAt(cache, 1), "one again");
  EXPECT_THAT(cache.backend()->Report()[0].health.faults, ::testing::Each(0));

  RedisBackendOptions options = PatientOptions("rediss://localhost:" + std::to_string(server.port()));
  options.tls_ca = certificates_->Path("ca.pem");
  options.timeout = std::chrono::milliseconds(100);
  const Cache hasty = OpenSecurely(options);
  server.Pause();
  EXPECT_LT(TimeOf([&] { EXPECT_EQ(TextAt(hasty, 1), "miss"); }), std::chrono::seconds(5));
}

}  // namespace
}  // namespace fewter::testing
