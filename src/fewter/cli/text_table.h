#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/status.h>

namespace fewter::cli {

/// A table for people. Its lines fit a terminal's, for which its widest columns are cut.
class TextTable {
 public:
  void AddColumn(std::string header, bool is_right_aligned);
  /// A column for each field; numbers are aligned to the right.
  void AddColumns(const arrow::Schema& schema);
  /// A row begins with these cells, of printable text on one line.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A row's cells go on with the columns of a row of Arrow's.
  arrow::Status AddCells(const arrow::RecordBatch& rows, int64_t row);
  void Print(std::FILE* stream) const;
  /// For rows of data: where their cells would be cut too short for that, one cell a line behind the name of its
  /// column, and an empty line between rows. What is no terminal is taken to be 200 characters wide.
  void PrintReadable(std::FILE* stream) const;

 private:
  struct Column {
    std::string header;
    bool is_right_aligned;
  };

  /// Those of all columns if the widest are cut to fit a line, or to `narrowest`.
  std::vector<size_t> Widths(size_t line_width, size_t narrowest) const;
  void PrintLines(std::FILE* stream, const std::vector<size_t>& widths) const;
  void PrintCells(std::FILE* stream, size_t line_width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace fewter::cli
