#include "fewter/cache/query.h"

#include <algorithm>

namespace fewter {

std::chrono::nanoseconds CacheQuery::remote_left() const {
  std::lock_guard lock(mutex_);
  return std::max(remote_left_, std::chrono::nanoseconds(0));
}

void CacheQuery::SpendRemote(std::chrono::nanoseconds spent) {
  std::lock_guard lock(mutex_);
  remote_left_ -= spent;
}

void CacheQuery::Count(std::string_view tier, std::string_view type, const TypeCounts& counts) {
  std::lock_guard lock(mutex_);
  for (auto& known : activity_) {
    if (known.tier == tier && known.type == type) {
      known.counts += counts;
      return;
    }
  }
  activity_.push_back({tier, type, counts});
}

std::vector<QueryActivity> CacheQuery::Activity() const {
  std::lock_guard lock(mutex_);
  return activity_;
}

}  // namespace fewter
