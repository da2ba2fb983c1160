// The results of bankai-bench, as a table for people or as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench_candidates.h"
#include "cli/bench_options.h"
#include "cli/bench_speed.h"

namespace bankai::cli {

struct BenchReport {
  BenchOptions options;
  std::string model;
  std::uint64_t model_bytes = 0;
  std::uint64_t weights = 0;
  std::uint64_t layer_weights = 0;  // multiply-adds of a token in all layers, and of the head
  std::uint64_t head_weights = 0;
  std::uint64_t weight_bytes_per_token = 0;
  std::uint64_t kv_bytes_per_position = 0;  // keys and values of all layers
  std::string kv;                           // their format
  std::string activations;                  // their precision
  std::string candidate_activations;        // empty: candidates mean nothing
  std::string kernel;
  int threads = 1;

  double load_seconds = 0.0;
  double read_bytes_per_s = 0.0;
  double int8_per_s = 0.0;
  std::vector<SpeedFigure> prompts;
  std::vector<SpeedFigure> generations;
  std::optional<CandidateSpeed> candidates;

  // Integer work of a prompt beside the instructions' peak; attention is not counted. Above 1 where
  // a kernel needs less than one multiply-add instruction for as many weights.
  double fraction_of_peak(const SpeedFigure& prompt) const;
  // Weight and cache bytes read beside the memory's bandwidth; above 1 where the weights stay in
  // the caches.
  double fraction_of_bandwidth(const SpeedFigure& generation) const;
};

const char* mode_name(kernels::ActivationMode mode);

// On standard output.
void print_bench_report(const BenchReport& report, bool json);

}  // namespace bankai::cli
