/// A filter in Substrait of any bytes: it is refused, or bound to a table or not, and evaluated.

#include <cstddef>
#include <cstdint>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "fewter/filter/bound_filter.h"
#include "fewter/substrait/substrait_filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto table = arrow::schema({
      arrow::field("n", arrow::int32()),
      arrow::field("x", arrow::float64()),
      arrow::field("name", arrow::utf8()),
      arrow::field("s", arrow::struct_({arrow::field("a", arrow::int64())})),
  });
  const auto filter = fewter::ReadSubstraitFilter(arrow::Buffer(data, static_cast<int64_t>(size)));
  if (!filter.ok()) return 0;
  const auto bound = fewter::BoundFilter::Make(**filter, *table);
  if (bound.ok()) (void)bound->Evaluate(**arrow::RecordBatch::MakeEmpty(bound->columns()));
  return 0;
}
