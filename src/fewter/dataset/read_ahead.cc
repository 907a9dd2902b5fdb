#include "fewter/dataset/read_ahead.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <arrow/util/thread_pool.h>

namespace fewter {

class ReadAhead::Piece {
 public:
  explicit Piece(Work work) : work_(std::move(work)) {}

  /// True for the first caller only, who then does the work or leaves it undone.
  bool Claim() { return !is_claimed_.exchange(true); }

  void Run() {
    auto result = work_();
    // What the work keeps alive goes before anybody learns that it is done, not with the task some time later.
    work_ = nullptr;
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
    is_done_ = true;
    done_.notify_one();
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return is_done_; });
    return std::move(result_);
  }

 private:
  Work work_;
  std::atomic<bool> is_claimed_{false};
  std::mutex mutex_;
  std::condition_variable done_;
  bool is_done_ = false;
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> result_;
};

ReadAhead::~ReadAhead() {
  for (const auto& piece : pieces_) {
    if (!piece->Claim()) (void)piece->Wait();
  }
}

void ReadAhead::Add(Work work) {
  pieces_.push_back(std::make_shared<Piece>(std::move(work)));
  // A pool that takes no more tasks only means that nothing is done ahead.
  (void)executor_->Spawn([piece = pieces_.back()] {
    if (piece->Claim()) piece->Run();
  });
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadAhead::Take() {
  const std::shared_ptr<Piece> piece = std::move(pieces_.front());
  pieces_.pop_front();
  if (piece->Claim()) piece->Run();
  return piece->Wait();
}

}  // namespace fewter
