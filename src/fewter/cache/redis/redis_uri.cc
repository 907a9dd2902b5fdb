#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include <arrow/util/uri.h>

#include "fewter/cache/byte_size.h"
#include "fewter/cache/redis/redis_backend.h"
#include "fewter/util/argument_error.h"

namespace fewter {
namespace {

using std::chrono::milliseconds;

template <typename... Parts>
arrow::Status UriError(Parts&&... parts) {
  return ArgumentError("redis URI: ", std::forward<Parts>(parts)...);
}

arrow::Result<int> ParseNumber(std::string_view what, std::string_view text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    return UriError(what, " '", text, "' is not a number from ", least, " to ", most);
  }
  return number;
}

arrow::Result<milliseconds> ParseDuration(std::string_view what, std::string_view text) {
  struct Unit {
    std::string_view name;
    int64_t milliseconds;
  };
  constexpr std::array<Unit, 5> kUnits = {{{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}}};
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // A thousand years, in days: no product overflows.
  if (error == std::errc() && number >= 0 && number <= 365000) {
    const std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
    for (const Unit& unit : kUnits) {
      if (suffix == unit.name) return milliseconds(number * unit.milliseconds);
    }
  }
  return UriError("option ", what, ": '", text, "' is not a duration such as 250ms, 2s, 5m, 1h or 7d");
}

arrow::Result<milliseconds> ParseTimeout(std::string_view what, std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(const milliseconds timeout, ParseDuration(what, text));
  if (timeout.count() == 0) return UriError("option ", what, ": must not be 0");
  if (timeout > std::chrono::hours(1)) return UriError("option ", what, ": '", text, "' is more than an hour");
  return timeout;
}

arrow::Result<int64_t> ParseBytes(std::string_view what, std::string_view text) {
  const auto bytes = ParseByteSize(text);
  if (!bytes.ok()) return UriError("option ", what, ": ", bytes.status().message());
  return *bytes;
}

arrow::Result<bool> ParseBool(std::string_view what, std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return UriError("option ", what, ": '", text, "' is neither true nor false");
}

arrow::Result<RedisTlsVerify> ParseVerify(std::string_view text) {
  if (text == "full") return RedisTlsVerify::kFull;
  if (text == "ca") return RedisTlsVerify::kAuthority;
  if (text == "none") return RedisTlsVerify::kNone;
  return UriError("option verify: '", text, "' is none of full, ca and none");
}

/// The options that only rediss:// has; false if `name` is not one of them.
arrow::Result<bool> ReadTlsOption(const std::string& name, const std::string& value, RedisBackendOptions* options) {
  if (name == "verify") {
    ARROW_ASSIGN_OR_RAISE(options->tls_verify, ParseVerify(value));
  } else if (name == "ca") {
    options->tls_ca = value;
  } else if (name == "cert") {
    options->tls_cert = value;
  } else if (name == "key") {
    options->tls_key = value;
  } else if (name == "sni") {
    options->tls_server_name = value;
  } else {
    return false;
  }
  if (!options->tls) return UriError("option ", name, " needs TLS, which is rediss://");
  return true;
}

arrow::Status ReadOption(const std::string& name, const std::string& value, RedisBackendOptions* options) {
  ARROW_ASSIGN_OR_RAISE(const bool is_read, ReadTlsOption(name, value, options));
  if (is_read) return arrow::Status::OK();
  if (name == "ttl") return ParseDuration(name, value).Value(&options->ttl);
  if (name == "timeout") return ParseTimeout(name, value).Value(&options->timeout);
  if (name == "connect_timeout") return ParseTimeout(name, value).Value(&options->connect_timeout);
  if (name == "write_timeout") return ParseTimeout(name, value).Value(&options->write_timeout);
  if (name == "max_queue") return ParseBytes(name, value).Value(&options->max_queue_bytes);
  if (name == "max_entry") return ParseBytes(name, value).Value(&options->max_entry_bytes);
  if (name == "connections") return ParseNumber("option connections", value, 1, 1000).Value(&options->connections);
  if (name == "cluster") return ParseBool(name, value).Value(&options->cluster);
  if (name == "db") return ParseNumber("option db", value, 0, 1 << 20).Value(&options->database);
  if (name == "prefix") {
    options->prefix = value;
    return arrow::Status::OK();
  }
  return UriError("there is no option '", name, "'");
}

/// The URI in pieces that arrow::util::Uri, which knows one host, can read.
struct Pieces {
  std::string scheme;
  /// With the @, or empty.
  std::string credentials;
  std::vector<std::string> hosts;
  /// Path and query.
  std::string rest;
};

arrow::Result<Pieces> Split(std::string_view uri) {
  const size_t scheme_end = uri.find("://");
  if (scheme_end == std::string_view::npos)
    return UriError("it does not begin with redis://, rediss:// or redis+unix://");
  Pieces pieces{.scheme = std::string(uri.substr(0, scheme_end)), .credentials = {}, .hosts = {}, .rest = {}};
  uri.remove_prefix(scheme_end + 3);
  const size_t authority_end = std::min(uri.find_first_of("/?#"), uri.size());
  std::string_view authority = uri.substr(0, authority_end);
  pieces.rest = uri.substr(authority_end);
  if (authority.rfind('@') == std::string_view::npos && pieces.rest.find('@') != std::string::npos) {
    return UriError("write special characters of the password as %2F, %3F, %23 and %40");
  }
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    pieces.credentials = authority.substr(0, at + 1);
    authority.remove_prefix(at + 1);
  }
  while (true) {
    const size_t comma = std::min(authority.find(','), authority.size());
    pieces.hosts.emplace_back(authority.substr(0, comma));
    if (comma == authority.size()) return pieces;
    authority.remove_prefix(comma + 1);
  }
}

arrow::Result<RedisAddress> ParseHost(const std::string& host) {
  arrow::util::Uri parsed;
  if (host.empty() || !parsed.Parse("redis://" + host).ok() || parsed.host().empty()) {
    return UriError("'", host, "' is not a host or host:port");
  }
  const int port = parsed.port() == -1 ? RedisAddress().port : parsed.port();
  if (port < 1 || port > 65535) return UriError("'", host, "' has no port from 1 to 65535");
  return RedisAddress{.host = parsed.host(), .port = port};
}

arrow::Status ReadScheme(const std::string& scheme, bool* is_unix, RedisBackendOptions* options) {
  options->tls = scheme == "rediss" || scheme == "valkeys";
  *is_unix = scheme == "redis+unix";
  if (options->tls || *is_unix || scheme == "redis" || scheme == "valkey") return arrow::Status::OK();
  return UriError("scheme '", scheme, "' is none of redis, rediss, valkey, valkeys and redis+unix");
}

/// Where the servers are: hosts and a database, or a socket.
arrow::Status ReadPlace(const Pieces& pieces, const arrow::util::Uri& uri, bool is_unix, RedisBackendOptions* options) {
  std::string path = uri.path();
  if (is_unix) {
    if (pieces.hosts.size() != 1 || !pieces.hosts[0].empty()) return UriError("redis+unix:// takes a path and no host");
    if (path.size() < 2) return UriError("redis+unix:// needs the path of a socket");
    options->unix_socket = std::move(path);
    return arrow::Status::OK();
  }
  for (const std::string& host : pieces.hosts) {
    ARROW_ASSIGN_OR_RAISE(RedisAddress address, ParseHost(host));
    options->servers.push_back(std::move(address));
  }
  if (path.empty() || path == "/") return arrow::Status::OK();
  return ParseNumber("database", std::string_view(path).substr(1), 0, 1 << 20).Value(&options->database);
}

}  // namespace

arrow::Result<RedisBackendOptions> ParseRedisUri(const std::string& uri) {
  RedisBackendOptions options;
  bool is_unix = false;
  ARROW_ASSIGN_OR_RAISE(const Pieces pieces, Split(uri));
  ARROW_RETURN_NOT_OK(ReadScheme(pieces.scheme, &is_unix, &options));
  arrow::util::Uri parsed;
  if (!parsed.Parse("redis://" + pieces.credentials + "host" + pieces.rest).ok()) {
    return UriError("user, password, path or options are malformed; write special characters as %40");
  }
  options.user = parsed.username();
  options.password = parsed.password();
  if (!options.user.empty() && options.password.empty()) return UriError("there is a user but no password");
  ARROW_RETURN_NOT_OK(ReadPlace(pieces, parsed, is_unix, &options));
  ARROW_ASSIGN_OR_RAISE(const auto items, parsed.query_items());
  for (const auto& [name, value] : items) ARROW_RETURN_NOT_OK(ReadOption(name, value, &options));
  if (options.servers.size() > 1 && !options.cluster) return UriError("several hosts need cluster=true");
  return options;
}

}  // namespace fewter
