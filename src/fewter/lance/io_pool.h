#pragma once

namespace arrow::internal {
class Executor;
}

namespace fewter::lance {

/// As many requests to remote stores are under way at once.
inline constexpr int kRemoteRequests = 32;

/// The threads that wait for remote stores, at most kRemoteRequests in a process, started when they are first needed.
/// They do next to nothing but wait, so there are more of them than processors. Never null.
arrow::internal::Executor* RemoteIoPool();

}  // namespace fewter::lance
