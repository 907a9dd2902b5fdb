#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace fewter::cli {

/// What --help prints: groups of options of which one is needed stand first, and each option with the kind of value it
/// takes and, behind its description, what holds without it. Set before commands are added, which inherit it.
class HelpText : public CLI::Formatter {
 public:
  std::string make_positionals(const CLI::App* app) const override;
  /// Of groups, which make_positionals has dealt with: nothing.
  std::string make_expanded(const CLI::App* app) const override;
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace fewter::cli
