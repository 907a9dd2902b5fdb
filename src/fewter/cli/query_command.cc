#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/choice_option.h"
#include "fewter/cli/commands.h"
#include "fewter/cli/decimal_number.h"
#include "fewter/cli/json_text.h"
#include "fewter/cli/npy.h"
#include "fewter/cli/rows_choice.h"
#include "fewter/cli/stats_output.h"
#include "fewter/cli/store_choice.h"
#include "fewter/cli/text_table.h"
#include "fewter/dataset/dataset.h"
#include "fewter/dataset/row_reader.h"
#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

struct QueryOptions {
  StoreChoice store;
  std::string vector_file;
  std::optional<uint64_t> row;
  std::string filter;
  SearchRequest request;
  std::string cache = kDefaultCache;
  bool json = false;
  bool stats = false;
};

using Clock = std::chrono::steady_clock;

arrow::Result<std::vector<std::vector<float>>> ReadQueries(const QueryOptions& options, const Dataset& dataset) {
  std::vector<std::vector<float>> queries;
  if (options.row) {
    ARROW_ASSIGN_OR_RAISE(auto vector, dataset.ReadVector(options.request.column, *options.row));
    queries.push_back(std::move(vector));
    return queries;
  }
  // All of them are looked at before the first answer is printed, so that there are answers to all or to none.
  return ReadVectors(options.vector_file);
}

arrow::Status PrintRows(size_t query, size_t num_queries, const SearchResult& result) {
  if (num_queries > 1) fmt::print("query {}\n", query);
  TextTable table;
  for (const char* header : {"", "_rowid", "_distance"}) table.AddColumn(header, true);
  if (result.columns != nullptr) table.AddColumns(*result.columns->schema());
  for (size_t i = 0; i < result.rows.size(); ++i) {
    const Neighbor& row = result.rows[i];
    table.AddRow({fmt::format("{}", i + 1), fmt::format("{}", row.row_id), fmt::format("{:.6g}", row.distance)});
    if (result.columns != nullptr) ARROW_RETURN_NOT_OK(table.AddCells(*result.columns, static_cast<int64_t>(i)));
  }
  table.PrintReadable(stdout);
  return arrow::Status::OK();
}

/// Written by hand rather than by the JSON library so that the float keeps its own shortest form.
arrow::Status PrintRowsJson(size_t query, const SearchResult& result) {
  std::string line = fmt::format("{{\"query\":{},\"rows\":[", query);
  for (size_t i = 0; i < result.rows.size(); ++i) {
    line += fmt::format("{}{{\"_rowid\":{},\"_distance\":", i == 0 ? "" : ",", result.rows[i].row_id);
    AppendJsonNumber(result.rows[i].distance, &line);
    if (result.columns != nullptr) {
      line += ',';
      ARROW_RETURN_NOT_OK(AppendJsonMembers(*result.columns, static_cast<int64_t>(i), &line));
    }
    line += '}';
  }
  fmt::print("{}]}}\n", line);
  return arrow::Status::OK();
}

void PrintStats(const QueryOptions& options, double seconds, const Dataset& dataset) {
  const lance::IoStats io = dataset.io_stats();
  const CacheBackend& cache = *dataset.session().cache().backend();
  if (options.json) {
    const nlohmann::json stats = {{"seconds", seconds}, {"io", IoStatsJson(io)}, {"cache", CacheStatsJson(cache)}};
    fmt::print("{}\n", nlohmann::json{{"stats", stats}}.dump());
    return;
  }
  fmt::print("\n{:.3f} ms\n", seconds * 1e3);
  PrintIoStats(io);
  PrintCacheStats(cache);
}

arrow::Status RunQuery(const QueryOptions& options) {
  const auto start = Clock::now();
  const SearchRequest& asked = options.request;
  if (asked.max_nprobes != 0 && asked.max_nprobes < asked.nprobes) {
    return ArgumentError("--max-nprobes ", asked.max_nprobes, " is less than --nprobes ", asked.nprobes);
  }
  if (asked.distance_from && asked.distance_below && *asked.distance_from >= *asked.distance_below) {
    return ArgumentError(fmt::format("--distance-from {} leaves nothing below --distance-below {}",
                                     *asked.distance_from, *asked.distance_below));
  }
  ARROW_ASSIGN_OR_RAISE(const auto filter, ReadFilter(options.filter));
  ARROW_ASSIGN_OR_RAISE(auto backend, OpenCache(options.cache));
  ARROW_ASSIGN_OR_RAISE(auto dataset, OpenDataset(options.store, std::move(backend)));
  ARROW_ASSIGN_OR_RAISE(const auto queries, ReadQueries(options, *dataset));
  SearchRequest request = options.request;
  request.filter = filter;
  // These two there are anyway.
  std::erase(request.columns, RowReader::kRowId);
  std::erase(request.columns, SearchResult::kDistance);
  for (size_t i = 0; i < queries.size(); ++i) {
    request.query = queries[i];
    ARROW_ASSIGN_OR_RAISE(const auto result, dataset->Search(request));
    ARROW_RETURN_NOT_OK(options.json ? PrintRowsJson(i, result) : PrintRows(i, queries.size(), result));
  }
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  // The answers are out; what was read now is for the next run.
  if (std::fflush(stdout) != 0) return arrow::Status::IOError("cannot write to standard output");
  dataset->session().cache().backend()->Flush();
  dataset->session().data_cache().backend()->Flush();
  if (options.stats) PrintStats(options, elapsed.count(), *dataset);
  WarnOfUnhealthyTiers(dataset->session());
  return arrow::Status::OK();
}

std::map<std::string, Metric> MetricNames() {
  std::map<std::string, Metric> names;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kHamming}) {
    names.emplace(ToString(metric), metric);
  }
  return names;
}

/// How to search.
void AddSearchOptions(CLI::App* command, SearchRequest* request) {
  const auto add_number = [&](const char* name, auto* value, const char* description, const char* type, int64_t least) {
    constexpr int64_t kMost = std::numeric_limits<std::decay_t<decltype(*value)>>::max();
    return command->add_option(name, *value, description)->type_name(type)->transform(DecimalNumber(least, kMost));
  };
  add_number("-k", &request->k, "How many rows to return", "K", 1)->capture_default_str();
  add_number("--nprobes", &request->nprobes, "How many partitions to search", "N", 1)->capture_default_str();
  add_number("--max-nprobes", &request->max_nprobes,
             "How many to search at most, while fewer than K rows are found [as --nprobes]", "N", 0);
  add_number("--ef", &request->ef, "HNSW: candidates to keep on the way [1.5 K]", "N", 0);
  add_number("--refine", &request->refine_factor,
             "Take this many times K rows from the index and order them by exact distances", "N", 0);
  command->add_option("--distance-from", request->distance_from, "Only rows at this distance or farther")
      ->type_name("DISTANCE")
      ->check(Number());
  command->add_option("--distance-below", request->distance_below, "Only rows nearer than this")
      ->type_name("DISTANCE")
      ->check(Number());
  AddChoice(command, "--metric", &request->metric, MetricNames(), "How distances are measured [the index's]");
  AddChoice(command, "--approx-mode", &request->approx_mode,
            std::map<std::string, ApproxMode>{
                {"normal", ApproxMode::kNormal}, {"fast", ApproxMode::kFast}, {"accurate", ApproxMode::kAccurate}},
            "How good estimates of RaBitQ are [normal]");
  add_number("--query-parallelism", &request->query_parallelism,
             "Threads that search partitions; -1 for one a processor [1]", "N", -1);
  command->add_flag("--exact{false}", request->use_index, "Compare every row instead of asking an index");
  command->add_option("--index", request->index, "The index to use, if the column has several")->type_name("NAME");
  command->add_flag("--fast-search", request->indexed_rows_only, "Leave out rows that no index covers");
}

}  // namespace

void AddQueryCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<QueryOptions>();
  CLI::App* command = app->add_subcommand("query", "Finds the rows nearest to a vector");
  AddStoreOptions(command, &options->store);
  command->add_option("--column", options->request.column, "The vector column")->type_name("NAME")->required();
  AddColumnsOption(command, &options->request.columns, "What to return of each row, separated by commas");
  auto* filter = AddFilterOption(command, &options->filter);
  command
      ->add_flag("--filter-after", options->request.filter_after,
                 "Look for the nearest of all rows, and return those of them that pass the filter")
      ->needs(filter);
  auto* query = command->add_option_group("What to look for");
  query->add_option("--vector", options->vector_file, "A .npy file of one vector or a matrix of them")
      ->type_name("FILE");
  query->add_option("--row", options->row, "The vector of this row of the dataset")
      ->type_name("N")
      ->transform(DecimalNumber(0));
  query->require_option(1);
  AddSearchOptions(command, &options->request);
  command
      ->add_option("--cache", options->cache,
                   "Where index parts are kept: memory://?capacity=512MiB, disk:///folder?capacity=20GiB,\n"
                   "redis://host:6379, several of them separated by commas, or none\n"
                   "[memory over the user's cache folder on disk, at most 5 GiB]")
      ->type_name("URI")
      ->envname(kCacheVariable);
  command->add_flag("--json", options->json, "Print one JSON object a query");
  command->add_flag("--stats", options->stats, "Print time, requests and cache counts at the end");
  command->footer(
      "Example: fewter query examples/packages.lance --column vector --row 0 -k 5 --nprobes 8 --columns name");
  command->callback([=] { *action = [options] { return RunQuery(*options); }; });
}

}  // namespace fewter::cli
