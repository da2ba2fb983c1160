// The measurements of bankai-bench on a model.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "cli/bench_machine.h"
#include "cli/bench_options.h"
#include "core/result.h"
#include "model/stage_times.h"
#include "model/transformer.h"

namespace bankai::cli {

// `count` tokens of a vocabulary, always the same.
std::vector<model::TokenId> random_token_ids(std::size_t vocabulary, std::size_t count);
std::vector<model::TokenId> random_tokens(const model::Model& model, std::size_t count);

// A speed, and what the machine could do at most at the same time.
struct SpeedFigure {
  std::size_t tokens = 0;
  std::size_t depth = 0;  // positions in the cache before the first of them
  double per_second = 0.0;
  double limit = 0.0;  // of prompts: multiply-adds per second; of generation: bytes per second
  model::StageTimes stages{};  // seconds of one more run, if asked for
};

// The median time of `body`, which handles `tokens` tokens, beside a limit (median_beside). The
// stages are those of one more run that `measure_stages` sees, if --profile asks for it and there
// are any: from then on it adds seconds to what it is given, and ends that with nullptr.
SpeedFigure measure_figure(std::size_t tokens, std::size_t depth, const BenchOptions& options,
                           const std::function<double()>& limit, const std::function<void()>& body,
                           const std::function<void(model::StageTimes*)>& measure_stages = {});

// kVerification: the kernels of this table compute other logits than the scalar ones.
Error other_logits(const kernels::KernelTable& table);

// kVerification unless the transformer's kernels give the same bits as the scalar ones: two tokens
// through the first layer, and 1,024 rows of the head. (A whole pass in scalar code would take
// minutes for a large model.)
Status check_against_scalar(model::Transformer& transformer);

// A prompt: through all layers in blocks, with the logits of the last one. The limit is
// measure_int8_peak.
SpeedFigure measure_prompt(model::Transformer& transformer, std::size_t tokens,
                           const BenchOptions& options);

// Tokens one after the other behind `depth` positions, each with its logits and the choice of the
// next. The limit is the read bandwidth.
SpeedFigure measure_generation(model::Transformer& transformer, std::size_t tokens,
                               std::size_t depth, const BenchOptions& options,
                               const BandwidthMeter& bandwidth);

}  // namespace bankai::cli
