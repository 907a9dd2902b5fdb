/// One step after another on a dataset, each when a line on standard input asks for it, so that who watches the store
/// can tell what each of them sent:
///
///     steps URI COLUMN QUERIES.npy K NPROBES CACHE_FOLDER [KEY=VALUE…]
///
/// "open", "open VERSION", "query I", "columns I" (the query with two columns), "refine I" and "prewarm"; the answer to
/// each is one line of JSON: the time that it took, and the row ids of a query.

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "fewter/cli/cache_choice.h"
#include "fewter/cli/npy.h"
#include "fewter/dataset/dataset.h"

namespace {

using Clock = std::chrono::steady_clock;

class Steps {
 public:
  explicit Steps(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  arrow::Status Run() {
    ARROW_ASSIGN_OR_RAISE(queries_, fewter::cli::ReadNpy(arguments_[2]));
    ARROW_ASSIGN_OR_RAISE(auto cache, fewter::cli::OpenCache(arguments_[5]));
    options_.session = fewter::Session::Make({.cache = std::move(cache)});
    for (size_t i = 6; i < arguments_.size(); ++i) {
      const size_t equals = arguments_[i].find('=');
      options_.storage_options[arguments_[i].substr(0, equals)] = arguments_[i].substr(equals + 1);
    }
    for (std::string line; std::getline(std::cin, line);) {
      const auto start = Clock::now();
      std::vector<uint64_t> rows;
      ARROW_RETURN_NOT_OK(Step(line, &rows));
      const std::chrono::duration<double> elapsed = Clock::now() - start;
      // What tiers write behind is for the next process.
      options_.session->cache().backend()->Flush();
      fmt::print("{{\"seconds\":{},\"rows\":[{}]}}\n", elapsed.count(), fmt::join(rows, ","));
      std::fflush(stdout);
    }
    return arrow::Status::OK();
  }

 private:
  arrow::Status Step(const std::string& line, std::vector<uint64_t>* rows) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (what == "open") {
      uint64_t version = 0;
      if (words >> version) options_.version = version;
      return fewter::Dataset::Open(arguments_[0], options_).Value(&dataset_);
    }
    if (what == "prewarm") return dataset_->Prewarm(arguments_[1], "", fewter::PrewarmMode::kStrict).status();
    uint64_t query = 0;
    words >> query;
    fewter::SearchRequest request{.column = arguments_[1], .query = queries_.Row(query)};
    request.k = static_cast<uint32_t>(std::atoi(arguments_[3].c_str()));
    request.nprobes = static_cast<uint32_t>(std::atoi(arguments_[4].c_str()));
    if (what == "refine") request.refine_factor = 5;
    if (what == "columns") request.columns = {"title", "number"};
    ARROW_ASSIGN_OR_RAISE(const auto result, dataset_->Search(request));
    for (const auto& row : result.rows) rows->push_back(row.row_id);
    return arrow::Status::OK();
  }

  const std::vector<std::string> arguments_;
  fewter::cli::Matrix queries_;
  fewter::DatasetOptions options_;
  std::shared_ptr<fewter::Dataset> dataset_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    fmt::print(stderr, "usage: steps URI COLUMN QUERIES.npy K NPROBES CACHE_FOLDER [KEY=VALUE...]\n");
    return 2;
  }
  const arrow::Status status = Steps({argv + 1, argv + argc}).Run();
  if (!status.ok()) fmt::print(stderr, "steps: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
