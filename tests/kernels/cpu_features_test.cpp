#include "kernels/cpu_features.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace bankai::kernels {
namespace {

// What Linux reports, which leaves out what it does not save for programs.
std::set<std::string> system_flags() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    std::set<std::string> flags;
    for (std::string word; words >> word;) flags.insert(word);
    return flags;
  }
  return {};
}

TEST(CpuFeatures, AgreeWithTheSystem) {
  // An emulator may show the flags of the machine it runs on.
  if ((cpu_features() & kCpuNeon) != 0) GTEST_SKIP() << "not an x86 processor";
  const std::set<std::string> flags = system_flags();
  if (flags.empty()) GTEST_SKIP() << "no flags in /proc/cpuinfo";
  const auto all = [&](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (flags.count(name) == 0) return false;
    return true;
  };
  EXPECT_EQ((cpu_features() & kCpuAvx2) != 0, all({"avx2", "fma", "f16c"}));
  EXPECT_EQ((cpu_features() & kCpuAvx512) != 0,
            all({"avx512f", "avx512bw", "avx512dq", "avx512vl"}));
  EXPECT_EQ((cpu_features() & kCpuAvx512Icl) != 0,
            all({"avx512_vnni", "avx512vbmi", "avx512_vpopcntdq"}));
  // The system may have tiles and still refuse them.
  if ((cpu_features() & kCpuAmx) != 0) {
    EXPECT_TRUE(all({"amx_tile", "amx_int8"}));
  }
}

}  // namespace
}  // namespace bankai::kernels
