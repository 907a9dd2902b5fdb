#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <arrow/array.h>
#include <arrow/compute/exec.h>
#include <arrow/compute/function.h>
#include <arrow/compute/kernel.h>
#include <arrow/scalar.h>
#include <arrow/util/bit_util.h>

#include "fewter/filter/functions_internal.h"

namespace fewter {

namespace {

namespace cp = arrow::compute;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
bool StartsWith(std::string_view text, std::string_view part) {
  return text.starts_with(part);
}
bool EndsWith(std::string_view text, std::string_view part) {
  return text.ends_with(part);
}

/// How many bytes the character has that a text begins with.
size_t CharacterSize(std::string_view text) {
  size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
  return size;
}

/// Takes from both what a pattern without `%` at its front matches of one character; false if it does not match.
bool MatchOne(std::string_view* text, std::string_view* pattern) {
  if (text->empty() || pattern->empty()) return false;
  if (pattern->front() == '_') {
    text->remove_prefix(CharacterSize(*text));
    pattern->remove_prefix(1);
    return true;
  }
  const bool is_escaped = pattern->front() == '\\' && pattern->size() > 1;
  if (text->front() != (*pattern)[is_escaped ? 1 : 0]) return false;
  text->remove_prefix(1);
  pattern->remove_prefix(is_escaped ? 2 : 1);
  return true;
}

/// `%` stands for any text, `_` for any character, and what a backslash precedes for itself. What stands behind the
/// last `%` so far is tried again one character later when it does not match.
bool Like(std::string_view text, std::string_view pattern) {
  std::optional<std::pair<std::string_view, std::string_view>> again;
  while (!text.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern.front() == '%') {
      pattern.remove_prefix(1);
      again = {text, pattern};
      continue;
    }
    if (MatchOne(&text, &pattern)) continue;
    if (!again || again->first.empty()) return false;
    again->first.remove_prefix(CharacterSize(again->first));
    std::tie(text, pattern) = *again;
  }
  return true;
}

/// One a row, or one for all.
class Texts {
 public:
  explicit Texts(const cp::ExecValue& value) {
    if (value.is_array()) {
      array_.emplace(value.array.ToArrayData());
    } else if (value.scalar->is_valid) {
      only_ = static_cast<const arrow::BaseBinaryScalar&>(*value.scalar).view();
    }
  }

  std::string_view At(int64_t row) const { return array_ ? array_->GetView(row) : only_; }

 private:
  std::optional<arrow::LargeStringArray> array_;
  std::string_view only_;
};

template <bool (*kMatches)(std::string_view, std::string_view)>
arrow::Status Execute(cp::KernelContext*, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  const Texts texts(arguments[0]), patterns(arguments[1]);
  arrow::ArraySpan* results = out->array_span_mutable();
  for (int64_t row = 0; row < arguments.length; ++row) {
    const bool matches = results->IsValid(row) && kMatches(texts.At(row), patterns.At(row));
    arrow::bit_util::SetBitTo(results->buffers[1].data, results->offset + row, matches);
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status RegisterTextMatching(cp::FunctionRegistry* registry) {
  const auto add = [&](const char* name, cp::ArrayKernelExec exec) {
    const auto function = std::make_shared<cp::ScalarFunction>(
        name, cp::Arity::Binary(), cp::FunctionDoc("Whether a text matches another", "", {"text", "pattern"}));
    ARROW_RETURN_NOT_OK(function->AddKernel({arrow::large_utf8(), arrow::large_utf8()}, arrow::boolean(), exec));
    return registry->AddFunction(function, true);
  };
  ARROW_RETURN_NOT_OK(add(kTextContains, Execute<Contains>));
  ARROW_RETURN_NOT_OK(add(kTextStartsWith, Execute<StartsWith>));
  ARROW_RETURN_NOT_OK(add(kTextEndsWith, Execute<EndsWith>));
  return add(kTextLike, Execute<Like>);
}

}  // namespace fewter
