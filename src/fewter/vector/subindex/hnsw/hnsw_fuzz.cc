#include <cstdint>
#include <cstdlib>

#include "fewter/vector/fuzz_changes_internal.h"
#include "fewter/vector/subindex/hnsw/hnsw_test_data_internal.h"

/// A graph as an attacker would write it: the section of a cache entry, that of the model in a state, or the metadata
/// and rows of index.idx. What is accepted is searched. The first byte of the input says which of them, over how many
/// rows, and whether the rest is the section or changes to a good one.

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
  if (!changes) return fuzz::CopyOf(arrow::Buffer(data, static_cast<int64_t>(size)));
  auto section = fuzz::CopyOf(good);
  const fuzz::Changes all(data, size);
  for (size_t i = 0; i < all.size(); ++i) fuzz::Overwrite(all[i], section.get());
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

/// The metadata is the text of one partition within the array, as changes to the array hardly get past its quotes.
void UseFiles(const Good& good, const uint8_t* data, size_t size) {
  SubIndexSource source = SourceOf(good.links);
  std::string text = MetadataOf(good.links.entry_point, LevelOffsetsOf(good.links));
  std::vector<uint32_t> ids;
  std::vector<std::vector<uint32_t>> lists;
  for (const auto& level : good.links.levels) {
    for (const auto& [id, list] : level) {
      ids.push_back(id);
      lists.push_back(list);
    }
  }
  const fuzz::Changes changes(data, size);
  for (size_t i = 0; i < changes.size(); ++i) {
    const fuzz::Change change = changes[i];
    const size_t row = change.position % ids.size();
    const uint32_t number = change.value < 128 ? change.value : std::numeric_limits<uint32_t>::max() - change.value;
    if (change.what < 128) {
      fuzz::Overwrite(change, &text);
    } else if (change.what < 160) {
      lists[row].push_back(number);
    } else if (change.what < 192) {
      ids[row] = number;
    } else if (change.what < 208) {
      source.lengths[0] = source.total_rows = change.position;
    } else if (change.what < 224) {
      source.offsets[0] = uint64_t{change.position} << (change.value % 64);
    } else if (lists.size() > 1) {
      lists.pop_back();
      ids.pop_back();
    }
  }
  source.metadata = ArrayOf({text});
  const auto model = MakeHnswModel(source);
  if (!model.ok()) return;
  const auto graph = (*model)->Make(0, *RowsOf(std::move(ids), lists), good.points.num_rows());
  if (graph.ok()) SearchGraph(**graph, good.points);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Good kGood[] = {Good(1, 1), Good(5, 2), Good(90, 3)};
  if (size == 0) return 0;
  const Good& good = kGood[data[0] / 8 % 3];
  const int what = data[0] / 24 % 3;
  const bool changes = data[0] % 8 >= 2;
  if (what == 0) {
    UseModel(SectionFrom(*good.model, changes, data + 1, size - 1), good);
  } else if (what == 1) {
    const auto graph = GraphFrom(SectionFrom(*good.graph, changes, data + 1, size - 1), good.points.num_rows());
    if (graph.ok()) SearchGraph(**graph, good.points);
  } else {
    UseFiles(good, data + 1, size - 1);
  }
  return 0;
}

}  // namespace fewter::hnsw_test
