#pragma once

#include <memory>
#include <string_view>

#include <arrow/type_fwd.h>

namespace fewter::ipc::internal {

/// Schemas that were decoded before, by the bytes of their IPC message. Sections of one kind begin with the same bytes,
/// and decoding those costs more than all the rest. Keeps the first few that it is told of, for the life of the
/// process. Thread safe.

/// Null if the message is not known.
std::shared_ptr<arrow::Schema> FindSchema(std::string_view message);

/// Requires that `message` decodes to `schema`, and that the schema has no dictionaries.
void RememberSchema(std::string_view message, const std::shared_ptr<arrow::Schema>& schema);

}  // namespace fewter::ipc::internal
