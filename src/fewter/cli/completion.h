#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace fewter::cli {

/// Scripts that complete the commands and options of an app in a shell.
std::string BashCompletion(const CLI::App& app);
std::string ZshCompletion(const CLI::App& app);
std::string FishCompletion(const CLI::App& app);

/// Its manual page, for section 1, in the macros of man(7).
std::string ManualPage(const CLI::App& app, const std::string& version);

}  // namespace fewter::cli
