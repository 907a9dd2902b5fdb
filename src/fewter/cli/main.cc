#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "fewter/cli/commands.h"
#include "fewter/cli/config_file.h"
#include "fewter/cli/exit_code.h"
#include "fewter/cli/help_text.h"
#include "fewter/cli/terminal.h"
#include "fewter/cli/unknown_word.h"
#include "fewter/util/status_text.h"
#include "fewter/version.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused credentials, 5 storage unreachable,\n"
    "            6 corrupt or not supported\n"
    "Example: fewter query examples/packages.lance --column vector --row 0 -k 5";

/// What a library throws, such as for want of memory, ends in a message like everything else.
arrow::Status Run(const fewter::cli::Action& action) {
  try {
    return action();
  } catch (const std::exception& thrown) {
    return arrow::Status::UnknownError(thrown.what());
  }
}

/// What CLI11 says of a line, as all other messages are said.
std::string FailureMessage(const CLI::App* /*app*/, const CLI::Error& error) {
  return fmt::format("{} {}\nRun with --help for more information.\n", fewter::cli::Red("fewter:", stderr),
                     fewter::Printable(error.what()));
}

/// Says what was wrong, and returns the exit code for it.
int Fail(const arrow::Status& status) {
  fmt::print(stderr, "{} {}\n", fewter::cli::Red("fewter:", stderr), fewter::MessageWithReason(status));
  return fewter::cli::ExitCodeFor(status);
}

int FailToParse(const CLI::App& app, const CLI::ParseError& error) {
  // Help and version are "errors" with code 0 to CLI11.
  if (error.get_exit_code() == 0) return app.exit(error);
  if (const std::string unknown = fewter::cli::UnknownWord(app); !unknown.empty()) {
    app.exit(CLI::ParseError(unknown, CLI::ExitCodes::ExtrasError));
    return fewter::cli::kUsage;
  }
  if (const auto readable = fewter::cli::CheckConfigFile(app); !readable.ok()) return Fail(readable);
  app.exit(error);
  return fewter::cli::kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"fewter: native vector search over Lance datasets", "fewter"};
  app.set_version_flag("--version", std::string("fewter ") + fewter::kVersion);
  app.require_subcommand(1);
  app.footer(kFooter);
  app.failure_message(FailureMessage);
  app.formatter(std::make_shared<fewter::cli::HelpText>());
  fewter::cli::Action action;
  fewter::cli::AddInfoCommand(&app, &action);
  fewter::cli::AddQueryCommand(&app, &action);
  fewter::cli::AddScanCommand(&app, &action);
  fewter::cli::AddHeadCommand(&app, &action);
  fewter::cli::AddSchemaCommand(&app, &action);
  fewter::cli::AddCountCommand(&app, &action);
  fewter::cli::AddBenchCommand(&app, &action);
  fewter::cli::AddCacheCommand(&app, &action);
  fewter::cli::AddTopCommand(&app, &action);
  fewter::cli::AddCompletionCommand(&app, &action);
  fewter::cli::AddManCommand(&app, &action);
  fewter::cli::AddConfigFile(&app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return FailToParse(app, error);
  }
  arrow::Status status = Run(action);
  if (status.ok() && std::fflush(stdout) != 0) status = arrow::Status::IOError("cannot write to standard output");
  return status.ok() ? fewter::cli::kOk : Fail(status);
}
