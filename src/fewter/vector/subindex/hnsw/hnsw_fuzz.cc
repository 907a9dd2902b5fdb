#include <cstdint>

#include "fewter/util/bytes.h"
#include "fewter/vector/subindex/hnsw/hnsw_test_data_internal.h"

/// A graph's section, or that of the model, as an attacker would write it: decoded, and used if the decoder accepts it.
/// The first byte of the input says which of them, and whether the rest is the section or a list of changes (position,
/// byte) to a good one.

namespace fewter::hnsw_test {
namespace {

/// What the input is compared with, or changes.
struct Good {
  PointStorage points;
  Links links;
  std::shared_ptr<arrow::Buffer> graph;
  std::shared_ptr<arrow::Buffer> model;

  Good(size_t num_rows, uint32_t seed)
      : points(num_rows, 2, seed), links(LinksOver(points, 3, seed)), graph(SectionOf(*GraphOf(links)->ToBatch())) {
    const auto out = OrDie(arrow::io::BufferOutputStream::Create());
    if (!OrDie(MakeHnswModel(SourceOf(links)))->Serialize(out.get()).ok()) std::abort();
    model = OrDie(out->Finish());
  }
};

std::shared_ptr<arrow::Buffer> SectionFrom(const arrow::Buffer& good, bool changes, const uint8_t* data, size_t size) {
  const arrow::Buffer input(data, static_cast<int64_t>(size));
  auto section = OrDie(changes ? good.CopySlice(0, good.size()) : input.CopySlice(0, input.size()));
  for (size_t i = 0; changes && i + 3 <= size; i += 3) {
    const auto position = LoadLittleEndian<uint16_t>(data + i) % section->size();
    const_cast<uint8_t*>(section->data())[position] = data[i + 2];
  }
  return section;
}

void SearchGraph(const SubIndex& graph, const PointStorage& points) {
  const ModuloFilter half(2, 1), few(50, 1);
  for (const RowFilter* filter : {static_cast<const RowFilter*>(nullptr), static_cast<const RowFilter*>(&half),
                                  static_cast<const RowFilter*>(&few)}) {
    for (uint32_t ef : {0u, 4u, 1000u}) {
      PointScorer scorer({0.5f, -0.25f});
      TopK top_k(3, filter);
      graph.Search({.ef = ef}, 0, points, &scorer, &top_k);
    }
  }
}

void UseModel(const std::shared_ptr<arrow::Buffer>& section, const Good& good) {
  ipc::SectionReader sections(section);
  const auto model = kHnswKind.model_from_sections(&sections);
  if (!model.ok()) return;
  const auto rows = RowsOf(good.links);
  for (uint32_t i = 0; i < std::min(100u, (*model)->num_partitions()); ++i) {
    const auto graph = (*model)->Make(i, *rows, good.points.num_rows());
    if (graph.ok()) SearchGraph(**graph, good.points);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Good kGood[] = {Good(1, 1), Good(5, 2), Good(90, 3)};
  if (size == 0) return 0;
  const Good& good = kGood[data[0] / 8 % 3];
  const bool is_model = data[0] % 2 == 0;
  const auto section = SectionFrom(is_model ? *good.model : *good.graph, data[0] % 8 >= 2, data + 1, size - 1);
  if (is_model) {
    UseModel(section, good);
  } else if (const auto graph = GraphFrom(section, good.points.num_rows()); graph.ok()) {
    SearchGraph(**graph, good.points);
  }
  return 0;
}

}  // namespace fewter::hnsw_test
