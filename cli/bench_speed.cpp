#include "cli/bench_speed.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#include "cli/bench_timing.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "kernels/dispatch.h"
#include "model/kv_cache.h"
#include "model/sampler.h"

namespace bankai::cli {
namespace {

using model::TokenId;

constexpr std::size_t kPromptBlock = 512;  // tokens that go through the layers together

// Feeds tokens behind what the cache holds; `logits` (vocabulary) are those after the last one.
void feed(model::Transformer& transformer, std::span<const TokenId> tokens, model::KvCache& cache,
          std::vector<float>& x, std::vector<float>& logits) {
  const model::Hyperparameters& h = transformer.model().parameters();
  const model::Segment segment{0, tokens.size(), &cache, cache.positions()};
  cache.set_positions(segment.past + tokens.size());
  x.resize(tokens.size() * h.embedding);
  transformer.embed(tokens, {}, x.data());
  transformer.run_layers(0, h.num_layers, {&segment, 1}, {}, x.data());
  logits.resize(h.vocabulary);
  transformer.logits(1, x.data() + (tokens.size() - 1) * h.embedding, {}, logits.data());
}

SpeedFigure measure(model::Transformer& transformer, std::size_t tokens, std::size_t depth,
                    const BenchOptions& options, const std::function<double()>& limit,
                    const std::function<void()>& body) {
  return measure_figure(tokens, depth, options, limit, body,
                        [&](model::StageTimes* times) { transformer.measure_stages(times); });
}

// Tokens through the first layer, then the first rows of the head (tokens, rows).
std::vector<float> slice_of_pass(model::Transformer& transformer) {
  constexpr std::size_t kTokens = 2;
  constexpr std::size_t kHeadRows = 1024;
  const model::Model& model = transformer.model();
  const std::vector<TokenId> tokens = random_tokens(model, kTokens);
  std::vector<float> x(kTokens * model.parameters().embedding);
  const model::Segment segment{0, kTokens, nullptr, 0};
  transformer.embed(tokens, {}, x.data());
  transformer.run_layers(0, 1, {&segment, 1}, {}, x.data());
  kernels::ActivationBlock normalised;
  transformer.normalise(kTokens, x.data(), model.output_norm(), normalised);
  const kernels::Panels& head = model.head().panels;
  const std::size_t rows = std::min(kHeadRows, model.head().weights.rows);
  std::vector<float> logits(kTokens * rows);
  if (head.lines != nullptr)
    kernels::matmul(transformer.table(), kernels::slice_panels(head, 0, kernels::num_panels(rows)),
                    normalised, 0, kTokens, logits.data(), rows);
  else
    kernels::matmul_floats(transformer.table(), model.head().weights.slice(0, rows), normalised, 0,
                           kTokens, logits.data(), rows);
  return logits;
}

}  // namespace

std::vector<TokenId> random_token_ids(std::size_t vocabulary, std::size_t count) {
  const CounterRng rng(2);
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<TokenId>(rng.below(i, vocabulary));
  return tokens;
}

std::vector<TokenId> random_tokens(const model::Model& model, std::size_t count) {
  return random_token_ids(model.parameters().vocabulary, count);
}

SpeedFigure measure_figure(std::size_t tokens, std::size_t depth, const BenchOptions& options,
                           const std::function<double()>& limit, const std::function<void()>& body,
                           const std::function<void(model::StageTimes*)>& measure_stages) {
  const BesideLimit timed = median_beside(options.repetitions, limit, body);
  SpeedFigure figure{tokens, depth, static_cast<double>(tokens) / timed.seconds, timed.limit, {}};
  if (options.profile && measure_stages) {
    measure_stages(&figure.stages);
    body();
    measure_stages(nullptr);
  }
  return figure;
}

Error other_logits(const kernels::KernelTable& table) {
  return make_error(ErrorCode::kVerification,
                    "the %s kernels compute other logits than the scalar ones: their speed would "
                    "mean nothing",
                    table.name);
}

Status check_against_scalar(model::Transformer& transformer) {
  const kernels::KernelTable& scalar = *kernels::all_kernels().front();
  model::Transformer reference(transformer.model(), scalar, transformer.options());
  const std::vector<float> expected = slice_of_pass(reference);
  const std::vector<float> found = slice_of_pass(transformer);
  if (std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)) == 0) return {};
  return other_logits(transformer.table());
}

SpeedFigure measure_prompt(model::Transformer& transformer, std::size_t tokens,
                           const BenchOptions& options) {
  const std::vector<TokenId> prompt = random_tokens(transformer.model(), tokens);
  std::vector<float> x;
  std::vector<float> logits;
  return measure(
      transformer, tokens, 0, options,
      [&] { return measure_int8_peak(transformer.table(), transformer.options().threads); },
      [&] {
        model::KvCache cache(transformer.model().parameters(), transformer.options().kv);
        for (std::span<const TokenId> rest = prompt; !rest.empty();) {
          const std::size_t count = std::min(kPromptBlock, rest.size());
          feed(transformer, rest.first(count), cache, x, logits);
          rest = rest.subspan(count);
        }
      });
}

SpeedFigure measure_generation(model::Transformer& transformer, std::size_t tokens,
                               std::size_t depth, const BenchOptions& options,
                               const BandwidthMeter& bandwidth) {
  const std::vector<TokenId> generated = random_tokens(transformer.model(), tokens);
  std::vector<float> x;
  std::vector<float> logits;
  return measure(
      transformer, tokens, depth, options, [&] { return bandwidth.measure(); },
      [&] {
        model::KvCache cache(transformer.model().parameters(), transformer.options().kv);
        cache.set_positions(depth);  // zeros take as long as anything else
        for (const TokenId& token : generated) {
          feed(transformer, {&token, 1}, cache, x, logits);
          const model::StageClock clock(transformer.stage_times(), model::Stage::kSample);
          model::greedy_token(logits);
        }
      });
}

}  // namespace bankai::cli
