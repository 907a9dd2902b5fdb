/// One step after another on a dataset, each when a line on standard input asks for it:
///
///     steps URI [KEY=VALUE…]
///
/// "open", "take IDS_FILE COUNT COLUMN,…" (takes COUNT rows at a time, by the ids in a file of 64-bit numbers) and
/// "scan COLUMN,…"; the answer to each is one line of JSON: the median time of one take, or that of the scan, and how
/// many rows came.

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <arrow/record_batch.h>

#include "fewter/dataset/dataset.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Answer {
  double seconds = 0;
  int64_t rows = 0;
};

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream stream(list);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

std::vector<uint64_t> ReadIds(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  std::vector<uint64_t> ids(bytes.size() / sizeof(uint64_t));
  std::memcpy(ids.data(), bytes.data(), ids.size() * sizeof(uint64_t));
  return ids;
}

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Steps {
 public:
  explicit Steps(const std::vector<std::string>& arguments) : uri_(arguments[0]) {
    for (size_t i = 1; i < arguments.size(); ++i) {
      const size_t equals = arguments[i].find('=');
      options_.storage_options[arguments[i].substr(0, equals)] = arguments[i].substr(equals + 1);
    }
  }

  arrow::Result<Answer> Take(const std::string& file, size_t count, const std::vector<std::string>& columns) const {
    const std::vector<uint64_t> ids = ReadIds(file);
    std::vector<double> seconds;
    Answer answer;
    for (size_t begin = 0; begin + count <= ids.size(); begin += count) {
      const auto start = Clock::now();
      ARROW_ASSIGN_OR_RAISE(const auto taken, dataset_->Take(std::span(ids).subspan(begin, count), columns));
      seconds.push_back(SecondsSince(start));
      answer.rows += taken->num_rows();
    }
    if (seconds.empty()) return arrow::Status::Invalid(file, " has fewer than ", count, " ids");
    std::sort(seconds.begin(), seconds.end());
    answer.seconds = seconds[seconds.size() / 2];
    return answer;
  }

  arrow::Result<Answer> Scan(const std::vector<std::string>& columns) const {
    Answer answer;
    const auto start = Clock::now();
    ARROW_ASSIGN_OR_RAISE(const auto reader, dataset_->Scan({.columns = columns}));
    for (std::shared_ptr<arrow::RecordBatch> batch;;) {
      ARROW_RETURN_NOT_OK(reader->ReadNext(&batch));
      if (batch == nullptr) break;
      answer.rows += batch->num_rows();
    }
    answer.seconds = SecondsSince(start);
    return answer;
  }

  arrow::Result<Answer> Step(const std::string& line) {
    std::istringstream words(line);
    std::string what, file, columns;
    words >> what;
    if (what == "open") {
      const auto start = Clock::now();
      ARROW_ASSIGN_OR_RAISE(dataset_, fewter::Dataset::Open(uri_, options_));
      return Answer{SecondsSince(start), 0};
    }
    if (what == "take") {
      size_t count = 0;
      words >> file >> count >> columns;
      return Take(file, count, Split(columns));
    }
    words >> columns;
    return Scan(Split(columns));
  }

 private:
  const std::string uri_;
  fewter::DatasetOptions options_;
  std::shared_ptr<fewter::Dataset> dataset_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: steps URI [KEY=VALUE...]\n");
    return 2;
  }
  Steps steps({argv + 1, argv + argc});
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = steps.Step(line);
    if (!answer.ok()) {
      fmt::print(stderr, "steps: {}\n", answer.status().ToString());
      return 1;
    }
    fmt::print("{{\"seconds\":{},\"rows\":{}}}\n", answer->seconds, answer->rows);
    std::fflush(stdout);
  }
  return 0;
}
