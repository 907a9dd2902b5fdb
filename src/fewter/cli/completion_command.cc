#include <fmt/core.h>

#include <map>
#include <memory>
#include <string>

#include "fewter/cli/choice_option.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/completion.h"
#include "fewter/version.h"

namespace fewter::cli {

void AddCompletionCommand(CLI::App* app, Action* action) {
  using Make = std::string (*)(const CLI::App&);
  auto make = std::make_shared<Make>();
  CLI::App* command =
      app->add_subcommand("completion", "Prints a script that completes commands and options in a shell");
  AddChoice(command, "shell", make.get(),
            std::map<std::string, Make>{{"bash", BashCompletion}, {"fish", FishCompletion}, {"zsh", ZshCompletion}},
            "The shell")
      ->required();
  command->footer("Example: source <(fewter completion bash)");
  command->callback([=] {
    *action = [=] {
      fmt::print("{}", (*make)(*app));
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
