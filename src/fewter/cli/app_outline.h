#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace fewter::cli {

/// One command of an app, with what its help says, for what is made of that: completions, the manual page.
struct CommandOutline {
  const CLI::App* app = nullptr;
  /// The names that lead to it, "fewter cache stats".
  std::string path;
  /// Its own options, those of its groups among them; not its positional ones.
  std::vector<const CLI::Option*> options;
  std::vector<const CLI::Option*> positionals;
  std::vector<const CLI::App*> commands;
};

/// The app and its commands, each before those below it.
std::vector<CommandOutline> OutlineOf(const CLI::App& app);

/// "-o" and "--output".
std::vector<std::string> NamesOf(const CLI::Option& option);

/// The values that an option takes, if they are a few names.
std::vector<std::string> ChoicesOf(const CLI::Option& option);

/// Whether an option is followed by a value.
bool TakesValue(const CLI::Option& option);

/// What help calls the value of an option, "FILE"; empty if it takes none.
std::string ValueNameOf(const CLI::Option& option);

/// What an option is for, with what holds without it, the environment's name for it, and the options that it goes with
/// or does not. An option text, which is for the name of the value, says that its default is told by the description.
std::string DescriptionOf(const CLI::Option& option);

}  // namespace fewter::cli
