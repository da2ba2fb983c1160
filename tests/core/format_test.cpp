#include "core/format.h"

#include <gtest/gtest.h>

namespace bankai {
namespace {

TEST(Format, PrintsAnyLength) {
  EXPECT_EQ(format("%s", ""), "");
  EXPECT_EQ(format("%s has %d rows", "up", 3), "up has 3 rows");
  for (const std::size_t length : {1U, 127U, 128U, 4096U, 100000U})
    EXPECT_EQ(format("<%s>", std::string(length, 'x').c_str()),
              std::string("<").append(length, 'x').append(">"));
}

TEST(MakeError, KeepsCodeAndText) {
  const Error error = make_error(ErrorCode::kMismatch, "tensor %zu of %d", std::size_t{2}, 5);
  EXPECT_EQ(error.code, ErrorCode::kMismatch);
  EXPECT_EQ(error.message, "tensor 2 of 5");
}

// Qualified, since std::quoted would be found for a std::string argument.
TEST(Quoted, StaysOnOneShortPrintableLine) {
  EXPECT_EQ(bankai::quoted("blk.0"), "'blk.0'");
  EXPECT_EQ(bankai::quoted(""), "''");
  EXPECT_EQ(bankai::quoted("a\nb"), "'a\\x0ab'");
  EXPECT_EQ(bankai::quoted(std::string_view("\0", 1)), "'\\x00'");
  EXPECT_EQ(bankai::quoted("\x1b[31m\x7f\xff"), "'\\x1b[31m\\x7f\\xff'");
  EXPECT_EQ(bankai::quoted(std::string(80, 'a')), std::string("'").append(80, 'a').append("'"));
  EXPECT_EQ(bankai::quoted(std::string(81, 'a')), std::string("'").append(80, 'a').append("…'"));
  EXPECT_LT(bankai::quoted(std::string(1000000, '\n')).size(), 400U);
}

}  // namespace
}  // namespace bankai
