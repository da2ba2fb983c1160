// Which files a checkpoint consists of.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/result.h"

namespace bankai::model {

struct SafetensorsIndex {
  std::vector<std::string> files;              // paths, in alphabetical order
  bool has_map = false;                        // or else there is one file, and it has everything
  std::map<std::string, std::string> file_of;  // tensor name → path
};

// `path`: a safetensors file, an index file (….json), or a folder with either. Errors name the
// file: kIo; kBadInput (an index that is not the expected JSON, or names a file outside its
// folder).
Result<SafetensorsIndex> read_safetensors_index(const std::string& path);

}  // namespace bankai::model
