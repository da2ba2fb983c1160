#include "core/version.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace bankai {
namespace {

TEST(Version, IsTheReleaseAndTheCommit) {
  const std::string text = version_string();
  EXPECT_EQ(text.rfind(BANKAI_VERSION_EXPECTED, 0), 0U) << text;
  EXPECT_TRUE(std::regex_match(text, std::regex(R"(\d+\.\d+\.\d+( \([0-9a-f]{7,}\))?)"))) << text;
}

}  // namespace
}  // namespace bankai
