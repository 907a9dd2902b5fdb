#include "fewter/cli/text_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include <arrow/type_traits.h>

#include "fewter/cli/json_text.h"
#include "fewter/cli/terminal.h"
#include "fewter/util/status_text.h"

namespace fewter::cli {

namespace {

/// Of a cell, whatever the terminal.
constexpr size_t kWidest = 60;
/// Columns are not made narrower than this; then lines are longer than the terminal's.
constexpr size_t kNarrowest = 6;
/// What a cell that was cut to less does not say enough of.
constexpr size_t kReadable = 16;
/// Of a name that cells stand behind.
constexpr size_t kWidestName = 30;
/// Of a line that no terminal shows.
constexpr size_t kAssumedLine = 200;
constexpr std::string_view kGap = "  ";

/// More bytes than a cell can show, on a line of its own.
constexpr size_t kLongest = 4 * kAssumedLine;

std::string OnOneLine(std::string_view text) {
  std::string line(text.substr(0, kLongest));
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\t', ' ');
  return Printable(line);
}

/// Lists, structs and maps as JSON; the rest as JSON has it, without quotes.
arrow::Result<std::string> CellText(const arrow::Array& array, int64_t row) {
  if (array.IsValid(row)) {
    if (const auto* text = dynamic_cast<const arrow::StringArray*>(&array)) return OnOneLine(text->GetView(row));
    if (const auto* text = dynamic_cast<const arrow::LargeStringArray*>(&array)) return OnOneLine(text->GetView(row));
  }
  if (array.IsValid(row) && array.type_id() == arrow::Type::DICTIONARY) {
    const auto& values = static_cast<const arrow::DictionaryArray&>(array);
    return CellText(*values.dictionary(), values.GetValueIndex(row));
  }
  if (array.type_id() == arrow::Type::EXTENSION) {
    return CellText(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
  }
  std::string text;
  ARROW_RETURN_NOT_OK(AppendJsonValue(array, row, &text, kLongest));
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return Printable(text);
}

/// Of a line of cells.
size_t LengthOf(const std::vector<size_t>& widths) {
  const size_t gaps = kGap.size() * (widths.empty() ? 0 : widths.size() - 1);
  return std::accumulate(widths.begin(), widths.end(), gaps);
}

std::string WithoutTrailingSpaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Aligned(const std::string& text, size_t width, bool is_right_aligned) {
  const size_t used = DisplayWidth(text);
  const std::string padding(width > used ? width - used : 0, ' ');
  return is_right_aligned ? padding + text : text + padding;
}

}  // namespace

void TextTable::AddColumn(std::string header, bool is_right_aligned) {
  columns_.push_back({std::move(header), is_right_aligned});
}

void TextTable::AddColumns(const arrow::Schema& schema) {
  for (const auto& field : schema.fields()) {
    const arrow::Type::type type = field->type()->id();
    AddColumn(PrintableName(field->name()), arrow::is_numeric(type) || arrow::is_decimal(type));
  }
}

arrow::Status TextTable::AddCells(const arrow::RecordBatch& rows, int64_t row) {
  for (const auto& column : rows.columns()) {
    ARROW_ASSIGN_OR_RAISE(rows_.back().emplace_back(), CellText(*column, row));
  }
  return arrow::Status::OK();
}

std::vector<size_t> TextTable::Widths(size_t line_width, size_t narrowest) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = DisplayWidth(columns_[i].header);
    for (const auto& cells : rows_) widest = std::max(widest, DisplayWidth(cells[i]));
    widths.push_back(std::min(widest, kWidest));
  }
  for (size_t cap = kWidest; line_width > 0 && cap >= narrowest; --cap) {
    for (size_t& width : widths) width = std::min(width, cap);
    if (LengthOf(widths) <= line_width) break;
  }
  return widths;
}

void TextTable::Print(std::FILE* stream) const {
  PrintLines(stream, Widths(LineWidth(stream), kNarrowest));
}

void TextTable::PrintReadable(std::FILE* stream) const {
  const size_t terminal = LineWidth(stream);
  const size_t line_width = terminal == 0 ? kAssumedLine : terminal;
  const std::vector<size_t> widths = Widths(line_width, kReadable);
  if (rows_.empty() || LengthOf(widths) <= line_width) return PrintLines(stream, widths);
  PrintCells(stream, line_width);
}

void TextTable::PrintCells(std::FILE* stream, size_t line_width) const {
  size_t names = 0;
  for (const Column& column : columns_) names = std::max(names, DisplayWidth(column.header));
  names = std::min(names, kWidestName);
  const size_t rest = line_width - std::min(line_width, names + kGap.size());
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (row > 0) fmt::print(stream, "\n");
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string name = Aligned(CutToWidth(columns_[i].header, names), names, false);
      const std::string cell = CutToWidth(rows_[row][i], std::max(rest, kReadable));
      fmt::print(stream, "{}{}{}\n", Bold(name, stream), kGap, WithoutTrailingSpaces(cell));
    }
  }
}

void TextTable::PrintLines(std::FILE* stream, const std::vector<size_t>& widths) const {
  const auto print_line = [&](const auto& cell) {
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) line += kGap;
      line += Aligned(CutToWidth(cell(i), widths[i]), widths[i], columns_[i].is_right_aligned);
    }
    return WithoutTrailingSpaces(std::move(line));
  };
  fmt::print(stream, "{}\n", Bold(print_line([&](size_t i) { return columns_[i].header; }), stream));
  for (const auto& cells : rows_) fmt::print(stream, "{}\n", print_line([&](size_t i) { return cells[i]; }));
}

}  // namespace fewter::cli
