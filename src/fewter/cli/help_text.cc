#include "fewter/cli/help_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "fewter/cli/app_outline.h"

namespace fewter::cli {

std::string HelpText::make_positionals(const CLI::App* app) const {
  std::string text = CLI::Formatter::make_positionals(app);
  for (const CLI::App* group : app->get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (!group->get_name().empty()) continue;
    const CLI::App* const below = group;
    const auto options = below->get_options([&](const CLI::Option* option) { return option != below->get_help_ptr(); });
    const char* const how_many = group->get_require_option_min() == 1 ? " (one of these)" : "";
    text += make_group(group->get_group() + how_many, false, options);
  }
  return text;
}

std::string HelpText::make_expanded(const CLI::App* /*app*/) const {
  return {};
}

std::string HelpText::make_option_name(const CLI::Option* option, bool is_positional) const {
  return is_positional ? option->get_name(true) : fmt::format("{}", fmt::join(NamesOf(*option), ","));
}

std::string HelpText::make_option_opts(const CLI::Option* option) const {
  const bool is_named = option->get_positional() && ChoicesOf(*option).empty();
  const std::string value = is_named ? "" : ValueNameOf(*option);
  return value.empty() ? "" : " " + value;
}

std::string HelpText::make_option_desc(const CLI::Option* option) const {
  return DescriptionOf(*option) + (option->get_required() && !option->get_positional() ? " (required)" : "");
}

}  // namespace fewter::cli
