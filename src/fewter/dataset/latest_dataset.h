#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <arrow/result.h>

#include "fewter/dataset/dataset.h"

namespace fewter {

/// The latest version of a dataset, for a service that goes on while others write: a search takes the version at hand
/// and never waits for a look at the store.
///
///     ARROW_ASSIGN_OR_RAISE(auto latest, fewter::LatestDataset::Open("s3://bucket/table", options, 10s));
///     ARROW_ASSIGN_OR_RAISE(auto result, latest->Get()->Search(request));
///
/// Get looks for a newer version in the background, at most once in an interval: one listing, and the new manifest if
/// there is one. What a dataset keeps that is open goes with it, when nobody uses it any more; entries of the cache
/// stay, and serve the next version as far as its files are the same. Thread safe.
class LatestDataset : public std::enable_shared_from_this<LatestDataset> {
 public:
  /// Opens the latest version; `options.version` must be empty. With an interval of 0 every Get has a look begun,
  /// unless one is under way.
  static arrow::Result<std::shared_ptr<LatestDataset>> Open(const std::string& uri, DatasetOptions options,
                                                            std::chrono::nanoseconds interval);

  /// The newest version that is known. Costs no request, and waits for none.
  std::shared_ptr<Dataset> Get();

  /// Looks now, and waits for what comes of it.
  arrow::Status Refresh();

  /// Why the last look failed; OK if it did not. The version that was known stays.
  arrow::Status last_error() const;

 private:
  LatestDataset(std::shared_ptr<Dataset> dataset, std::chrono::nanoseconds interval)
      : interval_(interval), dataset_(std::move(dataset)), looked_(std::chrono::steady_clock::now()) {}

  std::shared_ptr<Dataset> Known() const;

  /// True for the one who has to look: if it is time, and nobody is at it.
  bool BeginLook();
  void EndLook(const arrow::Status& status);
  /// Takes up a newer version if there is one.
  arrow::Status Look();

  const std::chrono::nanoseconds interval_;

  mutable std::mutex mutex_;
  std::shared_ptr<Dataset> dataset_;
  arrow::Status last_error_;
  std::chrono::steady_clock::time_point looked_;
  bool is_looking_ = false;
};

}  // namespace fewter
