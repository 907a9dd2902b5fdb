#include <iostream>

#include <fewter/dataset/dataset.h>
#include <fewter/substrait/substrait_filter.h>
#include <fewter/version.h>

namespace {

arrow::Status Run(const std::string& uri) {
  ARROW_ASSIGN_OR_RAISE(auto dataset, fewter::Dataset::Open(uri));
  ARROW_ASSIGN_OR_RAISE(auto query, dataset->ReadVector("vector", 0));
  ARROW_ASSIGN_OR_RAISE(auto result, dataset->Search({.column = "vector", .query = query, .k = 3, .nprobes = 4}));
  ARROW_ASSIGN_OR_RAISE(auto batch, result.ToRecordBatch());
  std::cout << "fewter " << fewter::kVersion << "\n" << batch->ToString() << std::endl;
  if (fewter::ReadSubstraitFilter(*arrow::Buffer::FromString("no message")).ok()) {
    return arrow::Status::Invalid("expected an error");
  }
  return batch->num_rows() == 3 ? arrow::Status::OK() : arrow::Status::Invalid("expected 3 rows");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const arrow::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status.ToString() << std::endl;
  return status.ok() ? 0 : 1;
}
