#include "fewter/util/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <arrow/util/thread_pool.h>

#include "fewter/util/work_context.h"

namespace fewter {

namespace {

/// Work that several threads share: each takes the next piece until none is left.
class SharedWork {
 public:
  SharedWork(size_t pieces, const std::function<void(size_t)>& work) : pieces_(pieces), work_(work) {}

  void TakePieces() {
    for (size_t piece; (piece = next_.fetch_add(1)) < pieces_;) {
      work_(piece);
      std::lock_guard lock(mutex_);
      if (++done_ == pieces_) all_done_.notify_all();
    }
  }

  /// As TakePieces, on a thread that helps. Nothing of the caller's is touched once all pieces are taken.
  void Help() {
    if (next_.load() >= pieces_) return;
    const WorkContext::Scope scope(context_);
    TakePieces();
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return done_ == pieces_; });
  }

 private:
  const size_t pieces_;
  /// The caller's; used only for pieces, all of which are done before the caller returns.
  const std::function<void(size_t)>& work_;
  const WorkContext::Pointers context_ = WorkContext::All();
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
  size_t done_ = 0;
};

}  // namespace

void RunSideBySide(arrow::internal::Executor* executor, size_t pieces, const std::function<void(size_t)>& work,
                   size_t threads) {
  if (pieces <= 1 || threads <= 1) {
    for (size_t piece = 0; piece < pieces; ++piece) work(piece);
    return;
  }
  // Shared with the tasks, since one may be started only after everything is done.
  auto shared = std::make_shared<SharedWork>(pieces, work);
  const size_t others = std::min({pieces - 1, threads - 1, static_cast<size_t>(std::max(executor->GetCapacity(), 0))});
  for (size_t i = 0; i < others; ++i) {
    // A pool that takes no more tasks only means that this thread does more of the work.
    if (!executor->Spawn([shared] { shared->Help(); }).ok()) break;
  }
  shared->TakePieces();
  shared->Wait();
}

arrow::Status TrySideBySide(arrow::internal::Executor* executor, size_t pieces,
                            const std::function<arrow::Status(size_t)>& work, size_t threads) {
  std::vector<arrow::Status> outcomes(pieces);
  RunSideBySide(
      executor, pieces, [&](size_t piece) { outcomes[piece] = work(piece); }, threads);
  for (arrow::Status& outcome : outcomes) ARROW_RETURN_NOT_OK(std::move(outcome));
  return arrow::Status::OK();
}

}  // namespace fewter
