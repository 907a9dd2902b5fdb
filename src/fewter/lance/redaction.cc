#include "fewter/lance/redaction_internal.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

namespace fewter::lance {

namespace {

constexpr size_t kShortestSecret = 8;
constexpr std::string_view kInstead = "...";

struct Secrets {
  std::mutex mutex;
  /// The longest first, since one may be part of another.
  std::set<std::pair<size_t, std::string>, std::greater<>> values;
};

/// Never destroyed: background work may fail while the process ends.
Secrets& KnownSecrets() {
  static auto* const secrets = new Secrets();
  return *secrets;
}

void CutOutSignatures(std::string* message) {
  static constexpr std::string_view kSignature = "sig=";
  for (size_t at = message->find(kSignature); at != std::string::npos; at = message->find(kSignature, at)) {
    at += kSignature.size();
    message->replace(at, std::min(message->find_first_of("& \n'\")/", at), message->size()) - at, kInstead);
  }
}

void CutOut(std::string_view secret, std::string* message) {
  for (size_t at = message->find(secret); at != std::string::npos; at = message->find(secret, at)) {
    message->replace(at, secret.size(), kInstead);
    at += kInstead.size();
  }
}

}  // namespace

void NoteSecret(std::string value) {
  if (value.size() < kShortestSecret) return;
  Secrets& secrets = KnownSecrets();
  const std::lock_guard lock(secrets.mutex);
  const size_t size = value.size();
  secrets.values.emplace(size, std::move(value));
}

arrow::Status WithoutSecrets(const arrow::Status& status) {
  if (status.ok()) return status;
  std::string message = status.message();
  CutOutSignatures(&message);
  Secrets& secrets = KnownSecrets();
  const std::lock_guard lock(secrets.mutex);
  for (const auto& [size, secret] : secrets.values) CutOut(secret, &message);
  return message == status.message() ? status : status.WithMessage(message);
}

}  // namespace fewter::lance
