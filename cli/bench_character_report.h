// The results of bankai-bench on models of characters, as a table for people or as JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench_candidates.h"
#include "cli/bench_speed.h"
#include "model/binary_model.h"

namespace bankai::cli {

struct CharacterReport {
  std::string name;
  model::BinaryShape shape;
  std::string kernel;
  int threads = 1;
  std::optional<std::size_t> model_bytes;    // of the file; nullopt: not told
  double bytes_per_token = 0.0;              // read for each generated token
  std::optional<double> products_per_token;  // of prompts; nullopt: they are beside no limit
  // How a share above 1 is told: as a multiple that only caches reach, or like any other.
  bool tells_of_caches = false;

  std::vector<SpeedFigure> prompts;
  std::vector<SpeedFigure> generations;
  std::optional<CandidateSpeed> candidates;
  std::string why_no_flips;  // empty: they are measured, or not asked for
};

// On standard output.
void print_character_report(const CharacterReport& report, bool json);

}  // namespace bankai::cli
