#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <valkey/valkey.h>

/// A real redis-server for tests. Needs one in the PATH (Debian package redis-server); a test that has none fails.

namespace fewter::testing {

/// A TCP port of this machine that was free a moment ago.
inline int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  const bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  close(fd);
  return ok ? ntohs(address.sin_port) : 0;
}

/// A folder that goes with its owner.
class ServerFolder {
 public:
  ServerFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fewter_redis.XXXXXX").string();
    path_ = mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
  }
  ~ServerFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ServerFolder(const ServerFolder&) = delete;
  ServerFolder& operator=(const ServerFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A server with a folder of its own, which keeps nothing on disk. Listens at a free port of 127.0.0.1 and at a Unix
/// socket, over which it is controlled whatever the test does to the port.
class RedisServer {
 public:
  struct Options {
    std::string password = {};
    /// PEM files; the port then speaks TLS.
    std::string tls_cert = {};
    std::string tls_key = {};
    std::string tls_ca = {};
    bool cluster = false;
    /// More arguments, as in "--maxmemory", "1mb".
    std::vector<std::string> arguments = {};
  };

  RedisServer() : RedisServer(Options()) {}
  explicit RedisServer(Options options) : options_(std::move(options)), port_(FreePort()) { Start(); }
  ~RedisServer() { Kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  int port() const { return port_; }
  std::string socket_path() const { return folder_.path() + "/socket"; }
  /// Options follow, e.g. "?timeout=1s".
  std::string Uri(const std::string& rest = "") const { return "redis://127.0.0.1:" + std::to_string(port_) + rest; }

  /// Starts it and waits until it answers.
  void Start() {
    std::filesystem::remove(socket_path());
    std::vector<std::string> arguments = Arguments();
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string log = folder_.path() + "/log";
    pid_ = fork();
    if (pid_ == 0) {
      // Only what is safe between fork and exec. The server goes with the test, however that ends.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int out = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
      dup2(out, STDOUT_FILENO);
      dup2(out, STDERR_FILENO);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    AwaitAnswer();
  }

  /// Ends it, as a crash would.
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  void Restart() {
    Kill();
    Start();
  }

  /// Stops it where it is: connections stay open, and nothing is answered.
  void Pause() {
    kill(pid_, SIGSTOP);
    // It has stopped when waitpid says so.
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  void Resume() { kill(pid_, SIGCONT); }

  /// Runs a command over the Unix socket. Arrays become lines; an error begins with "ERROR ".
  std::string Command(const std::vector<std::string>& arguments) {
    const auto context = Connect();
    if (context == nullptr) return "ERROR no connection";
    return Run(context.get(), arguments);
  }

 private:
  struct Free {
    void operator()(valkeyContext* context) const { valkeyFree(context); }
    void operator()(valkeyReply* reply) const { freeReplyObject(reply); }
  };

  std::vector<std::string> Arguments() const {
    const std::string port = std::to_string(port_);
    std::vector<std::string> arguments = {
        "redis-server", "--bind", "127.0.0.1", "--unixsocket", socket_path(), "--dir",
        folder_.path(), "--save", "",          "--appendonly", "no",          "--enable-debug-command",
        "yes"};
    const auto add = [&](std::initializer_list<std::string> more) { arguments.insert(arguments.end(), more); };
    if (options_.tls_cert.empty()) {
      add({"--port", port});
    } else {
      add({"--port", "0", "--tls-port", port, "--tls-cert-file", options_.tls_cert, "--tls-key-file", options_.tls_key,
           "--tls-ca-cert-file", options_.tls_ca, "--tls-auth-clients", "no"});
    }
    if (!options_.password.empty()) add({"--requirepass", options_.password});
    if (options_.cluster) {
      add({"--cluster-enabled", "yes", "--cluster-port", std::to_string(FreePort()), "--cluster-node-timeout", "1000",
           "--cluster-require-full-coverage", "no", "--cluster-config-file", "nodes.conf"});
    }
    arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
    return arguments;
  }

  std::unique_ptr<valkeyContext, Free> Connect() {
    std::unique_ptr<valkeyContext, Free> context(valkeyConnectUnixWithTimeout(socket_path().c_str(), {5, 0}));
    if (context == nullptr || context->err != 0) return nullptr;
    valkeySetTimeout(context.get(), {5, 0});
    if (!options_.password.empty()) Run(context.get(), {"AUTH", options_.password});
    return context;
  }

  static std::string Run(valkeyContext* context, const std::vector<std::string>& arguments) {
    std::vector<const char*> pointers;
    std::vector<size_t> lengths;
    for (const std::string& argument : arguments) {
      pointers.push_back(argument.data());
      lengths.push_back(argument.size());
    }
    const std::unique_ptr<valkeyReply, Free> reply(static_cast<valkeyReply*>(
        valkeyCommandArgv(context, static_cast<int>(pointers.size()), pointers.data(), lengths.data())));
    return reply == nullptr ? std::string("ERROR ") + context->errstr : ToText(*reply);
  }

  static std::string ToText(const valkeyReply& reply) {
    switch (reply.type) {
      case VALKEY_REPLY_INTEGER:
        return std::to_string(reply.integer);
      case VALKEY_REPLY_ERROR:
        return "ERROR " + std::string(reply.str, reply.len);
      case VALKEY_REPLY_ARRAY: {
        std::string text;
        for (size_t i = 0; i < reply.elements; ++i) {
          if (i > 0) text += '\n';
          text += ToText(*reply.element[i]);
        }
        return text;
      }
      default:
        return reply.str == nullptr ? std::string() : std::string(reply.str, reply.len);
    }
  }

  void AwaitAnswer() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < give_up) {
      if (Command({"PING"}) == "PONG") return;
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::ostringstream log;
    log << std::ifstream(folder_.path() + "/log").rdbuf();
    ADD_FAILURE() << "redis-server does not run (Debian package redis-server): " << log.str();
  }

  const Options options_;
  const ServerFolder folder_;
  const int port_;
  pid_t pid_ = -1;
};

}  // namespace fewter::testing
