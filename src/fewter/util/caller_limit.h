#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <arrow/status.h>

namespace fewter {

/// Marks a Status that comes of what one caller allowed, its time or its wish to stop, and says nothing about the work:
/// whoever waited for the same thing does it for itself.
class CallerLimitDetail : public arrow::StatusDetail {
 public:
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return "limit of the caller"; }
  static constexpr const char* kTypeId = "fewter::CallerLimitDetail";
};

inline arrow::Status CallerLimit(const arrow::Status& status) {
  return status.WithDetail(std::make_shared<CallerLimitDetail>());
}

inline bool IsCallerLimit(const arrow::Status& status) {
  return status.detail() != nullptr && std::string_view(status.detail()->type_id()) == CallerLimitDetail::kTypeId;
}

}  // namespace fewter
