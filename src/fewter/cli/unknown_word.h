#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace fewter::cli {

/// Of a line that an app could not parse: the first word that is none of its commands and options, and what may have
/// been meant, "unknown option '--nprobe'; did you mean '--nprobes'?". Empty if all are known.
std::string UnknownWord(const CLI::App& app);

}  // namespace fewter::cli
