#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <arrow/compute/exec.h>
#include <arrow/compute/function.h>
#include <arrow/compute/kernel.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/decimal.h>

#include "fewter/filter/functions_internal.h"

namespace fewter {

namespace {

namespace cp = arrow::compute;
using Decimal = arrow::Decimal256;
using arrow::Decimal256Type;

constexpr int32_t kMostDigits = Decimal256Type::kMaxPrecision;
/// Up to which scale a quotient has digits more than what is divided: Lance's decimals have no more.
constexpr int32_t kMostScale = arrow::Decimal128Type::kMaxPrecision;

/// Digits in all and behind the point.
struct Digits {
  int32_t precision = 1;
  int32_t scale = 0;
};

Digits DigitsOf(const arrow::DataType& type) {
  const auto& decimal = static_cast<const arrow::DecimalType&>(type);
  return {decimal.precision(), decimal.scale()};
}

arrow::Status TooManyDigits() {
  return arrow::Status::Invalid("decimals of more than ", kMostDigits, " digits");
}

arrow::Result<Decimal> ScaledUp(const Decimal& value, int32_t digits) {
  if (digits < 0) return arrow::Status::Invalid("decimals with a negative scale");
  if (digits == 0 || value == Decimal()) return value;
  if (digits >= kMostDigits || !value.FitsInPrecision(kMostDigits - digits)) return TooManyDigits();
  return Decimal(value.IncreaseScaleBy(digits));
}

struct Sum {
  static constexpr bool kIsDifference = false;
};
struct Difference {
  static constexpr bool kIsDifference = true;
};

template <typename Operation>
struct AddOrSubtract {
  static Digits Result(const Digits& left, const Digits& right) {
    const int32_t scale = std::max(left.scale, right.scale);
    return {std::max(left.precision - left.scale, right.precision - right.scale) + scale + 1, scale};
  }
  static arrow::Result<Decimal> Call(const Decimal& left, const Decimal& right, const Digits& l, const Digits& r) {
    const int32_t scale = std::max(l.scale, r.scale);
    ARROW_ASSIGN_OR_RAISE(const Decimal a, ScaledUp(left, scale - l.scale));
    ARROW_ASSIGN_OR_RAISE(const Decimal b, ScaledUp(right, scale - r.scale));
    // Of 76 digits both, there is room for the sum in 256 bits.
    const Decimal sum(a + (Operation::kIsDifference ? Decimal(-b) : b));
    return sum.FitsInPrecision(kMostDigits) ? arrow::Result<Decimal>(sum) : TooManyDigits();
  }
};

struct Multiply {
  static Digits Result(const Digits& left, const Digits& right) {
    return {left.precision + right.precision + 1, left.scale + right.scale};
  }
  static arrow::Result<Decimal> Call(const Decimal& left, const Decimal& right, const Digits& l, const Digits& r) {
    const Decimal product(left * right);
    if (l.precision + r.precision <= kMostDigits || left == Decimal()) return product;
    // What does not fit wraps around.
    ARROW_ASSIGN_OR_RAISE(const auto back, product.Divide(left));
    if (back.first != right || back.second != Decimal() || !product.FitsInPrecision(kMostDigits)) {
      return TooManyDigits();
    }
    return product;
  }
};

struct Divide {
  static Digits Result(const Digits& left, const Digits& right) {
    const int32_t scale = std::max(left.scale, std::min(left.scale + 4, kMostScale));
    return {left.precision - left.scale + right.scale + scale, scale};
  }
  static arrow::Result<Decimal> Call(const Decimal& left, const Decimal& right, const Digits& l, const Digits& r) {
    if (right == Decimal()) return arrow::Status::Invalid("divide by zero");
    ARROW_ASSIGN_OR_RAISE(const Decimal scaled, ScaledUp(left, Result(l, r).scale - l.scale + r.scale));
    ARROW_ASSIGN_OR_RAISE(const auto quotient, scaled.Divide(right));
    return quotient.first;
  }
};

struct Remainder {
  static Digits Result(const Digits& left, const Digits& right) {
    const int32_t scale = std::max(left.scale, right.scale);
    return {std::min(left.precision - left.scale, right.precision - right.scale) + scale, scale};
  }
  static arrow::Result<Decimal> Call(const Decimal& left, const Decimal& right, const Digits& l, const Digits& r) {
    if (right == Decimal()) return arrow::Status::Invalid("divide by zero");
    const int32_t scale = std::max(l.scale, r.scale);
    ARROW_ASSIGN_OR_RAISE(const Decimal a, ScaledUp(left, scale - l.scale));
    ARROW_ASSIGN_OR_RAISE(const Decimal b, ScaledUp(right, scale - r.scale));
    ARROW_ASSIGN_OR_RAISE(const auto quotient, a.Divide(b));
    return quotient.second;
  }
};

template <typename Operation>
arrow::Result<arrow::TypeHolder> ResultType(cp::KernelContext*, const std::vector<arrow::TypeHolder>& arguments) {
  const Digits digits = Operation::Result(DigitsOf(*arguments[0].type), DigitsOf(*arguments[1].type));
  if (digits.scale > kMostDigits) return TooManyDigits();
  const int32_t precision = std::clamp(digits.precision, std::max(digits.scale, 1), kMostDigits);
  ARROW_ASSIGN_OR_RAISE(auto type, Decimal256Type::Make(precision, digits.scale));
  return arrow::TypeHolder(std::move(type));
}

/// The values of an argument, one a row, or one for all.
class Operand {
 public:
  explicit Operand(const cp::ExecValue& value) : digits(DigitsOf(*value.type())) {
    if (value.is_array()) {
      bytes_ = value.array.GetValues<uint8_t>(1, 0) + value.array.offset * kWidth;
      step_ = kWidth;
    } else {
      only_ = static_cast<const arrow::Decimal256Scalar&>(*value.scalar).value;
    }
  }

  Decimal At(int64_t row) const { return bytes_ == nullptr ? only_ : Decimal(bytes_ + row * step_); }

  const Digits digits;

 private:
  static constexpr int64_t kWidth = 32;

  Decimal only_;
  const uint8_t* bytes_ = nullptr;
  int64_t step_ = 0;
};

template <typename Operation>
arrow::Status Execute(cp::KernelContext*, const cp::ExecSpan& arguments, cp::ExecResult* out) {
  const Operand left(arguments[0]), right(arguments[1]);
  arrow::ArraySpan* results = out->array_span_mutable();
  uint8_t* bytes = results->GetValues<uint8_t>(1, 0) + results->offset * 32;
  for (int64_t row = 0; row < arguments.length; ++row) {
    Decimal result;
    // What lies beneath a null is anything.
    if (results->IsValid(row)) {
      ARROW_ASSIGN_OR_RAISE(result, Operation::Call(left.At(row), right.At(row), left.digits, right.digits));
    }
    result.ToBytes(bytes + row * 32);
  }
  return arrow::Status::OK();
}

template <typename Operation>
arrow::Status Register(const char* name, cp::FunctionRegistry* registry) {
  const auto function = std::make_shared<cp::ScalarFunction>(
      name, cp::Arity::Binary(), cp::FunctionDoc("Arithmetic of decimals", "", {"left", "right"}));
  const cp::InputType decimal(arrow::Type::DECIMAL256);
  ARROW_RETURN_NOT_OK(
      function->AddKernel({decimal, decimal}, cp::OutputType(ResultType<Operation>), Execute<Operation>));
  return registry->AddFunction(function, true);
}

}  // namespace

arrow::Status RegisterDecimalFunctions(cp::FunctionRegistry* registry) {
  ARROW_RETURN_NOT_OK(Register<AddOrSubtract<Sum>>(kDecimalAdd, registry));
  ARROW_RETURN_NOT_OK(Register<AddOrSubtract<Difference>>(kDecimalSubtract, registry));
  ARROW_RETURN_NOT_OK(Register<Multiply>(kDecimalMultiply, registry));
  ARROW_RETURN_NOT_OK(Register<Divide>(kDecimalDivide, registry));
  return Register<Remainder>(kDecimalRemainder, registry);
}

}  // namespace fewter
