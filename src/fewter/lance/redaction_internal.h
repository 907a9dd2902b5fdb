#pragma once

#include <string>

#include <arrow/status.h>

namespace fewter::lance {

/// Remembers a value, for the life of the process, that WithoutSecrets cuts out. Values of fewer than 8 bytes are not:
/// they may be words. Thread safe.
void NoteSecret(std::string value);

/// The same without signatures and secrets: what a file system says of a failure may repeat the address that was asked,
/// which with a token of Azure (sas_token) ends in a signature, and what a server answers may repeat what it was sent.
/// Thread safe.
arrow::Status WithoutSecrets(const arrow::Status& status);

}  // namespace fewter::lance
