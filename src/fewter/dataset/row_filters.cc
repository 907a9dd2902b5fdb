#include "fewter/dataset/row_filters.h"

#include <utility>

#include <roaring/roaring64map.hh>

namespace fewter {

namespace {

class ListedRows final : public RowFilter {
 public:
  ListedRows(std::span<const uint64_t> row_ids, bool allowed) : allowed_(allowed) {
    rows_.addMany(row_ids.size(), row_ids.data());
    rows_.runOptimize();
  }
  bool Allows(uint64_t row_id) const override { return rows_.contains(row_id) == allowed_; }

 private:
  Roaring64Map rows_;
  bool allowed_;
};

class Both final : public RowFilter {
 public:
  Both(std::shared_ptr<const RowFilter> a, std::shared_ptr<const RowFilter> b) : a_(std::move(a)), b_(std::move(b)) {}
  bool Allows(uint64_t row_id) const override { return a_->Allows(row_id) && b_->Allows(row_id); }

 private:
  std::shared_ptr<const RowFilter> a_;
  std::shared_ptr<const RowFilter> b_;
};

}  // namespace

std::shared_ptr<const RowFilter> AllowRows(std::span<const uint64_t> row_ids) {
  return std::make_shared<ListedRows>(row_ids, true);
}

std::shared_ptr<const RowFilter> BlockRows(std::span<const uint64_t> row_ids) {
  return std::make_shared<ListedRows>(row_ids, false);
}

std::shared_ptr<const RowFilter> BothOf(std::shared_ptr<const RowFilter> a, std::shared_ptr<const RowFilter> b) {
  if (a == nullptr) return b;
  if (b == nullptr) return a;
  return std::make_shared<Both>(std::move(a), std::move(b));
}

}  // namespace fewter
