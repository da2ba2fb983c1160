// The options of bankai-bench, declared and read in one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "core/result.h"
#include "kernels/matmul.h"
#include "model/kv_format.h"
#include "model/random_binary_model.h"
#include "model/random_model.h"

namespace bankai::cli {

struct BenchOptions {
  // Exactly one of the four.
  std::string model;
  const model::ModelShape* shape = nullptr;                // of a random model
  const model::BinaryShapeName* binary_shape = nullptr;    // of a random strictly binary model
  const model::BinaryShapeName* residual_shape = nullptr;  // of one with a float residual

  std::string save;  // where the random model stays; empty: nowhere
  std::uint64_t seed = 0;
  kernels::TensorType weights = kernels::TensorType::kQ1_0;  // of a random model's matrices
  std::vector<std::size_t> prompts;                          // tokens of each; empty: none
  std::size_t generated_tokens = 0;                          // 0: no generation
  std::vector<std::size_t> depths;        // positions in the cache before generation begins
  std::optional<std::size_t> candidates;  // per measured layer; nullopt: by the model's size
  std::vector<std::string> targets;       // files that they are evaluated on; with controls empty:
  std::vector<std::string> controls;      // random tokens
  std::size_t repetitions = 1;
  bool profile = false;
  kernels::ActivationMode activations = kernels::ActivationMode::kA8;
  kernels::ActivationMode candidate_activations = kernels::ActivationMode::kA16;
  std::optional<model::KvFormat> kv;  // of prompts and generation; nullopt: by the activations

  // A random model is all that is asked for.
  bool only_writes() const { return !save.empty() && prompts.empty() && generated_tokens == 0; }
};

void add_bench_options(CommandLine& line);

// Errors (kUsage): values out of range, no model or two of them.
Result<BenchOptions> read_bench_options(const CommandLine& line);

// kUsage if a prompt, or depth and generation together, go beyond the context of the model.
Status check_lengths(const BenchOptions& options, std::size_t context);

}  // namespace bankai::cli
