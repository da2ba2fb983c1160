// The options of bankai-infer, declared and read in one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bfs/objective.h"
#include "cli/command_line.h"
#include "cli/model_kind.h"
#include "core/result.h"
#include "kernels/matmul.h"
#include "model/kv_format.h"
#include "model/sampler.h"

namespace bankai::cli {

enum class InferJob { kGenerate, kPerplexity, kDivergence, kProbes, kTokenize };

struct InferOptions {
  InferJob job = InferJob::kGenerate;
  std::string model;
  std::vector<std::string> patches;
  // Where the text comes from: one of the two, none for probes.
  std::optional<std::string> prompt;
  std::optional<std::string> file;
  bool parse_special = false;

  std::optional<std::size_t> max_tokens;  // nullopt: until the model ends
  model::SamplingOptions sampling;
  std::string logits_out;  // empty: not wanted

  std::optional<std::size_t> context;  // of a window of perplexity, or a chunk of divergence
  std::optional<std::size_t> stride;
  std::size_t chunks = 0;  // most to measure; 0: all

  std::vector<std::string> probes;
  bool compare = false;
  bfs::Metric metric = bfs::Metric::kNll;
  std::size_t answer_tokens = 0;  // 0: by the answer's length

  kernels::ActivationMode activations = kernels::ActivationMode::kA8;
  std::optional<model::KvFormat> kv;  // nullopt: by the activations
  bool verbose = false;
};

void add_infer_options(CommandLine& line);

// Errors (kUsage): values out of range, jobs that exclude each other, something missing.
Result<InferOptions> read_infer_options(const CommandLine& line);

// Errors (kUsage): an option was given that means nothing for the job on a model of this kind.
Status check_infer_options(const CommandLine& line, InferJob job, ModelKind kind);

}  // namespace bankai::cli
