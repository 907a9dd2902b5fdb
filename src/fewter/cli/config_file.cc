#include "fewter/cli/config_file.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <istream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <arrow/util/io_util.h>

#include "fewter/cli/app_outline.h"

namespace fewter::cli {

namespace {

std::string UserConfigFile() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && config[0] == '/') return std::string(config) + "/fewter/config.toml";
  const char* home = std::getenv("HOME");
  return home == nullptr || home[0] != '/' ? std::string() : std::string(home) + "/.config/fewter/config.toml";
}

/// The option of a command that a key names; null if it has none.
const CLI::Option* FindOption(const CommandOutline& command, const std::string& key) {
  for (const auto* options : {&command.options, &command.positionals}) {
    for (const CLI::Option* option : *options) {
      if (option->check_lname(key) || option->check_sname(key) || option->get_name() == key) return option;
    }
  }
  return nullptr;
}

bool IsInEnvironment(const CLI::Option& option) {
  const char* value = option.get_envname().empty() ? nullptr : std::getenv(option.get_envname().c_str());
  return value != nullptr && *value != '\0';
}

/// The text with no comments. CLI11 takes a '#' within quotes for the begin of one.
std::string WithoutComments(std::istream& input) {
  std::string text;
  for (std::string line; std::getline(input, line);) {
    char quote = '\0';
    size_t end = 0;
    for (; end < line.size() && (quote != '\0' || line[end] != '#'); ++end) {
      const char c = line[end];
      if (quote == '"' && c == '\\') {
        ++end;
      } else if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      }
    }
    text += line.substr(0, end) + '\n';
  }
  return text;
}

/// CLI11 takes a key for the command in whose section it is, and goes by a file before it goes by the environment. Here
/// a key without a section is for every command that has the option, and what is in the environment is left to that.
class ConfigReader : public CLI::ConfigTOML {
 public:
  explicit ConfigReader(const CLI::App* app) : app_(app) { commentChar = '\0'; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> read;
    std::istringstream text(WithoutComments(input));
    for (const CLI::ConfigItem& item : CLI::ConfigTOML::from_config(text)) {
      // The begin and end of a section.
      if (item.name == "++" || item.name == "--") continue;
      bool is_known = false;
      for (const CommandOutline& command : OutlineOf(*app_)) {
        std::vector<std::string> path = CLI::detail::split(command.path, ' ');
        path.erase(path.begin());
        if (path.empty() || (!item.parents.empty() && item.parents != path)) continue;
        const CLI::Option* option = FindOption(command, item.name);
        if (option == nullptr || option == command.app->get_help_ptr()) continue;
        is_known = true;
        if (!IsInEnvironment(*option)) read.push_back({std::move(path), item.name, item.inputs});
      }
      if (!is_known) {
        throw CLI::ConfigError(
            app_->get_config_ptr()->as<std::string>() + ": '" + item.fullname() + "' is no option of a command",
            CLI::ExitCodes::ConfigError);
      }
    }
    return read;
  }

 private:
  const CLI::App* const app_;
};

}  // namespace

void AddConfigFile(CLI::App* app) {
  app->config_formatter(std::make_shared<ConfigReader>(app));
  app->allow_config_extras(CLI::config_extras_mode::error);
  const char* named = std::getenv("FEWTER_CONFIG");
  const bool is_named = named != nullptr && *named != '\0';
  app->set_config("--config", is_named ? named : UserConfigFile(),
                  "A file of options [~/.config/fewter/config.toml] (environment: FEWTER_CONFIG)", is_named)
      ->option_text("FILE");
}

arrow::Status CheckConfigFile(const CLI::App& app) {
  const CLI::Option& option = *app.get_config_ptr();
  const auto file = option.as<std::string>();
  const bool is_named = option.count() > 0 || option.get_required();
  if (!is_named || std::ifstream(file).is_open()) return arrow::Status::OK();
  return arrow::internal::IOErrorFromErrno(errno, "cannot read '", file, "'");
}

}  // namespace fewter::cli
