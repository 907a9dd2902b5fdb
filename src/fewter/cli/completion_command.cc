#include <fmt/core.h>

#include <map>
#include <memory>
#include <string>

#include "fewter/cli/choice_option.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/completion.h"
#include "fewter/version.h"

namespace fewter::cli {

namespace {

enum class Shell { kBash, kFish, kZsh };

std::string ScriptFor(Shell shell, const CLI::App& app) {
  if (shell == Shell::kBash) return BashCompletion(app);
  return shell == Shell::kFish ? FishCompletion(app) : ZshCompletion(app);
}

}  // namespace

void AddCompletionCommand(CLI::App* app, Action* action) {
  auto shell = std::make_shared<Shell>();
  CLI::App* command =
      app->add_subcommand("completion", "Prints a script that completes commands and options in a shell");
  AddChoice(command, "shell", shell.get(),
            std::map<std::string, Shell>{{"bash", Shell::kBash}, {"fish", Shell::kFish}, {"zsh", Shell::kZsh}},
            "The shell")
      ->required();
  command->footer("Example: source <(fewter completion bash)");
  command->callback([=] {
    *action = [=] {
      fmt::print("{}", ScriptFor(*shell, *app));
      return arrow::Status::OK();
    };
  });
}

void AddManCommand(CLI::App* app, Action* action) {
  CLI::App* command = app->add_subcommand("man", "Prints the manual page");
  command->footer("Example: fewter man | man -l -");
  command->callback([=] {
    *action = [=] {
      fmt::print("{}", ManualPage(*app, kVersion));
      return arrow::Status::OK();
    };
  });
}

}  // namespace fewter::cli
