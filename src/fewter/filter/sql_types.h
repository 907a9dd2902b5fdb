#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type.h>

namespace fewter {

/// The type that a word stands for in CAST, as Lance has them, with the numbers behind it in parentheses; null if there
/// is none. `meaning` is what PostgreSQL calls it, which differs only where two words are one name.
std::shared_ptr<arrow::DataType> TypeCalled(const std::string& word, const std::string& meaning,
                                            const std::vector<int64_t>& numbers);

}  // namespace fewter
