#include <fmt/format.h>

#include <string>

#include "fewter/cli/app_outline.h"
#include "fewter/cli/completion.h"

namespace fewter::cli {

namespace {

/// Text as troff takes it: a backslash and a hyphen have meanings, and so have a dot and an apostrophe that begin a
/// line.
std::string Roff(const std::string& text) {
  std::string roff;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) roff += "\\&";
    if (c == '\\') {
      roff += "\\e";
    } else if (c == '-') {
      roff += "\\-";
    } else {
      roff += c;
    }
    begins_line = c == '\n';
  }
  return roff;
}

std::string OptionEntry(const CLI::Option& option) {
  std::string names = option.get_positional() ? "\\fI" + Roff(option.get_name()) + "\\fR" : "";
  for (const std::string& name : NamesOf(option)) names += (names.empty() ? "" : ", ") + ("\\fB" + Roff(name) + "\\fR");
  if (!option.get_positional() && TakesValue(option)) {
    const std::string value = Roff(ValueNameOf(option));
    names += ChoicesOf(option).empty() ? " \\fI" + value + "\\fR" : " " + value;
  }
  return fmt::format(".TP\n{}\n{}\n", names, Roff(DescriptionOf(option)));
}

std::string CommandEntry(const CommandOutline& command) {
  std::string text = fmt::format(".SS \"{}\"\n{}.\n", Roff(command.path), Roff(command.app->get_description()));
  for (const CLI::Option* option : command.positionals) text += OptionEntry(*option);
  for (const CLI::Option* option : command.options) {
    if (option != command.app->get_help_ptr()) text += OptionEntry(*option);
  }
  if (!command.app->get_footer().empty()) text += ".PP\n.nf\n" + Roff(command.app->get_footer()) + "\n.fi\n";
  return text;
}

}  // namespace

std::string ManualPage(const CLI::App& app, const std::string& version) {
  const auto outline = OutlineOf(app);
  std::string text = fmt::format(".TH FEWTER 1 \"\" \"fewter {}\" \"User Commands\"\n", version);
  text += ".SH NAME\n" + Roff("fewter - native vector search over Lance datasets") + "\n";
  text += ".SH SYNOPSIS\n";
  for (const CommandOutline& command : outline) {
    if (!command.commands.empty()) continue;
    std::string positionals;
    for (const CLI::Option* option : command.positionals) {
      const std::string name = "\\fI" + option->get_name() + "\\fR";
      positionals += " " + (option->get_required() ? name : "[" + name + "]");
    }
    text += fmt::format("\\fB{}\\fR{} [\\fIoptions\\fR]\n.br\n", Roff(command.path), positionals);
  }
  text += ".SH COMMANDS\n";
  for (const CommandOutline& command : outline) text += CommandEntry(command);
  text += ".SH FILES\n.TP\n" + Roff("~/.config/fewter/config.toml") +
          "\nDefaults of options, below those that the command line and the environment give.\n.TP\n" +
          Roff("~/.cache/fewter") + "\nParts of indexes that have been read.\n";
  return text;
}

}  // namespace fewter::cli
