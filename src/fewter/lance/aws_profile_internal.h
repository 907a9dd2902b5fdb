#pragma once

#include <optional>
#include <string>

#include <arrow/result.h>

namespace fewter::lance {

/// What Amazon's own tools know by a name.
struct AwsProfile {
  std::string access_key_id;
  std::string secret_access_key;
  std::optional<std::string> session_token;
  std::optional<std::string> region;
  std::optional<std::string> endpoint_url;
};

/// Reads a profile from ~/.aws/credentials and ~/.aws/config, or the files that AWS_SHARED_CREDENTIALS_FILE and
/// AWS_CONFIG_FILE name. KeyError if neither has it; NotImplemented if its keys are not written there but have to be
/// fetched (from a role, single sign-on or a program), which Amazon's library does for AWS_PROFILE.
arrow::Result<AwsProfile> ReadAwsProfile(const std::string& name);

/// The endpoint_url of the profile that AWS_PROFILE names, or of the default one; Amazon's library takes its keys.
std::optional<std::string> EndpointOfCurrentAwsProfile();

}  // namespace fewter::lance
