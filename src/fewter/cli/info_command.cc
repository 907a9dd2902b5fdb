#include <fmt/core.h>
#include <fmt/ranges.h>

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "fewter/cli/commands.h"
#include "fewter/cli/stats_output.h"
#include "fewter/cli/store_choice.h"
#include "fewter/dataset/dataset.h"
#include "fewter/lance/schema.h"
#include "fewter/util/status_text.h"

namespace fewter::cli {

namespace {

struct InfoOptions {
  StoreChoice store;
  bool json = false;
};

nlohmann::json FileJson(const IndexFileReference& file) {
  return nlohmann::json::object({{"path", file.path}, {"bytes", file.size}});
}

nlohmann::json SegmentJson(const SegmentDescription& segment) {
  return {{"uuid", segment.uuid},
          {"dataset_version", segment.dataset_version},
          {"fragments", segment.fragments},
          {"type", segment.index_type},
          {"metric", ToString(segment.metric)},
          {"dimension", segment.dimension},
          {"partitions", segment.num_partitions},
          {"empty_partitions", segment.empty_partitions},
          {"largest_partition", segment.largest_partition},
          {"rows", segment.num_rows},
          {"storage", segment.storage},
          {"files", nlohmann::json::array({FileJson(segment.index_file), FileJson(segment.storage_file)})}};
}

/// The indexes that can be described, and why the others cannot.
arrow::Result<nlohmann::json> IndexesJson(const Dataset& dataset) {
  auto indexes = nlohmann::json::array();
  for (const auto& name : dataset.VectorIndexNames()) {
    nlohmann::json index = {{"name", name}};
    auto described = dataset.DescribeIndex(name);
    if (described.ok()) {
      index["segments"] = nlohmann::json::array();
      for (const auto& segment : *described) index["segments"].push_back(SegmentJson(segment));
    } else {
      index["error"] = MessageWithReason(described.status());
    }
    indexes.push_back(std::move(index));
  }
  return indexes;
}

nlohmann::json FragmentsJson(const lance::Manifest& manifest) {
  auto fragments = nlohmann::json::array();
  for (const auto& fragment : manifest.fragments) {
    nlohmann::json entry = {{"id", fragment.id}, {"rows", fragment.live_rows()}, {"files", nlohmann::json::array()}};
    if (fragment.deletion_file) entry["deleted_rows"] = fragment.deletion_file->num_deleted_rows;
    for (const auto& file : fragment.files) {
      entry["files"].push_back({{"path", file.path},
                                {"version", fmt::format("{}.{}", file.major_version, file.minor_version)},
                                {"bytes", file.size}});
    }
    fragments.push_back(std::move(entry));
  }
  return fragments;
}

/// As Arrow writes it; Lance's own name for a type that is not read.
std::string TypeOf(const lance::Manifest& manifest, size_t position) {
  const auto field = lance::ToArrowField(manifest.fields, position);
  return field.ok() ? (*field)->type()->ToString() : manifest.fields[position].logical_type;
}

nlohmann::json DatasetJson(const std::string& uri, const lance::Manifest& manifest) {
  auto columns = nlohmann::json::array();
  for (size_t i = 0; i < manifest.fields.size(); ++i) {
    const lance::Field& field = manifest.fields[i];
    if (field.parent_id >= 0) continue;
    columns.push_back({{"name", field.name}, {"type", TypeOf(manifest, i)}, {"nullable", field.nullable}});
  }
  return {{"uri", uri},
          {"version", manifest.version},
          {"manifest", manifest.path},
          {"data_storage_version", manifest.data_storage_version},
          {"rows", manifest.live_rows()},
          {"columns", std::move(columns)},
          {"fragments", FragmentsJson(manifest)}};
}

void PrintSegment(const SegmentDescription& segment) {
  fmt::print("    segment {}\n", segment.uuid);
  fmt::print("      {}, {}, dimension {}, {}\n", segment.index_type, ToString(segment.metric), segment.dimension,
             segment.storage);
  fmt::print("      {} rows in {} partitions (largest {}, {} empty), fragments {}, built on version {}\n",
             segment.num_rows, segment.num_partitions, segment.largest_partition, segment.empty_partitions,
             fmt::join(segment.fragments, " "), segment.dataset_version);
  for (const auto* file : {&segment.index_file, &segment.storage_file}) {
    fmt::print("      {:>10}  {}\n", HumanBytes(file->size), file->path);
  }
}

void PrintFragments(const lance::Manifest& manifest) {
  fmt::print("  fragments\n");
  for (const auto& fragment : manifest.fragments) {
    fmt::print("    {}: {} rows", fragment.id, fragment.live_rows());
    if (fragment.deletion_file) fmt::print(" ({} deleted)", fragment.deletion_file->num_deleted_rows);
    fmt::print("\n");
    for (const auto& file : fragment.files) {
      fmt::print("      {:>10}  {} (version {}.{})\n", file.size == 0 ? "size ?" : HumanBytes(file.size), file.path,
                 file.major_version, file.minor_version);
    }
  }
}

void PrintTable(const std::string& uri, const Dataset& dataset) {
  const lance::Manifest& manifest = dataset.manifest();
  fmt::print("{}\n", uri);
  fmt::print("  version {} ({}), storage version {}, {} rows\n", manifest.version, manifest.path,
             manifest.data_storage_version, manifest.live_rows());
  fmt::print("  columns\n");
  for (size_t i = 0; i < manifest.fields.size(); ++i) {
    const lance::Field& field = manifest.fields[i];
    if (field.parent_id < 0) fmt::print("    {}: {}\n", PrintableName(field.name), PrintableName(TypeOf(manifest, i)));
  }
  PrintFragments(manifest);
  const auto names = dataset.VectorIndexNames();
  fmt::print("  vector indexes{}\n", names.empty() ? ": none" : "");
  for (const auto& name : names) {
    fmt::print("    {}\n", PrintableName(name));
    auto described = dataset.DescribeIndex(name);
    if (!described.ok()) {
      fmt::print("    cannot be read: {}\n", MessageWithReason(described.status()));
      continue;
    }
    for (const auto& segment : *described) PrintSegment(segment);
  }
}

arrow::Status RunInfo(const InfoOptions& options) {
  ARROW_ASSIGN_OR_RAISE(auto dataset, OpenDataset(options.store, nullptr));
  if (!options.json) {
    PrintTable(options.store.uri, *dataset);
    return arrow::Status::OK();
  }
  nlohmann::json json = DatasetJson(options.store.uri, dataset->manifest());
  ARROW_ASSIGN_OR_RAISE(json["indexes"], IndexesJson(*dataset));
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return arrow::Status::OK();
}

}  // namespace

void AddInfoCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command = app->add_subcommand("info", "Shows a dataset: version, columns, fragments, vector indexes");
  AddStoreOptions(command, &options->store);
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer("Example: fewter info examples/packages.lance");
  command->callback([=] { *action = [options] { return RunInfo(*options); }; });
}

}  // namespace fewter::cli
