#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/util/io_util.h>
#include <nlohmann/json.hpp>

#include "fewter/cache/byte_size.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/inspect.h"
#include "fewter/cache/registry/registry.h"
#include "fewter/cli/cache_choice.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/stats_output.h"
#include "fewter/cli/store_choice.h"
#include "fewter/cli/terminal.h"
#include "fewter/dataset/dataset.h"
#include "fewter/util/argument_error.h"

/// `fewter cache …`: looks into caches that outlive a process, fills and empties them.

namespace fewter::cli {

namespace {

struct CacheOptions {
  std::string place = kDefaultCache;
  bool json = false;
  std::optional<std::string> index;
};

/// The folders among the tiers; an argument error if there are other tiers only. Others are left out with a word.
arrow::Result<std::vector<std::string>> FoldersOf(const std::string& choice, const char* what) {
  ARROW_ASSIGN_OR_RAISE(const auto places, LastingPlaces(choice));
  std::vector<std::string> folders;
  std::string others;
  for (const CachePlace& place : places) {
    if (place.folder.empty()) {
      others = place.uri.substr(0, place.uri.find(':')) + "://";
    } else {
      folders.push_back(place.folder);
    }
  }
  if (folders.empty() && !others.empty()) return ArgumentError("only disk caches can be ", what, ", not ", others);
  if (!others.empty()) fmt::print(stderr, "fewter: only disk caches can be {}; left out: {}\n", what, others);
  return folders;
}

/// A folder is opened by its name, which need not be fit for a URI, and without a capacity, so that nothing is evicted.
arrow::Result<std::shared_ptr<CacheBackend>> Open(const CachePlace& place) {
  if (place.folder.empty()) return OpenCacheBackend(place.uri);
  DiskBackendOptions options;
  options.directory = place.folder;
  options.capacity_bytes = int64_t{1} << 60;
  return MakeDiskBackend(std::move(options));
}

/// What is wrong with a tier, as an error whose exit code says so.
arrow::Status CheckHealth(const CacheBackend& backend) {
  const HealthReport health = backend.Report().front().health;
  if (health.state == TierState::kHealthy) return arrow::Status::OK();
  const auto had = [&](TierFault fault) { return health.faults[static_cast<size_t>(fault)] > 0; };
  int error = EIO;
  if (had(TierFault::kRefused)) {
    error = EACCES;
  } else if (had(TierFault::kUnreachable)) {
    error = ECONNREFUSED;
  } else if (had(TierFault::kTimeout)) {
    error = ETIMEDOUT;
  }
  return arrow::internal::IOErrorFromErrno(error, backend.kind(), ": ", health.last_message);
}

arrow::Status CheckUuid(const std::string& text) {
  constexpr std::string_view kForm = "00000000-0000-0000-0000-000000000000";
  const auto fits = [](char c, char form) {
    return form == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  };
  if (text.size() == kForm.size() && std::equal(text.begin(), text.end(), kForm.begin(), fits)) {
    return arrow::Status::OK();
  }
  return ArgumentError("'", text, "' is not the UUID of an index, which fewter info shows, in lower case");
}

// ---- stats ----

nlohmann::json DiskStatsJson(const std::string& folder, const DiskCacheSummary& summary,
                             const std::vector<DiskCacheEntry>& entries) {
  struct OfType {
    uint64_t entries = 0;
    int64_t bytes = 0;
  };
  std::map<std::string, OfType> counted;
  for (const DiskCacheEntry& entry : entries) {
    ++counted[entry.type_id].entries;
    counted[entry.type_id].bytes += entry.bytes;
  }
  auto types = nlohmann::json::object();
  for (const auto& [type, counts] : counted) types[type] = {{"entries", counts.entries}, {"bytes", counts.bytes}};
  return {{"kind", "disk"},
          {"directory", folder},
          {"segments", summary.segments},
          {"unreadable_segments", summary.unreadable_segments},
          {"entries", summary.entries},
          {"disk_bytes", summary.allocated_bytes},
          {"types", std::move(types)}};
}

void PrintDiskStats(const nlohmann::json& stats) {
  fmt::print("{}\n  {} entries in {} segments, {} on disk\n", stats["directory"].get<std::string>(),
             stats["entries"].get<uint64_t>(), stats["segments"].get<uint64_t>(),
             HumanBytes(stats["disk_bytes"].get<uint64_t>()));
  if (stats["unreadable_segments"] > 0) {
    fmt::print("  {} segments cannot be read\n", stats["unreadable_segments"].get<uint64_t>());
  }
  for (const auto& [type, counts] : stats["types"].items()) {
    fmt::print("  {:>8}  {:>10}  {}\n", counts["entries"].get<uint64_t>(), HumanBytes(counts["bytes"].get<uint64_t>()),
               type);
  }
}

/// Of a cache that cannot be listed: whether it answers.
struct ProbeKey {
  using Value = IvfIndexState;
  static constexpr std::string_view kTypeId = "fewter.cli.ProbeKey";
  static CacheCodec Codec() { return CacheCodec::For<IvfIndexState>(); }
  void AppendFields(KeyWriter&) const {}
};

arrow::Status ShowStats(const CacheOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto places, LastingPlaces(options.place));
  auto all = nlohmann::json::array();
  arrow::Status health;
  for (const CachePlace& place : places) {
    if (!place.folder.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto summary, SummariseDiskCache(place.folder));
      ARROW_ASSIGN_OR_RAISE(const auto entries, ListDiskCache(place.folder));
      all.push_back(DiskStatsJson(place.folder, summary, entries));
      if (!options.json) PrintDiskStats(all.back());
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto backend, Open(place));
    Cache(backend).Get(ProbeKey());
    all.push_back(CacheStatsJson(*backend)["tiers"].front());
    if (!options.json) fmt::print("{}: {}\n", backend->kind(), ToString(backend->Report().front().health.state));
    health &= CheckHealth(*backend);
  }
  if (options.json) fmt::print("{}\n", all.dump());
  return health;
}

// ---- ls ----

arrow::Status List(const CacheOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto folders, FoldersOf(options.place, "listed"));
  for (const std::string& folder : folders) {
    ARROW_ASSIGN_OR_RAISE(const auto entries, ListDiskCache(folder));
    if (!options.json) fmt::print("{:>8}  {:>10}  {:<32}  {}\n", "heat", "bytes", "type", "namespace");
    for (const DiskCacheEntry& entry : entries) {
      if (options.json) {
        const nlohmann::json line = {{"namespace", entry.name_space}, {"type", entry.type_id},
                                     {"bytes", entry.bytes},          {"heat", entry.heat},
                                     {"segment", entry.segment},      {"offset", entry.offset}};
        fmt::print("{}\n", line.dump());
      } else {
        fmt::print("{:>8.2f}  {:>10}  {:<32}  {}\n", entry.heat, entry.bytes, entry.type_id, entry.name_space);
      }
    }
  }
  return arrow::Status::OK();
}

// ---- verify ----

arrow::Status Verify(const CacheOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto folders, FoldersOf(options.place, "verified"));
  size_t problems = 0;
  for (const std::string& folder : folders) {
    ARROW_ASSIGN_OR_RAISE(const auto result, VerifyDiskCache(folder));
    problems += result.problems.size();
    auto listed = nlohmann::json::array();
    for (const auto& problem : result.problems) {
      listed.push_back({{"file", problem.file}, {"offset", problem.offset}, {"what", problem.what}});
      if (!options.json) fmt::print("{} at {}: {}\n", problem.file, problem.offset, problem.what);
    }
    if (options.json) {
      const nlohmann::json line = {{"directory", folder},
                                   {"segments", result.segments},
                                   {"intact_entries", result.intact_entries},
                                   {"corrupt_entries", result.corrupt_entries},
                                   {"problems", std::move(listed)}};
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("{}: {} segments, {} entries intact, {} corrupt\n", folder, result.segments, result.intact_entries,
                 result.corrupt_entries);
    }
  }
  if (problems > 0) return arrow::Status::Invalid("the cache has ", problems, " damaged parts; they are not used");
  return arrow::Status::OK();
}

// ---- clear ----

arrow::Status Clear(const CacheOptions& options) {
  if (options.index) ARROW_RETURN_NOT_OK(CheckUuid(*options.index));
  ARROW_ASSIGN_OR_RAISE(const auto places, LastingPlaces(options.place));
  for (const CachePlace& place : places) {
    // Opening makes a folder that is missing, or refuses one that is not a cache.
    if (!place.folder.empty()) ARROW_RETURN_NOT_OK(SummariseDiskCache(place.folder).status());
    ARROW_ASSIGN_OR_RAISE(const auto backend, Open(place));
    Cache cache(backend);
    if (options.index) cache = cache.Child("index").Child(*options.index);
    cache.Invalidate();
    backend->Flush();
    ARROW_RETURN_NOT_OK(CheckHealth(*backend));
    if (DiskActivityOf(*backend).invalidations_pending > 0) {
      return arrow::Status::IOError("'", place.folder, "' was not cleared: another process is changing it; try again");
    }
  }
  return arrow::Status::OK();
}

// ---- prewarm ----

struct PrewarmOptions {
  StoreChoice store;
  std::string column;
  std::string index;
  std::string cache = kDefaultCache;
  std::string max_bytes;
  std::string bandwidth;
  bool strict = false;
  bool json = false;
};

void ShowProgress(const PrewarmProgress& progress, ProgressLine* line) {
  line->Show(progress.partitions_done, progress.partitions,
             fmt::format("{} of {} partitions, {} read", progress.partitions_done, progress.partitions,
                         HumanBytes(progress.bytes_read)));
}

arrow::Result<PrewarmLimits> LimitsOf(const PrewarmOptions& options) {
  PrewarmLimits limits;
  if (!options.max_bytes.empty()) {
    ARROW_ASSIGN_OR_RAISE(const int64_t bytes, ParseByteSize(options.max_bytes));
    limits.max_bytes = static_cast<uint64_t>(bytes);
  }
  if (!options.bandwidth.empty()) {
    ARROW_ASSIGN_OR_RAISE(const int64_t bytes, ParseByteSize(options.bandwidth));
    limits.bytes_per_second = static_cast<uint64_t>(bytes);
  }
  return limits;
}

arrow::Status Prewarm(const PrewarmOptions& options) {
  if (options.cache == "none") return ArgumentError("'none' keeps nothing, so that there is nothing to prewarm");
  ARROW_ASSIGN_OR_RAISE(PrewarmLimits limits, LimitsOf(options));
  ARROW_ASSIGN_OR_RAISE(auto backend, OpenCache(options.cache));
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenDataset(options.store, std::move(backend)));
  const auto mode = options.strict ? PrewarmMode::kStrict : PrewarmMode::kBestEffort;
  auto progress_line = std::make_optional<ProgressLine>();
  limits.progress = [&](const PrewarmProgress& progress) { ShowProgress(progress, &*progress_line); };
  ARROW_ASSIGN_OR_RAISE(const auto report, dataset->Prewarm(options.column, options.index, mode, limits));
  progress_line.reset();
  const auto io = dataset->io_stats().total();
  if (options.json) {
    auto resident = nlohmann::json::object();
    for (const auto& [tier, count] : report.resident) resident[tier] = count;
    const nlohmann::json line = {{"partitions", report.partitions}, {"loaded", report.loaded},
                                 {"failed", report.failed},         {"resident", std::move(resident)},
                                 {"requests", io.requests},         {"bytes", io.bytes}};
    fmt::print("{}\n", line.dump());
  } else {
    fmt::print("{} partitions, {} read now ({} {}, {})\n", report.partitions, report.loaded, io.requests,
               io.requests == 1 ? "request" : "requests", HumanBytes(io.bytes));
    for (const auto& [tier, count] : report.resident) fmt::print("{:>8} in {}\n", count, tier);
    if (report.failed > 0) fmt::print("{:>8} failed: {}\n", report.failed, report.first_error.message());
  }
  // Best effort: what kept a tier from taking part is said, and is no failure.
  for (const TierReport& tier : dataset->session().cache().backend()->Report()) {
    if (tier.health.state == TierState::kHealthy || report.ResidentIn(tier.kind) == report.partitions) continue;
    WarnOf(tier);
  }
  return arrow::Status::OK();
}

CLI::App* AddPlaceCommand(CLI::App* app, const char* name, const char* description, const char* example, Action* action,
                          const std::shared_ptr<CacheOptions>& options, arrow::Status (*run)(const CacheOptions&)) {
  CLI::App* command = app->add_subcommand(name, description);
  command->add_option("cache", options->place, "A folder, or the URI of a cache [the user's cache folder]")
      ->envname(kCacheVariable);
  command->footer(fmt::format("Example: fewter cache {}{}", name, example));
  command->callback([=] { *action = [=] { return run(*options); }; });
  return command;
}

void AddPrewarmCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<PrewarmOptions>();
  CLI::App* command = app->add_subcommand("prewarm", "Brings every part of an index into a cache");
  AddStoreOptions(command, &options->store);
  command->add_option("--column", options->column, "The vector column")->type_name("NAME")->required();
  command->add_option("--index", options->index, "The index, if the column has several")->type_name("NAME");
  command->add_option("--cache", options->cache, "The cache's URI [memory over the user's cache folder]")
      ->type_name("URI")
      ->envname(kCacheVariable);
  command->add_option("--max-bytes", options->max_bytes, "Read at most about so much of each segment, e.g. 10GiB [all]")
      ->type_name("BYTES");
  command->add_option("--bandwidth", options->bandwidth, "Read at most so much a second, e.g. 100MiB [no limit]")
      ->type_name("BYTES");
  command->add_flag("--strict", options->strict, "Fail if a part could not be read or did not stay");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer("Example: fewter cache prewarm examples/packages.lance --column vector");
  command->callback([=] { *action = [options] { return Prewarm(*options); }; });
}

}  // namespace

void AddCacheCommand(CLI::App* app, Action* action) {
  CLI::App* cache = app->add_subcommand("cache", "Looks into caches, fills and empties them");
  cache->require_subcommand(1);
  cache->footer("Example: fewter cache stats");
  auto options = std::make_shared<CacheOptions>();
  AddPlaceCommand(cache, "stats", "What a cache holds, and how it is", " redis://127.0.0.1:6379", action, options,
                  ShowStats)
      ->add_flag("--json", options->json, "Print one JSON array, an object for each tier");
  AddPlaceCommand(cache, "ls", "Every entry of a disk cache, hottest first", " --json", action, options, List)
      ->add_flag("--json", options->json, "Print one JSON object an entry");
  AddPlaceCommand(cache, "verify", "Compares every byte of a disk cache with its checksums", " /tmp/index-cache",
                  action, options, Verify)
      ->add_flag("--json", options->json, "Print one JSON object");
  AddPlaceCommand(cache, "clear", "Drops all entries, or those of one index", " /tmp/index-cache", action, options,
                  Clear)
      ->add_option("--index", options->index, "The UUID of an index (see fewter info); only its entries are dropped")
      ->type_name("UUID");
  AddPrewarmCommand(cache, action);
}

}  // namespace fewter::cli
