#include "tests/support/temp_dir.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace bankai::testing {

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "bankai-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string data_path(const std::string& name) {
  return std::string(BANKAI_SOURCE_DIR) + "/data/" + name;
}

std::string reference_data_path(const std::string& name) {
  const std::string path = std::string(BANKAI_SOURCE_DIR) + "/../shared/data/" + name;
  return std::filesystem::exists(path) ? path : std::string();
}

}  // namespace bankai::testing
