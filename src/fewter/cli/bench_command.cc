#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/decimal_number.h"
#include "fewter/cli/npy.h"
#include "fewter/cli/search_timing.h"
#include "fewter/cli/store_choice.h"

namespace fewter::cli {

namespace {

struct BenchOptions {
  StoreChoice store;
  std::string column;
  std::string queries_file;
  std::string truth_file;
  std::optional<uint32_t> k;
  std::vector<uint32_t> nprobes = {20};
  /// Empty if not given.
  std::vector<uint32_t> efs;
  std::vector<uint32_t> refine_factors;
  std::vector<uint32_t> threads = {1};
  std::string cache = kDefaultCache;
  bool json = false;
};

/// One combination of what a search can be told, with what it found.
struct Setting {
  SearchRequest request;
  double recall = 0;
};

/// All combinations, the last option's values changing fastest.
std::vector<Setting> SettingsOf(const BenchOptions& options) {
  // An option that was not given has the value that SearchRequest has without it.
  const std::vector<uint32_t> not_given = {0};
  std::vector<Setting> settings;
  for (const uint32_t nprobes : options.nprobes) {
    for (const uint32_t ef : options.efs.empty() ? not_given : options.efs) {
      for (const uint32_t refine : options.refine_factors.empty() ? not_given : options.refine_factors) {
        SearchRequest request{.column = options.column, .nprobes = nprobes, .ef = ef, .refine_factor = refine};
        request.k = options.k.value_or(request.k);
        settings.push_back({.request = std::move(request)});
      }
    }
  }
  return settings;
}

void PrintHead(const BenchOptions& options) {
  if (options.json) return;
  fmt::print("{:>7}", "nprobes");
  if (!options.efs.empty()) fmt::print("  {:>5}", "ef");
  if (!options.refine_factors.empty()) fmt::print("  {:>6}", "refine");
  fmt::print("  {:>7}  {:>10}  {:>10}  {:>10}", "threads", "p50 µs", "p99 µs", "queries/s");
  if (!options.truth_file.empty()) fmt::print("  {:>7}", "recall");
  fmt::print("\n");
}

void PrintLine(const BenchOptions& options, const Setting& setting, uint32_t threads, const SearchTiming& timing) {
  const SearchRequest& request = setting.request;
  fmt::print("{:>7}", request.nprobes);
  if (!options.efs.empty()) fmt::print("  {:>5}", request.ef);
  if (!options.refine_factors.empty()) fmt::print("  {:>6}", request.refine_factor);
  fmt::print("  {:>7}  {:>10.1f}  {:>10.1f}  {:>10.0f}", threads, timing.p50_us, timing.p99_us,
             timing.queries_per_second);
  if (!options.truth_file.empty()) fmt::print("  {:>7.4f}", setting.recall);
  fmt::print("\n");
}

/// What measuring can tell apart is far less.
double Tenths(double value) {
  return std::round(value * 10) / 10;
}

void PrintJson(const BenchOptions& options, const Setting& setting, uint32_t threads, const SearchTiming& timing) {
  const SearchRequest& request = setting.request;
  nlohmann::ordered_json line;
  if (options.k) line["k"] = request.k;
  line["nprobes"] = request.nprobes;
  if (!options.efs.empty()) line["ef"] = request.ef;
  if (!options.refine_factors.empty()) line["refine"] = request.refine_factor;
  line["threads"] = threads;
  line["p50_us"] = Tenths(timing.p50_us);
  line["p99_us"] = Tenths(timing.p99_us);
  line["qps"] = Tenths(timing.queries_per_second);
  if (!options.truth_file.empty()) line["recall"] = setting.recall;
  fmt::print("{}\n", line.dump());
}

/// Loads what the searches need, and fills in the settings' recall. A setting that cannot be searched ends it here,
/// before the first line is printed.
arrow::Status WarmUp(const Dataset& dataset, Queries queries, const NearestRows& truth,
                     std::vector<Setting>* settings) {
  for (Setting& setting : *settings) {
    ARROW_ASSIGN_OR_RAISE(setting.recall, MeasureRecall(dataset, setting.request, queries, truth));
  }
  // What was read is written to slower tiers in the background; that would be measured, too.
  dataset.session().cache().backend()->Flush();
  WarnOfUnhealthyTiers(dataset.session());
  return arrow::Status::OK();
}

arrow::Status RunBench(const BenchOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto queries, ReadVectors(options.queries_file));
  ARROW_ASSIGN_OR_RAISE(auto backend, OpenCache(options.cache));
  ARROW_ASSIGN_OR_RAISE(auto dataset, OpenDataset(options.store, std::move(backend)));
  std::vector<Setting> settings = SettingsOf(options);
  NearestRows truth;
  if (!options.truth_file.empty()) {
    const uint32_t k = settings.front().request.k;
    ARROW_ASSIGN_OR_RAISE(truth, ReadTruth(options.truth_file, *dataset, queries.size(), k));
  }
  ARROW_RETURN_NOT_OK(WarmUp(*dataset, queries, truth, &settings));
  PrintHead(options);
  for (const Setting& setting : settings) {
    for (const uint32_t threads : options.threads) {
      ARROW_ASSIGN_OR_RAISE(const auto timing, TimeSearches(*dataset, setting.request, queries, threads));
      (options.json ? PrintJson : PrintLine)(options, setting, threads, timing);
      if (std::fflush(stdout) != 0) return arrow::Status::IOError("cannot write to standard output");
    }
  }
  return arrow::Status::OK();
}

/// An option that takes numbers separated by commas.
CLI::Option* AddList(CLI::App* command, const std::string& name, std::vector<uint32_t>* list,
                     const CLI::Validator& numbers, const std::string& description) {
  return command->add_option(name, *list, description)
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->transform(numbers);
}

}  // namespace

void AddBenchCommand(CLI::App* app, Action* action) {
  const CLI::Validator any = DecimalNumber32(1);
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app->add_subcommand("bench", "Measures how fast an index answers, and how well");
  AddStoreOptions(command, &options->store);
  command->add_option("--column", options->column, "The vector column")->type_name("NAME")->required();
  command->add_option("--queries", options->queries_file, "A .npy file of vectors to look for")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--truth", options->truth_file,
                   "A .npy file of the rows that are nearest to each of them, by their number in the dataset")
      ->type_name("FILE");
  command->add_option("-k", options->k, "How many rows to find [10]")->type_name("K")->transform(any);
  AddList(command, "--nprobes", &options->nprobes, any, "How many partitions to search, such as 1,5,20")
      ->capture_default_str();
  AddList(command, "--ef", &options->efs, any, "HNSW: candidates to keep on the way [1.5 K]");
  AddList(command, "--refine", &options->refine_factors, any,
          "Take this many times K rows from the index and order them by exact distances");
  AddList(command, "--threads", &options->threads, DecimalNumber(1, 1024), "How many callers search at once")
      ->capture_default_str();
  command->add_option("--cache", options->cache, "Where index parts are kept, as for query")
      ->type_name("URI")
      ->envname(kCacheVariable);
  command->add_flag("--json", options->json, "Print one JSON object a setting");
  command->footer(
      "Example: fewter bench examples/packages.lance --column vector --queries examples/packages_queries.npy -k 10\n"
      "           --nprobes 1,4,16 --threads 1,2");
  command->callback([=] { *action = [options] { return RunBench(*options); }; });
}

}  // namespace fewter::cli
