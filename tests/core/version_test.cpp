#include "core/version.h"

#include <gtest/gtest.h>

#include <string>

namespace bankai {
namespace {

TEST(Version, IsTheReleaseAndTheCommit) {
  const std::string text = version_string();
  const std::string release = BANKAI_VERSION_EXPECTED;
  ASSERT_EQ(text.substr(0, release.size()), release);
  const std::string rest = text.substr(release.size());
  if (rest.empty()) GTEST_SKIP() << "built outside git: there is no commit to name";
  ASSERT_GE(rest.size(), 10U) << rest;  // " (", seven digits or more, ")"
  EXPECT_EQ(rest.substr(0, 2), " (");
  EXPECT_EQ(rest.back(), ')');
  EXPECT_EQ(rest.find_first_not_of("0123456789abcdef", 2), rest.size() - 1) << rest;
}

}  // namespace
}  // namespace bankai
