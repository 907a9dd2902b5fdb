#include <gtest/gtest.h>

#include "fewter/lance/redaction_internal.h"

namespace fewter::lance {
namespace {

std::string Shown(const std::string& message) {
  return WithoutSecrets(arrow::Status::IOError(message)).message();
}

TEST(Redaction, CutsOutSignaturesOfAddresses) {
  EXPECT_EQ(Shown("GET 'https://h/x?sig=abc%3D&sv=1' failed"), "GET 'https://h/x?sig=...&sv=1' failed");
  EXPECT_EQ(Shown("sig=a sig=b"), "sig=... sig=...");
  EXPECT_EQ(Shown("no such file"), "no such file");
}

TEST(Redaction, CutsOutWhatItWasTold) {
  NoteSecret("a-token-of-the-test");
  NoteSecret("a-token-of-the-test-that-is-longer");
  NoteSecret("short");
  EXPECT_EQ(Shown("'a-token-of-the-test', a-token-of-the-test-that-is-longer: too short"), "'...', ...: too short");
}

TEST(Redaction, KeepsTheKindOfError) {
  EXPECT_TRUE(WithoutSecrets(arrow::Status::OK()).ok());
  EXPECT_TRUE(WithoutSecrets(arrow::Status::KeyError("sig=x")).IsKeyError());
}

}  // namespace
}  // namespace fewter::lance
