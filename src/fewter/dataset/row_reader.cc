#include "fewter/dataset/row_reader.h"

#include <algorithm>
#include <utility>

#include <arrow/array/util.h>
#include <arrow/builder.h>

#include "fewter/dataset/data_files.h"
#include "fewter/lance/deletions.h"
#include "fewter/lance/schema.h"
#include "fewter/util/argument_error.h"

namespace fewter {

namespace {

using Fields = std::vector<lance::Field>;

/// The positions of a field's children.
std::vector<size_t> ChildrenOf(const Fields& fields, size_t position) {
  std::vector<size_t> children;
  for (size_t i = position + 1; i < fields.size(); ++i) {
    if (fields[i].id >= 0 && fields[i].parent_id == fields[position].id) children.push_back(i);
  }
  return children;
}

/// The data file of a fragment that holds a field or, of one whose own column there is none, a field below it. Null if
/// none does.
const lance::DataFile* FindDataFileOfTree(const lance::Fragment& fragment, const Fields& fields, size_t position) {
  if (const lance::DataFile* file = FindDataFile(fragment, fields[position].id)) return file;
  for (const size_t child : ChildrenOf(fields, position)) {
    if (const lance::DataFile* file = FindDataFileOfTree(fragment, fields, child)) return file;
  }
  return nullptr;
}

/// Makes a column of a file what it is in the table: fields of structs may have been dropped, added or renamed since.
class Projection {
 public:
  Projection(const Fields& table, const Fields& file, const lance::Fragment& fragment, const lance::DataFile& data_file)
      : table_(table), file_(file), fragment_(fragment), data_file_(data_file) {}

  arrow::Result<std::shared_ptr<arrow::ArrayData>> Project(size_t in_table, size_t in_file,
                                                           const std::shared_ptr<arrow::DataType>& type,
                                                           std::shared_ptr<arrow::ArrayData> data) const {
    if (data->type->Equals(*type)) return data;
    const std::vector<size_t> wanted = ChildrenOf(table_, in_table);
    const std::vector<size_t> stored = ChildrenOf(file_, in_file);
    const bool is_nested = type->id() == data->type->id() && wanted.size() == static_cast<size_t>(type->num_fields()) &&
                           stored.size() == data->child_data.size() && !wanted.empty();
    if (!is_nested) return OtherType(in_table, *type, *data->type);
    auto projected = data->Copy();
    projected->type = type;
    projected->child_data.clear();
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto& child_type = type->field(static_cast<int>(i))->type();
      const int32_t id = table_[wanted[i]].id;
      const auto found =
          std::find_if(stored.begin(), stored.end(), [&](size_t position) { return file_[position].id == id; });
      if (found != stored.end()) {
        auto child = data->child_data[static_cast<size_t>(found - stored.begin())];
        ARROW_ASSIGN_OR_RAISE(child, Project(wanted[i], *found, child_type, std::move(child)));
        projected->child_data.push_back(std::move(child));
        continue;
      }
      if (type->id() != arrow::Type::STRUCT) return OtherType(in_table, *type, *data->type);
      if (FindDataFileOfTree(fragment_, table_, wanted[i]) != nullptr) {
        return arrow::Status::NotImplemented("column '", lance::PathOf(table_, in_table),
                                             "' is a struct whose fields are in several data files");
      }
      ARROW_ASSIGN_OR_RAISE(auto nulls, arrow::MakeArrayOfNull(child_type, data->length));
      projected->child_data.push_back(nulls->data());
    }
    return projected;
  }

 private:
  arrow::Status OtherType(size_t in_table, const arrow::DataType& type, const arrow::DataType& stored) const {
    return arrow::Status::NotImplemented(data_file_.path, ": column '", table_[in_table].name, "' is stored as ",
                                         stored.ToString(), ", the table says ", type.ToString());
  }

  const Fields& table_;
  const Fields& file_;
  const lance::Fragment& fragment_;
  const lance::DataFile& data_file_;
};

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
    chosen.push_back(*std::move(field));
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
    if (field == nullptr || field->parent_id != -1) {
      return arrow::Status::KeyError("the dataset has no column '", column, "' at the top level");
    }
    ARROW_RETURN_NOT_OK(add(static_cast<size_t>(field - fields.data())));
  }
  return arrow::schema(std::move(chosen));
}

arrow::Result<std::shared_ptr<lance::FileReader>> RowReader::Open(const lance::DataFile& file) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = files_.find(&file); found != files_.end()) return found->second;
  }
  ARROW_ASSIGN_OR_RAISE(auto reader, OpenDataFile(*store_, cache_, file));
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
  /// A column of the answer: which of the table's fields it is.
  struct Column {
    int column = 0;
    size_t position = 0;
  };

  const lance::DataFile* file = nullptr;
  std::vector<Column> columns;
  /// What has been read of them.
  arrow::ArrayVector arrays;
};

arrow::Status RowReader::ReadPart(const lance::Fragment& fragment, const std::vector<lance::RowRange>& rows,
                                  const arrow::Schema& schema, FilePart* part) {
  const Fields& fields = manifest_->fields;
  ARROW_ASSIGN_OR_RAISE(const auto reader, Open(*part->file));
  const Fields& in_file = reader->metadata().fields();
  std::vector<std::string> names;
  std::vector<size_t> positions;
  for (const FilePart::Column& column : part->columns) {
    ARROW_ASSIGN_OR_RAISE(const size_t stored, PositionInFile(reader->metadata(), fields[column.position]));
    names.push_back(in_file[stored].name);
    positions.push_back(stored);
  }
  ARROW_ASSIGN_OR_RAISE(const auto batch, reader->ReadRows(names, rows));
  const Projection projection(fields, in_file, fragment, *part->file);
  for (size_t i = 0; i < part->columns.size(); ++i) {
    const FilePart::Column& column = part->columns[i];
    const auto& array = batch->column(static_cast<int>(i));
    const auto& type = schema.field(column.column)->type();
    ARROW_ASSIGN_OR_RAISE(auto data, projection.Project(column.position, positions[i], type, array->data()));
    part->arrays.push_back(data == array->data() ? array : arrow::MakeArray(data));
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowReader::Read(const lance::Fragment& fragment,
                                                                   const std::vector<lance::RowRange>& rows,
                                                                   std::span<const uint64_t> row_ids,
                                                                   const std::shared_ptr<arrow::Schema>& schema) {
  const Fields& fields = manifest_->fields;
  const auto num_rows = static_cast<int64_t>(NumRows(rows));
  arrow::ArrayVector arrays(static_cast<size_t>(schema->num_fields()));
  std::vector<FilePart> parts;
  for (int i = 0; i < schema->num_fields(); ++i) {
    const std::string& name = schema->field(i)->name();
    auto& array = arrays[static_cast<size_t>(i)];
    if (name == kRowId && !row_ids.empty()) {
      ARROW_ASSIGN_OR_RAISE(array, Numbers(row_ids));
      continue;
    }
    if (name == kRowId || name == kRowAddress) {
      ARROW_ASSIGN_OR_RAISE(array, Addresses(fragment, rows));
      continue;
    }
    const auto position = static_cast<size_t>(manifest_->FindField(name) - fields.data());
    const lance::DataFile* file = FindDataFileOfTree(fragment, fields, position);
    if (file == nullptr) {
      ARROW_ASSIGN_OR_RAISE(array, arrow::MakeArrayOfNull(schema->field(i)->type(), num_rows));
      continue;
    }
    auto part = std::find_if(parts.begin(), parts.end(), [&](const FilePart& one) { return one.file == file; });
    if (part == parts.end()) part = parts.insert(part, FilePart{file, {}, {}});
    part->columns.push_back({i, position});
  }
  std::vector<arrow::Status> outcomes(parts.size());
  store_->RunTogether(parts.size(), [&](size_t i) { outcomes[i] = ReadPart(fragment, rows, *schema, &parts[i]); });
  for (size_t i = 0; i < parts.size(); ++i) {
    ARROW_RETURN_NOT_OK(outcomes[i]);
    for (size_t k = 0; k < parts[i].columns.size(); ++k) {
      arrays[static_cast<size_t>(parts[i].columns[k].column)] = std::move(parts[i].arrays[k]);
    }
  }
  return arrow::RecordBatch::Make(schema, num_rows, std::move(arrays));
}

}  // namespace fewter
