// The measurements of bankai-bench on a model.
#pragma once

#include <cstddef>
#include <optional>

#include "cli/bench_machine.h"
#include "cli/bench_options.h"
#include "core/result.h"
#include "model/stage_times.h"
#include "model/transformer.h"

namespace bankai::cli {

// kVerification unless the transformer's kernels give the same bits as the scalar ones: two tokens
// through the first layer, and 1,024 rows of the head. (A whole pass in scalar code would take
// minutes for a large model.)
Status check_against_scalar(model::Transformer& transformer);

// A speed, and what the machine could do at most at the same time.
struct SpeedFigure {
  std::size_t tokens = 0;
  std::size_t depth = 0;  // positions in the cache before the first of them
  double per_second = 0.0;
  double limit = 0.0;  // of prompts: multiply-adds per second; of generation: bytes per second
  model::StageTimes stages{};  // seconds of one more run, if asked for
};

// A prompt: through all layers in blocks, with the logits of the last one. The limit is
// measure_int8_peak.
SpeedFigure measure_prompt(model::Transformer& transformer, std::size_t tokens,
                           const BenchOptions& options);

// Tokens one after the other behind `depth` positions, each with its logits and the choice of the
// next. The limit is the read bandwidth.
SpeedFigure measure_generation(model::Transformer& transformer, std::size_t tokens,
                               std::size_t depth, const BenchOptions& options,
                               const BandwidthMeter& bandwidth);

struct CandidateSpeed {
  double per_second = 0.0;        // flips evaluated exactly, averaged over the model's depth
  double plain_per_second = 0.0;  // by a forward pass of the whole model for each
  std::size_t tokens = 0;         // that each flip is evaluated on
  std::size_t batch = 0;          // flips evaluated together
};

// Row flips of gate and up in up to four layers spread over the depth; `batch` flips in each,
// nullopt: as many as keep this short. On random tokens, of which a part is scored. Nothing for a
// model whose weights there are not one-bit.
std::optional<CandidateSpeed> measure_candidates(model::Transformer& transformer,
                                                 std::optional<std::size_t> batch,
                                                 std::size_t repetitions);

}  // namespace bankai::cli
