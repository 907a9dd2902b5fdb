#include <fmt/chrono.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "fewter/cache/disk/inspect.h"
#include "fewter/cli/cache_choice.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/decimal_number.h"
#include "fewter/cli/stats_output.h"
#include "fewter/util/argument_error.h"

/// `fewter top`: a disk cache while processes use it.

namespace fewter::cli {

namespace {

using Clock = std::chrono::steady_clock;

struct TopOptions {
  std::string place = kDefaultCache;
  double interval = 2;
  uint64_t count = 0;
  size_t rows = 10;
  bool json = false;
};

struct TypeSummary {
  uint64_t entries = 0;
  int64_t bytes = 0;
  double heat = 0;
};

/// A folder at one moment.
struct Picture {
  Clock::time_point taken = Clock::now();
  DiskCacheSummary summary;
  /// Hottest first.
  std::vector<DiskCacheEntry> entries;
};

arrow::Result<Picture> Take(const std::string& folder) {
  Picture picture;
  ARROW_ASSIGN_OR_RAISE(picture.summary, SummariseDiskCache(folder));
  ARROW_ASSIGN_OR_RAISE(picture.entries, ListDiskCache(folder));
  return picture;
}

/// What has happened to a folder since the picture before.
struct Change {
  uint64_t added = 0;
  uint64_t removed = 0;
  int64_t added_bytes = 0;
  double seconds = 0;
};

Change Between(const Picture& before, const Picture& now) {
  const auto place = [](const DiskCacheEntry& entry) { return std::pair(entry.segment, entry.offset); };
  std::set<decltype(place(now.entries.front()))> known;
  for (const DiskCacheEntry& entry : before.entries) known.insert(place(entry));
  Change change{.seconds = std::chrono::duration<double>(now.taken - before.taken).count()};
  for (const DiskCacheEntry& entry : now.entries) {
    if (known.erase(place(entry)) > 0) continue;
    ++change.added;
    change.added_bytes += entry.bytes;
  }
  change.removed = known.size();
  return change;
}

std::map<std::string, TypeSummary> ByType(const Picture& picture) {
  std::map<std::string, TypeSummary> types;
  for (const DiskCacheEntry& entry : picture.entries) {
    TypeSummary& type = types[entry.type_id];
    ++type.entries;
    type.bytes += entry.bytes;
    type.heat += entry.heat;
  }
  return types;
}

nlohmann::json ToJson(const std::string& folder, const Picture& picture, const Change& change) {
  auto types = nlohmann::json::object();
  for (const auto& [name, type] : ByType(picture)) {
    types[name] = {{"entries", type.entries}, {"bytes", type.bytes}, {"heat", type.heat}};
  }
  return {{"directory", folder},
          {"time", std::time(nullptr)},
          {"segments", picture.summary.segments},
          {"entries", picture.summary.entries},
          {"disk_bytes", picture.summary.allocated_bytes},
          {"seconds", change.seconds},
          {"added", change.added},
          {"added_bytes", change.added_bytes},
          {"removed", change.removed},
          {"types", std::move(types)}};
}

void Print(const std::string& folder, const Picture& picture, const Change& change, size_t rows) {
  const double a_second = change.seconds > 0 ? static_cast<double>(change.added_bytes) / change.seconds : 0;
  fmt::print("{}  {:%H:%M:%S}\n", folder, fmt::localtime(std::time(nullptr)));
  fmt::print("{} entries (+{} -{}) in {} segments, {} on disk, {} a second written\n\n", picture.summary.entries,
             change.added, change.removed, picture.summary.segments, HumanBytes(picture.summary.allocated_bytes),
             HumanBytes(static_cast<uint64_t>(a_second)));
  fmt::print("{:>10}  {:>10}  {:>10}  {}\n", "heat", "entries", "bytes", "type");
  for (const auto& [name, type] : ByType(picture)) {
    fmt::print("{:>10.1f}  {:>10}  {:>10}  {}\n", type.heat, type.entries,
               HumanBytes(static_cast<uint64_t>(type.bytes)), name);
  }
  fmt::print("\n{:>10}  {:>10}  {:<28}  {}\n", "heat", "bytes", "hottest", "namespace");
  for (size_t i = 0; i < std::min(rows, picture.entries.size()); ++i) {
    const DiskCacheEntry& entry = picture.entries[i];
    fmt::print("{:>10.2f}  {:>10}  {:<28}  {}\n", entry.heat, HumanBytes(static_cast<uint64_t>(entry.bytes)),
               entry.type_id, entry.name_space);
  }
}

arrow::Result<std::string> FolderOf(const std::string& choice) {
  ARROW_ASSIGN_OR_RAISE(const auto places, LastingPlaces(choice));
  for (const CachePlace& place : places) {
    if (!place.folder.empty()) return place.folder;
  }
  return ArgumentError("only disk caches can be watched; servers have tools of their own");
}

arrow::Status Watch(const TopOptions& options) {
  if (!(options.interval > 0)) return ArgumentError("--interval must be more than 0 seconds");
  ARROW_ASSIGN_OR_RAISE(const std::string folder, FolderOf(options.place));
  const bool is_screen = isatty(STDOUT_FILENO) != 0 && !options.json;
  ARROW_ASSIGN_OR_RAISE(Picture before, Take(folder));
  for (uint64_t shown = 0;;) {
    ARROW_ASSIGN_OR_RAISE(Picture now, Take(folder));
    const Change change = Between(before, now);
    // To the corner, and nothing below what is printed.
    if (is_screen) fmt::print("\x1b[H\x1b[J");
    if (options.json) {
      fmt::print("{}\n", ToJson(folder, now, change).dump());
    } else {
      Print(folder, now, change, options.rows);
    }
    if (std::fflush(stdout) != 0) return arrow::Status::IOError("cannot write to standard output");
    if (++shown == options.count) return arrow::Status::OK();
    before = std::move(now);
    std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
  }
}

}  // namespace

void AddTopCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* command = app->add_subcommand("top", "Shows a disk cache while processes use it");
  command->add_option("cache", options->place, "A folder, or the URI of a cache [the user's cache folder]")
      ->envname(kCacheVariable);
  command->add_option("--interval", options->interval, "Seconds between pictures [2]")
      ->type_name("SECONDS")
      ->check(Number());
  command->add_option("--count", options->count, "Stop after so many pictures [never]")
      ->type_name("N")
      ->transform(DecimalNumber(0));
  command->add_option("--rows", options->rows, "How many of the hottest entries to show [10]")
      ->type_name("N")
      ->transform(DecimalNumber(0));
  command->add_flag("--json", options->json, "Print one JSON object a picture");
  command->footer("Example: fewter top --interval 1");
  command->callback([=] { *action = [options] { return Watch(*options); }; });
}

}  // namespace fewter::cli
