#pragma once

#include <arrow/status.h>

namespace fewter::lance {

/// The same without signatures: what a file system says of a failure may repeat the address that was asked, which with
/// a token of Azure (sas_token) ends in one.
arrow::Status WithoutSignatures(const arrow::Status& status);

}  // namespace fewter::lance
