// Probes: prompts with a known right answer. Texts: passages whose likelihood matters.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace bankai::bfs {

struct Probe {
  std::string name;
  std::string category;
  std::string prompt;
  std::string correct;                  // as it continues the prompt, usually with a leading space
  std::string wrong;                    // a fixed wrong answer; may be empty
  std::vector<std::string> alternates;  // other accepted answers
};

struct DataSet {
  std::string path;
  std::vector<Probe> probes;
  std::vector<std::string> texts;
};

// Reads a probes file (".json": a list of objects with prompt, correct, and optionally wrong, name,
// category, alternates), texts or probes line by line (".jsonl": objects with "text", or probe
// objects, or strings) or one plain text (any other name, "-" for standard input).
// Errors: kIo; kBadInput with the file and the entry (or line) that is wrong.
Result<DataSet> read_data_set(const std::string& path);

}  // namespace bankai::bfs
