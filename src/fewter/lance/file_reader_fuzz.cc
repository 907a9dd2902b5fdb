#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include "fewter/lance/file_reader.h"
#include "fewter/lance/in_memory_file_internal.h"

// The input is a whole file, all of whose columns are read: a batch at its start, one at its end, and single rows.

namespace {

/// Types whose values Arrow finds fault with, such as a time after midnight; what a file says is read as it is.
bool HasCheckedValues(const arrow::DataType& type) {
  for (const auto& field : type.fields()) {
    if (HasCheckedValues(*field->type())) return true;
  }
  if (type.id() == arrow::Type::DICTIONARY) {
    return HasCheckedValues(*static_cast<const arrow::DictionaryType&>(type).value_type());
  }
  return arrow::is_decimal(type.id()) || arrow::is_time(type.id()) || type.id() == arrow::Type::DATE64;
}

void Check(const arrow::Result<std::shared_ptr<arrow::RecordBatch>>& batch) {
  if (!batch.ok()) return;
  const arrow::Array& array = *(*batch)->column(0);
  const arrow::Status status = HasCheckedValues(*array.type()) ? array.Validate() : array.ValidateFull();
  if (!status.ok()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fewter::lance::FileReader;
  using fewter::lance::InMemoryFile;
  // A few bytes can stand for any number of rows, and a few more for any number of columns.
  constexpr uint64_t kMaxRows = 4096;
  constexpr size_t kMaxFields = 16;
  const auto bytes = std::make_shared<arrow::Buffer>(data, static_cast<int64_t>(size));
  auto reader = FileReader::Open(std::make_shared<InMemoryFile>("fuzz", bytes));
  if (!reader.ok()) return 0;
  (void)(*reader)->ReadGlobalBuffer(1).ok();
  const auto& metadata = (*reader)->metadata();
  const uint64_t length = std::min(metadata.num_rows(), kMaxRows);
  const std::vector<fewter::lance::RowRange> rows = {{length - 1, 1}, {0, 1}, {length / 2, 1}};
  for (size_t i = 0; i < std::min(metadata.fields().size(), kMaxFields); ++i) {
    for (const uint64_t start : {uint64_t{0}, metadata.num_rows() - length}) {
      Check((*reader)->ReadRows({metadata.fields()[i].name}, start, length));
    }
    if (length > 0) Check((*reader)->ReadRows({metadata.fields()[i].name}, rows));
  }
  return 0;
}
