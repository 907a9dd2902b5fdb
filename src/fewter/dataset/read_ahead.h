#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include <arrow/result.h>
#include <arrow/util/thread_pool.h>

namespace fewter {

/// Work whose results are wanted one after the other, begun on other threads before it is asked for. For one caller;
/// the work itself is called from several threads.
///
/// Who asks for a result that nobody has begun works on it himself, so that a caller that is one of the executor's own
/// threads waits for nothing but work under way.
template <typename T>
class ReadAhead {
 public:
  using Work = std::function<arrow::Result<T>()>;

  explicit ReadAhead(arrow::internal::Executor* executor) : executor_(executor) {}
  /// What has not been begun never will be. What is under way is waited for: a program that ends must not leave threads
  /// at work.
  ~ReadAhead() {
    for (const auto& piece : pieces_) {
      if (!piece->Claim()) (void)piece->Wait();
    }
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  void Add(Work work) {
    pieces_.push_back(std::make_shared<Piece>(std::move(work)));
    // A pool that takes no more tasks only means that nothing is done ahead.
    (void)executor_->Spawn([piece = pieces_.back()] {
      if (piece->Claim()) piece->Run();
    });
  }

  /// How many results have not been taken.
  size_t size() const { return pieces_.size(); }
  /// Whether Take need not wait. Requires that there is some.
  bool IsReady() const { return pieces_.front()->IsDone(); }
  /// The result of the work that was added first. Requires that there is some.
  arrow::Result<T> Take() {
    const std::shared_ptr<Piece> piece = std::move(pieces_.front());
    pieces_.pop_front();
    if (piece->Claim()) piece->Run();
    return piece->Wait();
  }

 private:
  class Piece {
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

    bool IsDone() {
      const std::lock_guard lock(mutex_);
      return is_done_;
    }

    arrow::Result<T> Wait() {
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
    arrow::Result<T> result_;
  };

  arrow::internal::Executor* const executor_;
  std::deque<std::shared_ptr<Piece>> pieces_;
};

}  // namespace fewter
