#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include <arrow/type.h>

#include "fewter/ipc/known_schemas_internal.h"

namespace fewter::ipc::internal {

namespace {

/// More than there are kinds of sections; a bound, since the bytes may be anyone's.
constexpr size_t kMostSchemas = 32;
constexpr size_t kLongestMessage = 4096;

struct KnownSchemas {
  std::shared_mutex mutex;
  std::vector<std::pair<std::string, std::shared_ptr<arrow::Schema>>> schemas;
};

KnownSchemas& Known() {
  // Never destroyed: something may be decoded while the process ends.
  static auto* const known = new KnownSchemas;
  return *known;
}

}  // namespace

std::shared_ptr<arrow::Schema> FindSchema(std::string_view message) {
  KnownSchemas& known = Known();
  std::shared_lock lock(known.mutex);
  for (const auto& [bytes, schema] : known.schemas) {
    if (bytes == message) return schema;
  }
  return nullptr;
}

void RememberSchema(std::string_view message, const std::shared_ptr<arrow::Schema>& schema) {
  if (message.size() > kLongestMessage) return;
  KnownSchemas& known = Known();
  std::unique_lock lock(known.mutex);
  const auto same = [&](const auto& entry) { return entry.first == message; };
  if (known.schemas.size() >= kMostSchemas || std::any_of(known.schemas.begin(), known.schemas.end(), same)) return;
  known.schemas.emplace_back(message, schema);
}

}  // namespace fewter::ipc::internal
