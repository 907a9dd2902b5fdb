#include "fewter/cli/exit_code.h"

#include <cerrno>

#include <arrow/util/io_util.h>
#include <gtest/gtest.h>

#include "fewter/util/argument_error.h"

namespace fewter::cli {
namespace {

TEST(ExitCode, FollowsTheKindOfError) {
  EXPECT_EQ(ExitCodeFor(arrow::Status::OK()), kOk);
  EXPECT_EQ(ExitCodeFor(ArgumentError("k is ", 0)), kUsage);
  EXPECT_EQ(ExitCodeFor(arrow::Status::KeyError("no dataset")), kNotFound);
  EXPECT_EQ(ExitCodeFor(arrow::Status::Invalid("bad footer")), kCorruptOrNotSupported);
  EXPECT_EQ(ExitCodeFor(arrow::Status::NotImplemented("OPQ")), kCorruptOrNotSupported);
  EXPECT_EQ(ExitCodeFor(arrow::Status::OutOfMemory("")), kFailed);
}

TEST(ExitCode, FollowsErrnoOfIoErrors) {
  const auto with = [](int error) { return ExitCodeFor(arrow::internal::IOErrorFromErrno(error, "reading")); };
  EXPECT_EQ(with(ENOENT), kNotFound);
  EXPECT_EQ(with(EACCES), kRefused);
  EXPECT_EQ(with(ECONNREFUSED), kUnreachable);
  EXPECT_EQ(with(EIO), kFailed);
  EXPECT_EQ(ExitCodeFor(arrow::Status::IOError("no errno")), kFailed);
}

TEST(ExitCode, FollowsTheWordsOfObjectStores) {
  const auto with = [](const char* words) { return ExitCodeFor(arrow::Status::IOError(words)); };
  EXPECT_EQ(with("AWS Error SLOW_DOWN during GetObject operation: try later"), kUnreachable);
  EXPECT_EQ(with("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation"), kUnreachable);
  EXPECT_EQ(with("AWS Error NETWORK_CONNECTION during GetObject operation"), kUnreachable);
  EXPECT_EQ(with("Azure Error: [] Fail to get a new connection for: http://h:1. Could not connect to server"),
            kUnreachable);
  EXPECT_EQ(with("google::cloud::Status(UNAVAILABLE: Retry policy exhausted)"), kUnreachable);
  EXPECT_EQ(with("the store sent fewer bytes than asked for: wanted 10 at 5, got 3"), kCorruptOrNotSupported);
  EXPECT_EQ(with("AWS Error ACCESS_DENIED during GetObject operation"), kRefused);
  EXPECT_EQ(ExitCodeFor(arrow::Status::Invalid("Invalid ServiceAccountCredentials, parsing failed")), kRefused);
}

}  // namespace
}  // namespace fewter::cli
