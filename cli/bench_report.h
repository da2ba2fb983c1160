// The results of bankai-bench, as a table for people or as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/bench_options.h"
#include "cli/bench_speed.h"

namespace bankai::cli {

struct BenchReport {
  BenchOptions options;
  std::string model;
  std::uint64_t model_bytes = 0;
  std::uint64_t layer_weights = 0;
  std::uint64_t head_weights = 0;
  std::uint64_t weight_bytes_per_token = 0;
  std::string kernel;
  int threads = 1;

  double read_bytes_per_s = 0.0;
  double int8_per_s = 0.0;
  std::optional<double> prompt_tps;
  std::optional<double> generation_tps;
  std::optional<CandidateSpeed> candidates;

  // Integer work of the prompt beside the kernels' own peak; attention is not counted.
  std::optional<double> prompt_fraction_of_peak() const;
  // Weight bytes read beside the memory's bandwidth; above 1 where the weights stay in the caches.
  std::optional<double> generation_fraction_of_bandwidth() const;
};

// On standard output.
void print_bench_report(const BenchReport& report, bool json);

}  // namespace bankai::cli
