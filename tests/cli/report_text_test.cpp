#include "cli/report_text.h"

#include <gtest/gtest.h>

namespace bankai::cli {
namespace {

TEST(ReportText, one_thing_has_no_plural) {
  EXPECT_EQ(counted(0, "rank"), "0 ranks");
  EXPECT_EQ(counted(1, "rank"), "1 rank");
  EXPECT_EQ(counted(2, "rank"), "2 ranks");
  EXPECT_EQ(counted(1, "patch", "patches"), "1 patch");
  EXPECT_EQ(counted(18446744073709551615U, "patch", "patches"), "18446744073709551615 patches");
}

TEST(ReportText, lines_end_without_blanks) {
  EXPECT_EQ(without_trailing_blanks(""), "");
  EXPECT_EQ(without_trailing_blanks("   "), "");
  EXPECT_EQ(without_trailing_blanks("  a  b  \n\n   \nc\n  "), "  a  b\n\n\nc\n");
}

}  // namespace
}  // namespace bankai::cli
