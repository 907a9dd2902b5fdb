#include "fewter/dataset/latest_dataset.h"

#include <utility>

#include <arrow/util/thread_pool.h>

#include "fewter/util/argument_error.h"

namespace fewter {

arrow::Result<std::shared_ptr<LatestDataset>> LatestDataset::Open(const std::string& uri, DatasetOptions options,
                                                                  std::chrono::nanoseconds interval) {
  if (options.version) return ArgumentError("the latest version has no number to be named by");
  ARROW_ASSIGN_OR_RAISE(auto dataset, Dataset::Open(uri, std::move(options)));
  return std::shared_ptr<LatestDataset>(new LatestDataset(std::move(dataset), interval));
}

std::shared_ptr<Dataset> LatestDataset::Get() {
  if (BeginLook()) {
    const arrow::Status begun = Known()->store_->executor()->Spawn([self = weak_from_this()] {
      if (const auto latest = self.lock()) latest->EndLook(latest->Look());
    });
    // A pool that takes no more tasks leaves it to a later caller.
    if (!begun.ok()) EndLook(begun);
  }
  return Known();
}

std::shared_ptr<Dataset> LatestDataset::Known() const {
  std::lock_guard lock(mutex_);
  return dataset_;
}

arrow::Status LatestDataset::Refresh() {
  arrow::Status status = Look();
  std::lock_guard lock(mutex_);
  last_error_ = status;
  return status;
}

arrow::Status LatestDataset::last_error() const {
  std::lock_guard lock(mutex_);
  return last_error_;
}

bool LatestDataset::BeginLook() {
  std::lock_guard lock(mutex_);
  if (is_looking_ || std::chrono::steady_clock::now() - looked_ < interval_) return false;
  is_looking_ = true;
  return true;
}

void LatestDataset::EndLook(const arrow::Status& status) {
  std::lock_guard lock(mutex_);
  last_error_ = status;
  looked_ = std::chrono::steady_clock::now();
  is_looking_ = false;
}

arrow::Status LatestDataset::Look() {
  ARROW_ASSIGN_OR_RAISE(auto other, Known()->OpenLatest());
  if (other == nullptr) return arrow::Status::OK();
  std::lock_guard lock(mutex_);
  dataset_.swap(other);
  return arrow::Status::OK();
}

}  // namespace fewter
