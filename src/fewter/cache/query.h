#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "fewter/cache/stats.h"
#include "fewter/util/work_context.h"

/// What the caches do for one query: counted for it, and bounded in what it may wait for remote tiers.

namespace fewter {

/// The counts of one tier and type of entry for one query.
struct QueryActivity {
  std::string_view tier;
  std::string_view type;
  TypeCounts counts;
};

/// A query under way. While one is in scope on a thread, every backend that the thread uses counts into it, too, and
/// remote backends take their time from its allowance. Without one, each remote operation has an allowance of its own.
/// Passed on to threads that help (WorkContext).
///
///     CacheQuery query;
///     CacheQuery::Scope scope(&query);
///
/// Thread safe. Must outlive its scopes.
class CacheQuery {
 public:
  /// What a query may wait for remote tiers, all its operations together.
  static constexpr std::chrono::milliseconds kRemoteAllowance{200};

  explicit CacheQuery(std::chrono::nanoseconds remote_allowance = kRemoteAllowance) : remote_left_(remote_allowance) {}

  class Scope {
   public:
    /// Null is allowed, and means no query.
    explicit Scope(CacheQuery* query) : scope_(WorkContext::kCacheQuery, query) {}

   private:
    WorkContext::Scope scope_;
  };

  /// The query in scope on this thread, or null.
  static CacheQuery* Current() { return static_cast<CacheQuery*>(WorkContext::Get(WorkContext::kCacheQuery)); }

  /// How long a remote operation that starts now may take; never negative.
  std::chrono::nanoseconds remote_left() const;
  /// Takes what one has taken.
  void SpendRemote(std::chrono::nanoseconds spent);

  void Count(std::string_view tier, std::string_view type, const TypeCounts& counts);
  std::vector<QueryActivity> Activity() const;

 private:
  mutable std::mutex mutex_;
  std::chrono::nanoseconds remote_left_;
  std::vector<QueryActivity> activity_;
};

}  // namespace fewter
