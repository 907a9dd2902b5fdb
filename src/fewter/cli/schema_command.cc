#include <fmt/core.h>

#include <cstdio>
#include <memory>

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <nlohmann/json.hpp>

#include "fewter/cli/commands.h"
#include "fewter/cli/store_choice.h"
#include "fewter/cli/text_table.h"
#include "fewter/dataset/dataset.h"
#include "fewter/util/status_text.h"

namespace fewter::cli {

namespace {

struct SchemaOptions {
  StoreChoice store;
  bool json = false;
};

nlohmann::ordered_json MetadataJson(const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) {
  auto json = nlohmann::ordered_json::object();
  for (int64_t i = 0; metadata != nullptr && i < metadata->size(); ++i) json[metadata->key(i)] = metadata->value(i);
  return json;
}

nlohmann::ordered_json FieldJson(const arrow::Field& field) {
  nlohmann::ordered_json json = {
      {"name", field.name()}, {"type", field.type()->ToString()}, {"nullable", field.nullable()}};
  if (field.HasMetadata()) json["metadata"] = MetadataJson(field.metadata());
  for (const auto& child : field.type()->fields()) json["fields"].push_back(FieldJson(*child));
  return json;
}

arrow::Status RunSchema(const SchemaOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto dataset, OpenDataset(options.store, nullptr));
  ARROW_ASSIGN_OR_RAISE(const auto schema, dataset->Schema());
  if (options.json) {
    nlohmann::ordered_json json = {{"fields", nlohmann::ordered_json::array()}};
    for (const auto& field : schema->fields()) json["fields"].push_back(FieldJson(*field));
    if (schema->HasMetadata()) json["metadata"] = MetadataJson(schema->metadata());
    fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return arrow::Status::OK();
  }
  TextTable table;
  for (const char* header : {"column", "type", "nullable"}) table.AddColumn(header, false);
  for (const auto& field : schema->fields()) {
    table.AddRow(
        {PrintableName(field->name()), PrintableName(field->type()->ToString()), field->nullable() ? "yes" : "no"});
  }
  table.Print(stdout);
  return arrow::Status::OK();
}

}  // namespace

void AddSchemaCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<SchemaOptions>();
  CLI::App* command = app->add_subcommand("schema", "Shows the columns of a dataset and their types");
  AddStoreOptions(command, &options->store);
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer("Example: fewter schema examples/packages.lance");
  command->callback([=] { *action = [options] { return RunSchema(*options); }; });
}

}  // namespace fewter::cli
