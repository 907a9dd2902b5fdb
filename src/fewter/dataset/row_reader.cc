#include "fewter/dataset/row_reader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/util/key_value_metadata.h>

#include "fewter/dataset/column_assembly.h"
#include "fewter/dataset/data_files.h"
#include "fewter/dataset/json_columns.h"
#include "fewter/dataset/missing_names.h"
#include "fewter/lance/deletions.h"
#include "fewter/lance/schema.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using Fields = std::vector<lance::Field>;

/// Null if there is none.
std::shared_ptr<const arrow::KeyValueMetadata> ToArrow(const std::map<std::string, std::string>& metadata) {
  if (metadata.empty()) return nullptr;
  std::vector<std::string> keys, values;
  for (const auto& [key, value] : metadata) {
    keys.push_back(key);
    values.push_back(value);
  }
  return arrow::key_value_metadata(std::move(keys), std::move(values));
}

uint64_t NumRows(const std::vector<lance::RowRange>& ranges) {
  uint64_t rows = 0;
  for (const lance::RowRange& range : ranges) rows += range.length;
  return rows;
}

arrow::Result<std::shared_ptr<arrow::Array>> Addresses(const lance::Fragment& fragment,
                                                       const std::vector<lance::RowRange>& rows) {
  arrow::UInt64Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(NumRows(rows))));
  for (const lance::RowRange& range : rows) {
    for (uint64_t offset = range.start; offset < range.end(); ++offset) {
      builder.UnsafeAppend(fragment.id << 32 | offset);
    }
  }
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> Numbers(std::span<const uint64_t> numbers) {
  arrow::UInt64Builder builder;
  ARROW_RETURN_NOT_OK(builder.AppendValues(numbers.data(), static_cast<int64_t>(numbers.size())));
  return builder.Finish();
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Schema>> RowReader::SchemaOf(const std::vector<std::string>& columns) const {
  const Fields& fields = manifest_->fields;
  arrow::FieldVector chosen;
  const auto add = [&](size_t position) {
    auto field = lance::ToArrowField(fields, position);
    if (!field.ok()) {
      return field.status().WithMessage("column '", fields[position].name, "': ", field.status().message());
    }
    chosen.push_back(WithJsonAsText(*field));
    return arrow::Status::OK();
  };
  for (size_t i = 0; i < fields.size() && columns.empty(); ++i) {
    if (fields[i].parent_id == -1 && fields[i].id >= 0) ARROW_RETURN_NOT_OK(add(i));
  }
  for (auto named = columns.begin(); named != columns.end(); ++named) {
    const std::string& column = *named;
    if (std::find(columns.begin(), named, column) != named)
      return ArgumentError("column '", column, "' is named twice");
    if (column == kRowId || column == kRowAddress) {
      chosen.push_back(arrow::field(column, arrow::uint64()));
      continue;
    }
    const lance::Field* field = manifest_->FindField(column);
    if (field == nullptr) return NoSuchColumn(fields, column);
    ARROW_RETURN_NOT_OK(add(static_cast<size_t>(field - fields.data())));
    // One inside a struct goes by its path, and is null where the struct is.
    if (field->parent_id != -1) chosen.back() = chosen.back()->WithName(column)->WithNullable(true);
  }
  return arrow::schema(std::move(chosen), ToArrow(manifest_->schema_metadata));
}

arrow::Result<std::shared_ptr<lance::FileReader>> RowReader::Open(const lance::Fragment& fragment,
                                                                  const lance::DataFile& file) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = files_.find(&file); found != files_.end()) return found->second;
  }
  ARROW_ASSIGN_OR_RAISE(auto reader, OpenDataFile(*store_, cache_, fragment, file));
  const std::lock_guard lock(mutex_);
  return files_.emplace(&file, std::move(reader)).first->second;
}

arrow::Result<std::shared_ptr<const std::vector<uint32_t>>> RowReader::DeletedOffsets(const lance::Fragment& fragment) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = deleted_.find(&fragment); found != deleted_.end()) return found->second;
  }
  ARROW_ASSIGN_OR_RAISE(auto read, lance::ReadDeletions(*store_, fragment));
  auto deleted = std::make_shared<const std::vector<uint32_t>>(std::move(read));
  const std::lock_guard lock(mutex_);
  return deleted_.emplace(&fragment, std::move(deleted)).first->second;
}

struct RowReader::FilePart {
  const lance::DataFile* file = nullptr;
  /// Which columns of the answer, and which of the table's fields these are.
  std::vector<std::pair<size_t, size_t>> columns;
  /// What has been read of them.
  std::vector<StoredColumn> stored;
};

arrow::Status RowReader::ReadPart(const lance::Fragment& fragment, const std::vector<lance::RowRange>& rows,
                                  FilePart* part) {
  ARROW_ASSIGN_OR_RAISE(const auto reader, Open(fragment, *part->file));
  const Fields& in_file = reader->metadata().fields();
  std::vector<std::string> names;
  for (const auto& [column, position] : part->columns) {
    ARROW_ASSIGN_OR_RAISE(const size_t stored, PositionInFile(reader->metadata(), manifest_->fields[position]));
    names.push_back(lance::PathOf(in_file, stored));
    part->stored.push_back({part->file, reader->shared_metadata(), stored, nullptr});
  }
  ARROW_ASSIGN_OR_RAISE(const auto batch, reader->ReadRows(names, rows));
  for (size_t i = 0; i < names.size(); ++i) part->stored[i].data = batch->column_data(static_cast<int>(i));
  return arrow::Status::OK();
}

RowReader::Positions RowReader::PositionsOf(const arrow::Schema& schema) const {
  Positions positions;
  for (const auto& field : schema.fields()) {
    const bool is_stored = field->name() != kRowId && field->name() != kRowAddress;
    const lance::Field* found = is_stored ? manifest_->FindField(field->name()) : nullptr;
    positions.push_back(found == nullptr ? std::nullopt : std::optional<size_t>(found - manifest_->fields.data()));
  }
  return positions;
}

std::vector<RowReader::FilePart> RowReader::PartsOf(const lance::Fragment& fragment, const Positions& positions) const {
  std::vector<FilePart> parts;
  for (const lance::DataFile& file : fragment.files) {
    FilePart part{&file, {}, {}};
    for (size_t i = 0; i < positions.size(); ++i) {
      if (positions[i] && HoldsField(file, manifest_->fields, *positions[i]))
        part.columns.emplace_back(i, *positions[i]);
    }
    if (!part.columns.empty()) parts.push_back(std::move(part));
  }
  return parts;
}

arrow::Status RowReader::OpenFiles(const lance::Fragment& fragment, const arrow::Schema& schema) {
  const auto parts = PartsOf(fragment, PositionsOf(schema));
  return store_->RunTogether(parts.size(), [&](size_t i) { return Open(fragment, *parts[i].file).status(); });
}

arrow::Result<std::vector<RowReader::FilePart>> RowReader::ReadParts(const lance::Fragment& fragment,
                                                                     const std::vector<lance::RowRange>& rows,
                                                                     const Positions& positions) {
  auto parts = PartsOf(fragment, positions);
  ARROW_RETURN_NOT_OK(store_->RunTogether(parts.size(), [&](size_t i) { return ReadPart(fragment, rows, &parts[i]); }));
  return parts;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowReader::Read(const lance::Fragment& fragment,
                                                                   const std::vector<lance::RowRange>& rows,
                                                                   std::span<const uint64_t> row_ids,
                                                                   const std::shared_ptr<arrow::Schema>& schema) {
  const auto num_rows = static_cast<int64_t>(NumRows(rows));
  const Positions positions = PositionsOf(*schema);
  ARROW_ASSIGN_OR_RAISE(auto parts, ReadParts(fragment, rows, positions));
  std::vector<std::vector<StoredColumn>> stored(positions.size());
  for (FilePart& part : parts) {
    for (size_t i = 0; i < part.columns.size(); ++i) stored[part.columns[i].first].push_back(std::move(part.stored[i]));
  }
  arrow::ArrayVector arrays;
  for (size_t i = 0; i < positions.size(); ++i) {
    const arrow::Field& field = *schema->field(static_cast<int>(i));
    std::shared_ptr<arrow::Array>& array = arrays.emplace_back();
    if (positions[i]) {
      ARROW_ASSIGN_OR_RAISE(
          auto data, AssembleColumn(manifest_->fields, *positions[i], field.type(), num_rows, std::move(stored[i])));
      array = arrow::MakeArray(data);
    } else if (field.name() == kRowId && !row_ids.empty()) {
      ARROW_ASSIGN_OR_RAISE(array, Numbers(row_ids));
    } else {
      ARROW_ASSIGN_OR_RAISE(array, Addresses(fragment, rows));
    }
  }
  return arrow::RecordBatch::Make(schema, num_rows, std::move(arrays));
}

}  // namespace fewter
