#include "fewter/cli/unknown_word.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "fewter/cli/app_outline.h"
#include "fewter/util/similar_names.h"

namespace fewter::cli {

namespace {

std::string MessageOf(const CommandOutline& command, const std::string& word) {
  std::vector<std::string> names;
  if (word.starts_with('-') && word != "-") {
    for (const CLI::Option* option : command.options) {
      for (const std::string& name : NamesOf(*option)) names.push_back(name);
    }
    // What is behind it may be a secret.
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("unknown option '{}'{}", name, DidYouMean(name, names));
  }
  if (command.commands.empty()) return fmt::format("unexpected argument '{}'", word);
  for (const CLI::App* below : command.commands) names.push_back(below->get_name());
  return fmt::format("there is no command '{} {}'{}", command.app->get_name(), word, DidYouMean(word, names));
}

}  // namespace

std::string UnknownWord(const CLI::App& app) {
  for (const CommandOutline& command : OutlineOf(app)) {
    // Of commands that the line does not name there are none.
    for (const std::string& word : command.app->remaining()) {
      if (word != "--") return MessageOf(command, word);
    }
  }
  return "";
}

}  // namespace fewter::cli
