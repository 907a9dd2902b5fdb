#pragma once

#include <CLI/CLI.hpp>

#include <arrow/status.h>

namespace fewter::cli {

/// Lets an app's options be given by a file, too: $FEWTER_CONFIG, or fewter/config.toml in $XDG_CONFIG_HOME (or
/// ~/.config) if it is there. What the command line or the environment gives goes before. Called when all commands are
/// there.
///
///     cache = "disk:///var/cache/fewter"      # of every command that has the option
///     [query]
///     nprobes = 50                            # of one
void AddConfigFile(CLI::App* app);

/// An I/O error with its errno if a file was named that cannot be opened.
arrow::Status CheckConfigFile(const CLI::App& app);

}  // namespace fewter::cli
