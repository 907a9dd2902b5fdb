#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fewter/cache/redis/redis_backend.h"
#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

RedisBackendOptions Parsed(const std::string& uri) {
  auto parsed = ParseRedisUri(uri);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : RedisBackendOptions();
}

TEST(RedisUri, AHostIsEnough) {
  const RedisBackendOptions options = Parsed("redis://cache.example");
  EXPECT_THAT(options.servers, ElementsAre(RedisAddress{"cache.example", 6379}));
  EXPECT_EQ(options.prefix, "fewter:1:");
  EXPECT_EQ(options.ttl, hours(7 * 24));
  EXPECT_FALSE(options.tls);
  EXPECT_TRUE(options.password.empty());
  EXPECT_EQ(Parsed("valkey://cache.example/").servers, options.servers);
}

TEST(RedisUri, EverythingCanBeSaid) {
  const RedisBackendOptions options = Parsed(
      "rediss://me:p%40ss%2Fword@[::1]:7000/5?ttl=36h&timeout=1s&connect_timeout=50ms&write_timeout=1m&prefix=mine%3A"
      "&max_queue=1MiB&max_entry=2MB&connections=9&ca=/ca.pem&cert=/c.pem&key=/k.pem&sni=name&verify=ca");
  EXPECT_THAT(options.servers, ElementsAre(RedisAddress{"::1", 7000}));
  EXPECT_EQ(options.user, "me");
  EXPECT_EQ(options.password, "p@ss/word");
  EXPECT_EQ(options.database, 5);
  EXPECT_EQ(options.ttl, hours(36));
  EXPECT_EQ(options.timeout, milliseconds(1000));
  EXPECT_EQ(options.connect_timeout, milliseconds(50));
  EXPECT_EQ(options.write_timeout, milliseconds(60000));
  EXPECT_EQ(options.prefix, "mine:");
  EXPECT_EQ(options.max_queue_bytes, 1 << 20);
  EXPECT_EQ(options.max_entry_bytes, 2000000);
  EXPECT_EQ(options.connections, 9);
  EXPECT_TRUE(options.tls);
  EXPECT_EQ(options.tls_ca, "/ca.pem");
  EXPECT_EQ(options.tls_cert, "/c.pem");
  EXPECT_EQ(options.tls_key, "/k.pem");
  EXPECT_EQ(options.tls_server_name, "name");
  EXPECT_EQ(options.tls_verify, RedisTlsVerify::kAuthority);
}

TEST(RedisUri, AClusterHasSeveralHosts) {
  const RedisBackendOptions options = Parsed("redis://:secret@a:7000,b,[::2]:7002/?cluster=true");
  EXPECT_TRUE(options.cluster);
  EXPECT_EQ(options.password, "secret");
  EXPECT_THAT(options.servers,
              ElementsAre(RedisAddress{"a", 7000}, RedisAddress{"b", 6379}, RedisAddress{"::2", 7002}));
}

TEST(RedisUri, ASocketHasAPath) {
  const RedisBackendOptions options = Parsed("redis+unix://:secret@/run/redis/redis.sock?db=2");
  EXPECT_EQ(options.unix_socket, "/run/redis/redis.sock");
  EXPECT_EQ(options.password, "secret");
  EXPECT_EQ(options.database, 2);
  EXPECT_TRUE(options.servers.empty());
}

TEST(RedisUri, WhatIsWrongIsNamed) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"cache.example:6379", "does not begin with redis://"},
      {"http://cache.example", "'http' is none of"},
      {"redis://", "is not a host"},
      {"redis://a:0", "no port"},
      {"redis://a:70000", "a:70000"},
      {"redis://a:port", "is not a host or host:port"},
      {"redis://a,b", "several hosts need cluster=true"},
      {"redis://a,", "is not a host"},
      {"redis://a/b", "database 'b'"},
      {"redis://a/-1", "database '-1'"},
      {"redis://a/1/2", "database '1/2'"},
      {"redis://user@a", "a user but no password"},
      {"redis://a?nonsense=1", "no option 'nonsense'"},
      {"redis://a?ttl=7", "option ttl: '7' is not a duration"},
      {"redis://a?ttl=-7d", "option ttl"},
      {"redis://a?ttl=99999999999999999999d", "option ttl"},
      {"redis://a?timeout=0ms", "option timeout: must not be 0"},
      {"redis://a?connections=0", "option connections"},
      {"redis://a?cluster=yes", "neither true nor false"},
      {"redis://a?max_queue=lots", "option max_queue"},
      {"redis://a?ca=/ca.pem", "option ca needs TLS"},
      {"rediss://a?verify=maybe", "none of full, ca and none"},
      {"redis+unix://host/path", "no host"},
      {"redis+unix://", "path of a socket"},
  };
  for (const auto& [uri, why] : cases) {
    const auto parsed = ParseRedisUri(uri);
    EXPECT_TRUE(IsArgumentError(parsed.status())) << uri << ": " << parsed.status();
    EXPECT_THAT(parsed.status().message(), HasSubstr(why)) << uri;
  }
}

TEST(RedisUri, APasswordIsNeverRepeated) {
  for (const char* uri :
       {"redis://u:hunter2@a:port", "redis://u:hunter2@a?nonsense=1", "redis://u:hunter2@", "redis://u:hunter2%zz@a",
        "http://u:hunter2@a", "redis://u:hunter2@a/x", "redis://u:hunter2@a b", "redis://u:hunter2@a,b"}) {
    const auto parsed = ParseRedisUri(uri);
    ASSERT_FALSE(parsed.ok()) << uri;
    EXPECT_THAT(parsed.status().ToString(), Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace fewter
