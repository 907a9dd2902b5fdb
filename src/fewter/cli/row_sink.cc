#include "fewter/cli/row_sink.h"

#include <dlfcn.h>

#include <map>
#include <utility>
#include <vector>

#include <arrow/array/array_dict.h>
#include <arrow/ipc/writer.h>

#include "fewter/cli/json_text.h"
#include "fewter/cli/parquet_sink.h"
#include "fewter/util/argument_error.h"

namespace fewter::cli {

namespace {

class JsonLinesSink : public RowSink {
 public:
  explicit JsonLinesSink(std::shared_ptr<arrow::io::OutputStream> stream) : stream_(std::move(stream)) {}

  arrow::Status Write(const arrow::RecordBatch& rows) override {
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      line_ = '{';
      ARROW_RETURN_NOT_OK(AppendJsonMembers(rows, row, &line_));
      line_ += "}\n";
      ARROW_RETURN_NOT_OK(stream_->Write(line_));
    }
    return stream_->Flush();
  }

  arrow::Status Close() override { return arrow::Status::OK(); }

 private:
  const std::shared_ptr<arrow::io::OutputStream> stream_;
  std::string line_;
};

/// Makes the dictionaries of a column ones that only grow: each data file has its own, but in an Arrow file a column
/// has one, of which later batches may add to the end.
class GrowingDictionary {
 public:
  arrow::Result<std::shared_ptr<arrow::Array>> Add(const arrow::DictionaryArray& array) {
    const auto& type = static_cast<const arrow::DictionaryType&>(*array.type());
    if (unifier_ == nullptr) {
      ARROW_ASSIGN_OR_RAISE(unifier_, arrow::DictionaryUnifier::Make(type.value_type()));
    }
    std::shared_ptr<arrow::Buffer> positions;
    ARROW_RETURN_NOT_OK(unifier_->Unify(*array.dictionary(), &positions));
    std::shared_ptr<arrow::Array> dictionary;
    ARROW_RETURN_NOT_OK(unifier_->GetResultWithIndexType(type.index_type(), &dictionary));
    return array.Transpose(array.type(), dictionary, reinterpret_cast<const int32_t*>(positions->data()));
  }

 private:
  std::unique_ptr<arrow::DictionaryUnifier> unifier_;
};

class ArrowSink : public RowSink {
 public:
  explicit ArrowSink(std::shared_ptr<arrow::ipc::RecordBatchWriter> writer) : writer_(std::move(writer)) {}

  arrow::Status Write(const arrow::RecordBatch& rows) override {
    auto columns = rows.column_data();
    for (size_t i = 0; i < columns.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(columns[i], WithGrowing({i}, columns[i]));
    }
    return writer_->WriteRecordBatch(*arrow::RecordBatch::Make(rows.schema(), rows.num_rows(), std::move(columns)));
  }

  arrow::Status Close() override { return writer_->Close(); }

 private:
  /// Which column, which of its children, and so on.
  using Place = std::vector<size_t>;

  arrow::Result<std::shared_ptr<arrow::ArrayData>> WithGrowing(const Place& place,
                                                               const std::shared_ptr<arrow::ArrayData>& data) {
    if (data->type->id() == arrow::Type::DICTIONARY) {
      ARROW_ASSIGN_OR_RAISE(const auto array, dictionaries_[place].Add(arrow::DictionaryArray(data)));
      return array->data();
    }
    std::shared_ptr<arrow::ArrayData> changed;
    for (size_t i = 0; i < data->child_data.size(); ++i) {
      Place below = place;
      below.push_back(i);
      ARROW_ASSIGN_OR_RAISE(auto child, WithGrowing(below, data->child_data[i]));
      if (child == data->child_data[i]) continue;
      if (changed == nullptr) changed = data->Copy();
      changed->child_data[i] = std::move(child);
    }
    return changed == nullptr ? data : changed;
  }

  const std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
  std::map<Place, GrowingDictionary> dictionaries_;
};

arrow::Result<std::unique_ptr<RowSink>> OpenParquetSink(const std::shared_ptr<arrow::Schema>& schema,
                                                        std::shared_ptr<arrow::io::OutputStream> stream) {
  // Found by the program's run path, and never unloaded: the sink is of its making.
  void* library = dlopen(FEWTER_PARQUET_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return ArgumentError("Parquet cannot be written: ", dlerror());
  auto* open = reinterpret_cast<ParquetSinkFunction>(dlsym(library, kParquetSinkFunction));
  if (open == nullptr) return ArgumentError("Parquet cannot be written: ", dlerror());
  arrow::Result<std::unique_ptr<RowSink>> sink;
  open(schema, std::move(stream), &sink);
  return sink;
}

}  // namespace

arrow::Result<std::unique_ptr<RowSink>> OpenRowSink(RowFormat format, const std::shared_ptr<arrow::Schema>& schema,
                                                    std::shared_ptr<arrow::io::OutputStream> stream) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.emit_dictionary_deltas = true;
  switch (format) {
    case RowFormat::kParquet:
      return OpenParquetSink(schema, std::move(stream));
    case RowFormat::kArrowFile: {
      ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeFileWriter(std::move(stream), schema, options));
      return std::make_unique<ArrowSink>(std::move(writer));
    }
    case RowFormat::kArrowStream: {
      ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeStreamWriter(std::move(stream), schema, options));
      return std::make_unique<ArrowSink>(std::move(writer));
    }
    case RowFormat::kJsonLines:
      break;
  }
  return std::make_unique<JsonLinesSink>(std::move(stream));
}

}  // namespace fewter::cli
