#include <algorithm>
#include <string>
#include <string_view>

#include "fewter/lance/redaction_internal.h"

namespace fewter::lance {

arrow::Status WithoutSignatures(const arrow::Status& status) {
  static constexpr std::string_view kSignature = "sig=";
  if (status.ok() || status.message().find(kSignature) == std::string::npos) return status;
  std::string message = status.message();
  for (size_t at = message.find(kSignature); at != std::string::npos; at = message.find(kSignature, at)) {
    at += kSignature.size();
    message.replace(at, std::min(message.find_first_of("& \n'\")/", at), message.size()) - at, "...");
  }
  return status.WithMessage(message);
}

}  // namespace fewter::lance
