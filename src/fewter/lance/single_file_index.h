#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "fewter/lance/index_messages.h"
#include "fewter/lance/object_store.h"

/// IVF_PQ indexes of Lance's releases up to 0.24: one file, index.idx, in the container of before version 2.0.
///
/// Format: docs/format/single_file_index.md.

namespace fewter::lance {

/// How rows lie in the file: each takes code_bytes and, for its id, 8 more; the first begins at first_byte.
struct SingleFileLayout {
  uint64_t first_byte = 0;
  uint32_t code_bytes = 0;
  /// Codes of 4 bits have a byte each, as releases up to 0.19 wrote them. In what is read there are two in a byte.
  bool is_unpacked = false;
};

/// What the file says of all partitions. Tensors have the shapes that they say, all numbers fit together.
struct SingleFileIndex {
  /// Lance's number: 0 L2, 1 cosine, 2 dot, 3 Hamming; may be another.
  uint32_t metric = 0;
  /// num_partitions x dimension.
  Tensor centroids;
  uint32_t num_bits = 0;
  uint32_t num_sub_vectors = 0;
  /// Its memory order is num_sub_vectors x 2^num_bits x (dimension / num_sub_vectors), whatever its shape.
  Tensor codebook;
  SingleFileLayout layout;
  uint64_t total_rows = 0;
  /// A row number and a number of rows for each partition.
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> lengths;
  uint64_t file_size = 0;
};

/// Reads the end of the file, one request or two. NotImplemented, naming them, for stages other than IVF and PQ;
/// Invalid for anything malformed. Messages name the file.
arrow::Result<SingleFileIndex> ReadSingleFileIndex(ReadableFile* file);

/// The rows [row, row + num_rows), which must be rows of one partition, from its first on: the columns `_rowid` and
/// `__pq_code`, as auxiliary.idx has them in later releases, the codes row after row. One request. IOError if the file
/// is too short.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadSingleFileRows(ReadableFile* file,
                                                                      const SingleFileLayout& layout, uint64_t row,
                                                                      uint64_t num_rows);

}  // namespace fewter::lance
