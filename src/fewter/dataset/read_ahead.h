#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include <arrow/record_batch.h>
#include <arrow/result.h>

namespace arrow::internal {
class Executor;
}

namespace fewter {

/// Work whose results are wanted one after the other, begun on other threads before it is asked for. For one caller;
/// the work itself is called from several threads.
///
/// Who asks for a result that nobody has begun works on it himself, so that a caller that is one of the executor's own
/// threads waits for nothing but work under way.
class ReadAhead {
 public:
  using Work = std::function<arrow::Result<std::shared_ptr<arrow::RecordBatch>>()>;

  explicit ReadAhead(arrow::internal::Executor* executor) : executor_(executor) {}
  /// What has not been begun never will be. What is under way is waited for: a program that ends must not leave threads
  /// at work.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  void Add(Work work);
  /// How many results have not been taken.
  size_t size() const { return pieces_.size(); }
  /// The result of the work that was added first. Requires that there is some.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Take();

 private:
  class Piece;

  arrow::internal::Executor* const executor_;
  std::deque<std::shared_ptr<Piece>> pieces_;
};

}  // namespace fewter
