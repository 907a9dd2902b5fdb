/// A condition of any text, over a table with a column of every kind: it is refused or evaluated.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/filter/bound_filter.h"
#include "fewter/filter/filter.h"

namespace {

std::shared_ptr<arrow::RecordBatch> MakeRows() {
  const auto schema = arrow::schema({
      arrow::field("n", arrow::int32()),
      arrow::field("u", arrow::uint64()),
      arrow::field("x", arrow::float64()),
      arrow::field("flag", arrow::boolean()),
      arrow::field("name", arrow::utf8()),
      arrow::field("bytes", arrow::binary()),
      arrow::field("price", arrow::decimal128(9, 2)),
      arrow::field("day", arrow::date32()),
      arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
      arrow::field("s", arrow::struct_({arrow::field("a", arrow::int64())})),
      arrow::field("list", arrow::list(arrow::int64())),
  });
  const auto* json = R"([[1, 2, 0.5, true, "a", "b", "1.25", 3, 4, [5], [6, null]],
                         [0, 0, -1.5, false, "", "", "0.00", 0, 0, [null], []],
                         [null, null, null, null, null, null, null, null, null, null, null]])";
  const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json).ValueOrDie();
  return arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rows = MakeRows();
  const auto filter = fewter::ParseFilter({reinterpret_cast<const char*>(data), size});
  if (!filter.ok()) return 0;
  const auto bound = fewter::BoundFilter::Make(**filter, *rows->schema());
  if (!bound.ok()) return 0;
  arrow::ArrayVector columns;
  for (const auto& field : bound->columns()->fields()) columns.push_back(rows->GetColumnByName(field->name()));
  const auto named = arrow::RecordBatch::Make(bound->columns(), rows->num_rows(), std::move(columns));
  (void)bound->Evaluate(*named);
  return 0;
}
