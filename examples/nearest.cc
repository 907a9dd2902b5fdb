/// Finds the Python packages whose summaries are nearest in meaning to a few sentences, cold and warm.
///
///     nearest examples          (the folder that holds packages.lance)

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "fewter/dataset/dataset.h"

namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> ReadLines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// The sentences' embeddings: float32, one after another behind numpy's header of 128 bytes.
arrow::Result<std::vector<std::vector<float>>> ReadVectors(const std::string& path, size_t count, size_t dimension) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(128);
  std::vector<std::vector<float>> vectors(count, std::vector<float>(dimension));
  for (auto& vector : vectors) {
    file.read(reinterpret_cast<char*>(vector.data()), static_cast<std::streamsize>(dimension * sizeof(float)));
  }
  if (!file) return arrow::Status::IOError("cannot read ", count, " vectors from ", path);
  return vectors;
}

/// Runs all queries; prints what they took and read.
arrow::Result<std::vector<fewter::SearchResult>> RunAll(const char* label, const fewter::Dataset& dataset,
                                                        const std::vector<std::vector<float>>& queries) {
  const auto before = dataset.io_stats();
  const auto start = Clock::now();
  std::vector<fewter::SearchResult> results;
  for (const auto& query : queries) {
    ARROW_ASSIGN_OR_RAISE(auto result, dataset.Search({.column = "vector", .query = query, .k = 5, .nprobes = 8}));
    results.push_back(std::move(result));
  }
  const std::chrono::duration<double, std::milli> elapsed = Clock::now() - start;
  const auto io = (dataset.io_stats() - before).total();
  std::printf("%s cache: %.3f ms a query; together they made %llu requests and read %llu bytes\n", label,
              elapsed.count() / static_cast<double>(queries.size()), static_cast<unsigned long long>(io.requests),
              static_cast<unsigned long long>(io.bytes));
  return results;
}

arrow::Status Run(const std::string& folder) {
  const auto names = ReadLines(folder + "/packages_names.txt");
  const auto sentences = ReadLines(folder + "/packages_queries.txt");
  ARROW_ASSIGN_OR_RAISE(const auto queries, ReadVectors(folder + "/packages_queries.npy", sentences.size(), 384));

  ARROW_ASSIGN_OR_RAISE(auto dataset, fewter::Dataset::Open(folder + "/packages.lance"));
  ARROW_ASSIGN_OR_RAISE(const auto results, RunAll("cold", *dataset, queries));
  ARROW_RETURN_NOT_OK(RunAll("warm", *dataset, queries).status());
  for (size_t i = 0; i < sentences.size(); ++i) {
    std::printf("\n\"%s\"\n", sentences[i].c_str());
    for (const auto& row : results[i].rows) {
      // The dataset has one fragment, so that a row id is a line of the file of names.
      std::printf("  %.3f  %s\n", row.distance, row.row_id < names.size() ? names[row.row_id].c_str() : "?");
    }
  }
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  const arrow::Status status = Run(argc > 1 ? argv[1] : "examples");
  if (!status.ok()) std::cerr << "nearest: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
