#include "fewter/cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "fewter/cli/app_outline.h"

namespace fewter::cli {

namespace {

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// A description on one line.
std::string LineOf(const std::string& description) {
  return Replaced(description, "\n", " ");
}

/// Within '…' of a POSIX shell.
std::string ShellQuoted(const std::string& text) {
  return "'" + Replaced(text, "'", "'\\''") + "'";
}

std::vector<std::string> CommandNames(const CommandOutline& command) {
  std::vector<std::string> names(command.commands.size());
  std::transform(command.commands.begin(), command.commands.end(), names.begin(), std::mem_fn(&CLI::App::get_name));
  return names;
}

std::vector<std::string> WordsOf(const CommandOutline& command) {
  std::vector<std::string> words = CommandNames(command);
  for (const CLI::Option* positional : command.positionals) {
    for (const std::string& choice : ChoicesOf(*positional)) words.push_back(choice);
  }
  for (const CLI::Option* option : command.options) {
    for (const std::string& name : NamesOf(*option)) words.push_back(name);
  }
  return words;
}

/// "fewter cache stats" as the name of a function.
std::string FunctionOf(const CommandOutline& command) {
  return "_" + Replaced(command.path, " ", "_");
}

/// An argument of zsh's _arguments.
std::string ZshOption(const CLI::Option& option) {
  const auto names = NamesOf(option);
  const auto choices = ChoicesOf(option);
  // A colon and brackets have meanings of their own there.
  std::string described = LineOf(option.get_description());
  for (const char* special : {"[", "]", ":"}) described = Replaced(described, special, std::string("\\") + special);
  const std::string action = choices.empty() ? "_files" : fmt::format("({})", fmt::join(choices, " "));
  const std::string value = TakesValue(option) ? ":value:" + action : "";
  if (names.size() == 1) return ShellQuoted(fmt::format("*{}[{}]{}", names[0], described, value));
  return fmt::format("{{{}}}{}", fmt::join(names, ","), ShellQuoted(fmt::format("[{}]{}", described, value)));
}

std::string ZshFunction(const CommandOutline& command) {
  std::string text =
      FunctionOf(command) + "() {\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n  _arguments -C";
  for (const CLI::Option* option : command.options) text += " \\\n    " + ZshOption(*option);
  if (command.commands.empty()) {
    std::string values = "_files";
    for (const CLI::Option* positional : command.positionals) {
      const auto choices = ChoicesOf(*positional);
      if (!choices.empty()) values = fmt::format("({})", fmt::join(choices, " "));
    }
    return text + fmt::format(" \\\n    {}\n}}\n\n", ShellQuoted("*:value:" + values));
  }
  text += " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n      local -a commands=(\n";
  for (const CLI::App* below : command.commands) {
    text += fmt::format("        {}\n", ShellQuoted(below->get_name() + ":" + LineOf(below->get_description())));
  }
  text += "      )\n      _describe command commands ;;\n    rest)\n      case $line[1] in\n";
  for (const CLI::App* below : command.commands) {
    text += fmt::format("        {0}) {1}_{0} ;;\n", below->get_name(), FunctionOf(command));
  }
  return text + "      esac ;;\n  esac\n}\n\n";
}

/// The condition under which a command is the one that is being written.
std::string FishCondition(const CommandOutline& command) {
  std::string seen;
  std::string path = command.path;
  for (size_t space = path.find(' '); space != std::string::npos; space = path.find(' ')) {
    path.erase(0, space + 1);
    seen +=
        (seen.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") + path.substr(0, path.find(' '));
  }
  if (command.commands.empty()) return seen;
  return seen + (seen.empty() ? "" : "; and ") +
         fmt::format("not __fish_seen_subcommand_from {}", fmt::join(CommandNames(command), " "));
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  const auto outline = OutlineOf(app);
  std::string paths;
  std::string choices;
  std::string words;
  for (const CommandOutline& command : outline) {
    if (command.app != &app) paths += (paths.empty() ? "" : "|") + fmt::format("\"{}\"", command.path);
    words += fmt::format("    \"{}\") words={} ;;\n", command.path,
                         ShellQuoted(fmt::format("{}", fmt::join(WordsOf(command), " "))));
    for (const CLI::Option* option : command.options) {
      if (ChoicesOf(*option).empty()) continue;
      choices += fmt::format("    \"{} {}\") COMPREPLY=($(compgen -W '{}' -- \"$current\")); return ;;\n", command.path,
                             NamesOf(*option).back(), fmt::join(ChoicesOf(*option), " "));
    }
  }
  constexpr const char* kScript = R"(# Completion of {0} for bash, made by `{0} completion bash`.
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} path={0} words= word
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$path $word" in
      {1}) path="$path $word" ;;
    esac
  done
  case "$path $before" in
{2}  esac
  case $path in
{3}  esac
  if [[ $current == -* || $words != -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
  if [[ ${{#COMPREPLY[@]}} == 0 ]]; then
    compopt -o filenames 2> /dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -F _{0} {0}
)";
  return fmt::format(fmt::runtime(kScript), app.get_name(), paths, choices, words);
}

std::string ZshCompletion(const CLI::App& app) {
  std::string text =
      fmt::format("#compdef {0}\n# Completion of {0} for zsh, made by `{0} completion zsh`.\n\n", app.get_name());
  auto outline = OutlineOf(app);
  std::reverse(outline.begin(), outline.end());
  for (const CommandOutline& command : outline) text += ZshFunction(command);
  // Read by compinit it is the body of the function; read by `source` it has to be made known.
  return text + fmt::format("if [ \"$funcstack[1]\" = _{0} ]; then\n  _{0} \"$@\"\nelse\n  compdef _{0} {0}\nfi\n",
                            app.get_name());
}

std::string FishCompletion(const CLI::App& app) {
  std::string text = fmt::format("# Completion of {0} for fish, made by `{0} completion fish`.\n", app.get_name());
  // Within '…' of fish.
  const auto quoted = [](const std::string& word) {
    return "'" + Replaced(Replaced(LineOf(word), "\\", "\\\\"), "'", "\\'") + "'";
  };
  for (const CommandOutline& command : OutlineOf(app)) {
    const std::string start = fmt::format("complete -c {} -n {}", app.get_name(), quoted(FishCondition(command)));
    for (const CLI::App* below : command.commands) {
      text += fmt::format("{} -f -a {} -d {}\n", start, below->get_name(), quoted(below->get_description()));
    }
    for (const CLI::Option* positional : command.positionals) {
      const auto choices = ChoicesOf(*positional);
      if (!choices.empty())
        text += fmt::format("{} -f -a {}\n", start, quoted(fmt::format("{}", fmt::join(choices, " "))));
    }
    for (const CLI::Option* option : command.options) {
      text += start;
      for (const std::string& name : option->get_snames()) text += " -s " + name;
      for (const std::string& name : option->get_lnames()) text += " -l " + name;
      const auto choices = ChoicesOf(*option);
      if (!choices.empty()) text += fmt::format(" -x -a {}", quoted(fmt::format("{}", fmt::join(choices, " "))));
      if (choices.empty() && TakesValue(*option)) text += " -r";
      text += fmt::format(" -d {}\n", quoted(option->get_description()));
    }
  }
  return text;
}

}  // namespace fewter::cli
