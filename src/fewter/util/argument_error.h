#pragma once

#include <memory>
#include <string>
#include <utility>

#include <arrow/status.h>

namespace fewter {

/// Marks a Status that is the caller's fault (a query of the wrong length, an unknown option) rather than the data's,
/// so that a door can answer "usage" instead of "corrupt file".
class ArgumentErrorDetail : public arrow::StatusDetail {
 public:
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return "argument"; }
  static constexpr const char* kTypeId = "fewter::ArgumentErrorDetail";
};

template <typename... Parts>
arrow::Status ArgumentError(Parts&&... parts) {
  return arrow::Status::Invalid(std::forward<Parts>(parts)...).WithDetail(std::make_shared<ArgumentErrorDetail>());
}

inline bool IsArgumentError(const arrow::Status& status) {
  return status.detail() != nullptr && std::string_view(status.detail()->type_id()) == ArgumentErrorDetail::kTypeId;
}

}  // namespace fewter
