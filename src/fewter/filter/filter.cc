#include "fewter/filter/filter.h"

#include <utility>

#include "fewter/filter/expressions_internal.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/similar_names.h"

namespace fewter {

namespace {

using arrow::compute::Expression;

class ExpressionFilter final : public Filter {
 public:
  ExpressionFilter(std::string identity, Expression expression)
      : Filter(std::move(identity)), expression_(std::move(expression)) {}

  arrow::Result<Expression> Resolve(const arrow::Schema& table) const override { return WithNames(expression_, table); }

 private:
  Expression expression_;
};

/// What identifies an expression, whose references may be by place.
arrow::Result<std::string> IdentityOf(const Expression& expression) {
  std::string identity = "expression ";
  if (!expression.is_valid()) return ArgumentError("an empty expression is no filter");
  for (const arrow::FieldRef& reference : arrow::compute::FieldsInExpression(expression)) {
    identity += reference.ToString() + " ";
  }
  // References are in there by their texts, in order; the rest as Arrow serialises it, which it does for names only.
  ARROW_ASSIGN_OR_RAISE(const auto anonymous, ReplaceReferences(expression, [](const arrow::FieldRef&) {
                          return arrow::compute::field_ref("");
                        }));
  ARROW_ASSIGN_OR_RAISE(const auto bytes, arrow::compute::Serialize(anonymous));
  return identity + bytes->ToString();
}

/// As it stands in a message: 'name', 'struct.field', or [7] for the place of one.
std::string TextOf(const arrow::FieldRef& reference) {
  std::string path = reference.IsName() ? "." + *reference.name() : reference.ToDotPath();
  if (path.starts_with('.')) path.replace(0, 1, "'").push_back('\'');
  return path;
}

}  // namespace

arrow::Result<std::vector<std::string>> NamesOf(const arrow::FieldRef& reference, const arrow::Schema& table) {
  const auto paths = reference.FindAll(table);
  if (paths.empty()) {
    const std::string hint = reference.IsName() ? DidYouMean(*reference.name(), table.field_names()) : "";
    return arrow::Status::KeyError("the dataset has no column ", TextOf(reference), hint);
  }
  if (paths.size() > 1) return ArgumentError("the dataset has several columns ", TextOf(reference));
  std::vector<std::string> names;
  const arrow::FieldVector* fields = &table.fields();
  for (const int place : paths.front().indices()) {
    const auto& field = (*fields)[static_cast<size_t>(place)];
    names.push_back(field->name());
    fields = &field->type()->fields();
  }
  return names;
}

arrow::FieldRef ReferenceOf(const std::vector<std::string>& names) {
  std::vector<arrow::FieldRef> parts(names.begin(), names.end());
  return parts.size() == 1 ? std::move(parts.front()) : arrow::FieldRef(std::move(parts));
}

arrow::Result<Expression> ReplaceReferences(const Expression& expression, const ReplaceReference& replace) {
  if (const arrow::FieldRef* reference = expression.field_ref()) return replace(*reference);
  const Expression::Call* call = expression.call();
  if (call == nullptr) return expression;
  std::vector<Expression> arguments;
  for (const Expression& argument : call->arguments) {
    ARROW_ASSIGN_OR_RAISE(arguments.emplace_back(), ReplaceReferences(argument, replace));
  }
  return arrow::compute::call(call->function_name, std::move(arguments), call->options);
}

arrow::Result<Expression> WithNames(const Expression& expression, const arrow::Schema& table) {
  return ReplaceReferences(expression, [&](const arrow::FieldRef& reference) -> arrow::Result<Expression> {
    ARROW_ASSIGN_OR_RAISE(const auto names, NamesOf(reference, table));
    return arrow::compute::field_ref(ReferenceOf(names));
  });
}

arrow::Result<std::shared_ptr<const Filter>> MakeFilter(Expression expression) {
  ARROW_ASSIGN_OR_RAISE(auto identity, IdentityOf(expression));
  return std::make_shared<ExpressionFilter>(std::move(identity), std::move(expression));
}

}  // namespace fewter
