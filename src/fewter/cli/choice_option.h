#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace fewter::cli {

/// An option whose value is one of some names, in whatever case, which its help and its errors list.
template <typename Value, typename Choice>
CLI::Option* AddChoice(CLI::App* command, const std::string& name, Value* value, std::map<std::string, Choice> choices,
                       const std::string& description) {
  std::string names;
  for (const auto& [choice, unused] : choices) names += (names.empty() ? "" : "|") + choice;
  const auto choose = [name, value, choices = std::move(choices), names](const CLI::results_t& texts) {
    const std::string& text = texts.front();
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto found = choices.find(lower);
    if (found == choices.end()) throw CLI::ValidationError(name, "'" + text + "' is none of " + names);
    *value = found->second;
    return true;
  };
  return command->add_option(name, CLI::callback_t(choose), description)->type_name(names);
}

}  // namespace fewter::cli
