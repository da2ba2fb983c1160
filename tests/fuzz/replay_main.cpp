// Runs a fuzz target once on each file named on the command line, and on every file of the folders
// named there: what a build without a fuzzing engine, and ctest, do with seeds and past crashes.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/mapped_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      paths.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
      if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    const auto content = bankai::read_file(path);
    if (!content.ok()) {
      std::fprintf(stderr, "%s\n", content.error().message.c_str());
      return 1;
    }
    // A copy of the exact size, so that a sanitizer sees reads past its end.
    const std::vector<std::uint8_t> bytes(content->begin(), content->end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu inputs\n", paths.size());
  return paths.empty() ? 1 : 0;
}
