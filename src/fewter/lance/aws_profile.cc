#include <cstdlib>
#include <fstream>
#include <map>
#include <string_view>

#include "fewter/lance/aws_profile_internal.h"

namespace fewter::lance {

namespace {

using Settings = std::map<std::string, std::string>;

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

std::string FilePath(const char* variable, const char* name) {
  if (const char* path = std::getenv(variable); path != nullptr && path[0] != '\0') return path;
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home).append("/.aws/").append(name);
}

/// Adds the settings of a section to those that are there; false if the file, or the section, is not.
bool ReadSection(const std::string& path, const std::string& section, Settings* settings) {
  std::ifstream file(path);
  bool found = false, inside = false;
  for (std::string line; std::getline(file, line);) {
    const std::string text = Trimmed(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') continue;
    if (text.front() == '[') {
      inside = text == "[" + section + "]";
      found |= inside;
    } else if (const size_t equals = text.find('='); inside && equals != std::string::npos) {
      settings->emplace(Trimmed(text.substr(0, equals)), Trimmed(text.substr(equals + 1)));
    }
  }
  return found;
}

std::optional<std::string> Find(const Settings& settings, const char* name) {
  const auto found = settings.find(name);
  return found == settings.end() ? std::nullopt : std::optional(found->second);
}

/// What both files say of a profile; nothing if neither knows it.
std::optional<Settings> ReadSettings(const std::string& name) {
  Settings settings;
  const bool has_keys = ReadSection(FilePath("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name, &settings);
  const std::string section = name == "default" ? name : "profile " + name;
  if (!ReadSection(FilePath("AWS_CONFIG_FILE", "config"), section, &settings) && !has_keys) return std::nullopt;
  return settings;
}

}  // namespace

arrow::Result<AwsProfile> ReadAwsProfile(const std::string& name) {
  const auto found = ReadSettings(name);
  if (!found) return arrow::Status::KeyError("there is no AWS profile '", name, "'");
  const Settings& settings = *found;
  const auto id = Find(settings, "aws_access_key_id");
  const auto secret = Find(settings, "aws_secret_access_key");
  if (!id || !secret) {
    return arrow::Status::NotImplemented("AWS profile '", name,
                                         "' has no keys of its own: set AWS_PROFILE in the "
                                         "environment instead of the storage option");
  }
  return AwsProfile{.access_key_id = *id,
                    .secret_access_key = *secret,
                    .session_token = Find(settings, "aws_session_token"),
                    .region = Find(settings, "region"),
                    .endpoint_url = Find(settings, "endpoint_url")};
}

std::optional<std::string> EndpointOfCurrentAwsProfile() {
  const char* name = std::getenv("AWS_PROFILE");
  const auto settings = ReadSettings(name != nullptr && name[0] != '\0' ? name : "default");
  return settings ? Find(*settings, "endpoint_url") : std::nullopt;
}

}  // namespace fewter::lance
