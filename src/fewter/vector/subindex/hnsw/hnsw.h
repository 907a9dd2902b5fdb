#pragma once

#include <memory>

#include <arrow/result.h>

#include "fewter/vector/subindex/sub_index.h"

/// HNSW: a graph over the rows of a partition, walked towards the query (Yu. A. Malkov, D. A. Yashunin, "Efficient and
/// robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs", 2016). Lance builds it,
/// one a partition; here it is only searched.
///
/// Level 0 links all rows. Each level above links a random few of those below, so that a search comes near the query in
/// a few long steps: it starts at the entry point, moves to the nearest neighbour on each upper level until none is
/// nearer, and on level 0 expands the nearest known row again and again while it keeps the `ef` best (algorithm 2 of
/// the paper), until the nearest that is left is farther than all of these.
///
/// With a filter or bounds the walk still passes over rows that may not be returned. If fewer than a tenth of the rows
/// pass the filter, they are compared one by one instead: a walk would hardly meet them. Of pylance's approx_mode
/// "fast" the walk over passing rows alone (ACORN-1) is left out, and filters are searched as under "normal": over
/// 100,000 embeddings it took longer than this walk at the same `ef` in 22 of 24 settings, mostly two to five times as
/// long (on a busy machine), for up to four points of recall, which a larger `ef` gives as well.
///
/// Small partitions are not walked at all: where a walk would compare the query with a good part of the rows, a scan of
/// all is faster and misses none (SubIndex::IsBeatenByScan).
///
/// Every partition is searched as if it were alone, as Lance does: what other partitions brought into the TopK does not
/// end a walk early.

namespace fewter {

/// What index.idx says of the graphs: for each partition the entry point, and where in its rows each level starts.
/// Invalid, naming partition and field, for anything malformed. Of a partition without rows the metadata is not looked
/// at; Lance writes an empty text.
arrow::Result<std::shared_ptr<const SubIndexModel>> MakeHnswModel(const SubIndexSource& source);

extern const SubIndexKindEntry kHnswKind;

}  // namespace fewter
