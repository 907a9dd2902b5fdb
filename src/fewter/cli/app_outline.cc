#include "fewter/cli/app_outline.h"

#include <fmt/format.h>

#include <sstream>

namespace fewter::cli {

namespace {

void AddOptions(const CLI::App& app, CommandOutline* outline) {
  for (const CLI::Option* option : app.get_options()) {
    // A group of options has a help of its own, which is nobody's.
    if (option == app.get_help_ptr() && app.get_name().empty()) continue;
    (option->get_positional() ? outline->positionals : outline->options).push_back(option);
  }
  for (const CLI::App* below : app.get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (below->get_name().empty()) {
      AddOptions(*below, outline);
    } else {
      outline->commands.push_back(below);
    }
  }
}

void Append(const CLI::App& app, const std::string& path, std::vector<CommandOutline>* outlines) {
  CommandOutline outline{&app, path, {}, {}, {}};
  AddOptions(app, &outline);
  outlines->push_back(outline);
  for (const CLI::App* command : outline.commands) Append(*command, path + " " + command->get_name(), outlines);
}

}  // namespace

std::vector<CommandOutline> OutlineOf(const CLI::App& app) {
  std::vector<CommandOutline> outlines;
  Append(app, app.get_name(), &outlines);
  return outlines;
}

std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  std::vector<std::string> choices;
  if (option.get_type_name().find('|') == std::string::npos) return choices;
  std::istringstream names(option.get_type_name());
  for (std::string name; std::getline(names, name, '|');) choices.push_back(name);
  return choices;
}

bool TakesValue(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

std::string ValueNameOf(const CLI::Option& option) {
  if (!TakesValue(option)) return "";
  return option.get_option_text().empty() ? option.get_type_name() : option.get_option_text();
}

std::string DescriptionOf(const CLI::Option& option) {
  std::string text = option.get_description();
  const std::string standard = option.get_option_text().empty() ? option.get_default_str() : "";
  // A list has brackets already.
  if (!standard.empty()) text += standard.starts_with('[') ? " " + standard : fmt::format(" [{}]", standard);
  if (!option.get_envname().empty()) text += fmt::format(" (environment: {})", option.get_envname());
  for (const CLI::Option* other : option.get_needs()) text += fmt::format(" (with {})", other->get_name());
  for (const CLI::Option* other : option.get_excludes()) text += fmt::format(" (not with {})", other->get_name());
  return text;
}

}  // namespace fewter::cli
