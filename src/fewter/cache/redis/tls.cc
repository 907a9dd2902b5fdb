#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <valkey/tls.h>

#include <array>
#include <utility>

#include "fewter/cache/redis/connection_internal.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/signal_guard_internal.h"

namespace fewter::redis {
namespace {

std::string LastError() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

bool IsIpAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

/// libvalkey checks who has signed a certificate, but not for whom.
bool ExpectHost(SSL* ssl, const std::string& host, RedisTlsVerify verify) {
  if (!IsIpAddress(host) && SSL_set_tlsext_host_name(ssl, host.c_str()) != 1) return false;
  if (verify != RedisTlsVerify::kFull) return true;
  if (IsIpAddress(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  return SSL_set1_host(ssl, host.c_str()) == 1;
}

Fault HandshakeFault(const SSL* ssl, int error) {
  const int64_t verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK) {
    return {TierFault::kRefused, std::string("the server's certificate: ") + X509_verify_cert_error_string(verdict)};
  }
  if (error == SSL_ERROR_SYSCALL)
    return {TierFault::kUnreachable, "the connection was closed during the TLS handshake"};
  return {TierFault::kProtocol, "TLS handshake: " + LastError()};
}

}  // namespace

arrow::Result<TlsContext> MakeTlsContext(const RedisBackendOptions& options) {
  if (!options.tls) return nullptr;
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return ArgumentError("redis: a TLS certificate and its key are needed both, or neither");
  }
  TlsContext context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (context == nullptr) return arrow::Status::UnknownError("redis: OpenSSL: ", LastError());
  SSL_CTX* const tls = context.get();
  SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
  SSL_CTX_set_verify(tls, options.tls_verify == RedisTlsVerify::kNone ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (options.tls_ca.empty()) {
    SSL_CTX_set_default_verify_paths(tls);
  } else if (SSL_CTX_load_verify_locations(tls, options.tls_ca.c_str(), nullptr) != 1) {
    return ArgumentError("redis: no certificate authority in '", options.tls_ca, "': ", LastError());
  }
  if (!options.tls_cert.empty()) {
    if (SSL_CTX_use_certificate_chain_file(tls, options.tls_cert.c_str()) != 1) {
      return ArgumentError("redis: no certificate in '", options.tls_cert, "': ", LastError());
    }
    if (SSL_CTX_use_PrivateKey_file(tls, options.tls_key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return ArgumentError("redis: no key of that certificate in '", options.tls_key, "': ", LastError());
    }
  }
  return context;
}

std::optional<Fault> Connection::StartTls(const std::string& host, const RedisBackendOptions& options,
                                          const TlsContext& tls, const Deadline& deadline) {
  SSL* const ssl = SSL_new(tls.get());
  const std::string& name = options.tls_server_name.empty() ? host : options.tls_server_name;
  // Neither libvalkey nor OpenSSL asks the kernel not to send it.
  const SignalGuard guard(SIGPIPE);
  if (ssl == nullptr || !ExpectHost(ssl, name, options.tls_verify) ||
      valkeyInitiateTLS(context_.get(), ssl) != VALKEY_OK) {
    Fault fault = ssl == nullptr ? Fault{TierFault::kUnreachable, LastError()} : HandshakeFault(ssl, SSL_ERROR_SSL);
    SSL_free(ssl);
    return fault;
  }
  // From here on the context owns it.
  while (true) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl);
    if (result == 1) return std::nullopt;
    const int error = SSL_get_error(ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return HandshakeFault(ssl, error);
    if (deadline.passed()) return Fault{TierFault::kTimeout, "no TLS handshake in time"};
    WaitFor(fd(), static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), deadline);
  }
}

}  // namespace fewter::redis
