// A folder of its own for each test, removed at the end; and the places of the test data.
#pragma once

#include <string>

namespace bankai::testing {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// data/NAME of the source tree.
std::string data_path(const std::string& name);

// A file of the reference data that lies beside the project (../shared/data/NAME), or "" if that
// folder is absent; a test that needs it then skips and says so.
std::string reference_data_path(const std::string& name);

}  // namespace bankai::testing
