#pragma once

#include <CLI/CLI.hpp>

#include <functional>

#include <arrow/status.h>

namespace fewter::cli {

/// What a sub-command does once the line has been parsed.
using Action = std::function<arrow::Status()>;

/// Each adds a sub-command to `app`, and sets `action` if the line names it.
void AddInfoCommand(CLI::App* app, Action* action);
void AddQueryCommand(CLI::App* app, Action* action);
void AddScanCommand(CLI::App* app, Action* action);
void AddHeadCommand(CLI::App* app, Action* action);
void AddSchemaCommand(CLI::App* app, Action* action);
void AddCountCommand(CLI::App* app, Action* action);
void AddBenchCommand(CLI::App* app, Action* action);
void AddCacheCommand(CLI::App* app, Action* action);
void AddTopCommand(CLI::App* app, Action* action);
/// Scripts for shells, and the manual page; of all commands that have been added to the app when they are printed.
void AddCompletionCommand(CLI::App* app, Action* action);
void AddManCommand(CLI::App* app, Action* action);

}  // namespace fewter::cli
