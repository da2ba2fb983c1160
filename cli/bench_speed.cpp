#include "cli/bench_speed.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <vector>

#include "bfs/evaluator.h"
#include "bfs/overlay.h"
#include "cli/bench_model.h"
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

std::vector<TokenId> random_tokens(const model::Model& model, std::size_t count) {
  const CounterRng rng(2);
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<TokenId>(rng.below(i, model.parameters().vocabulary));
  return tokens;
}

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
                    const BenchOptions& options, const std::function<double()>& measure_limit,
                    const std::function<void()>& body) {
  const BesideLimit timed = median_beside(options.repetitions, measure_limit, body);
  SpeedFigure figure{tokens, depth, static_cast<double>(tokens) / timed.seconds, timed.limit, {}};
  if (options.profile) {
    transformer.measure_stages(&figure.stages);
    body();
    transformer.measure_stages(nullptr);
  }
  return figure;
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

// Sequences of random tokens; the last ones of each are scored.
bfs::Objective random_objective(const model::Model& model) {
  constexpr std::uint32_t kSequences = 4;
  constexpr std::uint32_t kTokens = 12;
  constexpr std::uint32_t kScored = 4;
  const std::vector<TokenId> tokens = random_tokens(model, kSequences * (kTokens + 1));
  bfs::Objective objective;
  for (std::uint32_t s = 0; s < kSequences; ++s) {
    const auto first = tokens.begin() + s * (kTokens + 1);
    objective.sequences.emplace_back(first, first + kTokens);
    for (std::uint32_t row = kTokens - kScored; row < kTokens; ++row)
      objective.terms.push_back({s, row, first[row + 1], 1.0});
    objective.items.push_back(
        {"random", 1.0, false, objective.terms.size() - kScored, objective.terms.size()});
  }
  return objective;
}

// Up to four layers in the middles of equal parts of the depth: their mean cost is that of all.
std::vector<std::uint32_t> spread_layers(std::size_t num_layers) {
  constexpr std::size_t kParts = 4;
  std::set<std::uint32_t> layers;
  for (std::size_t part = 0; part < kParts; ++part)
    layers.insert(static_cast<std::uint32_t>((2 * part + 1) * num_layers / (2 * kParts)));
  return {layers.begin(), layers.end()};
}

// So many that all layers together take about two trillion multiply-adds.
std::size_t affordable_batch(const model::Model& model, std::size_t tokens, std::size_t layers) {
  constexpr double kMultiplyAdds = 2e12;
  constexpr double kMost = 32.0;  // as in a search
  const double each = static_cast<double>(tokens) * static_cast<double>(layer_weights(model)) / 2.0;
  return static_cast<std::size_t>(
      std::clamp(kMultiplyAdds / (each * static_cast<double>(layers)), 1.0, kMost));
}

}  // namespace

Status check_against_scalar(model::Transformer& transformer) {
  const kernels::KernelTable& scalar = *kernels::all_kernels().front();
  model::Transformer reference(transformer.model(), scalar, transformer.options());
  const std::vector<float> expected = slice_of_pass(reference);
  const std::vector<float> found = slice_of_pass(transformer);
  if (std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)) == 0) return {};
  return make_error(ErrorCode::kVerification,
                    "the %s kernels compute other logits than the scalar ones: their speed would "
                    "mean nothing",
                    transformer.table().name);
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

std::optional<CandidateSpeed> measure_candidates(model::Transformer& transformer,
                                                 std::optional<std::size_t> batch,
                                                 std::size_t repetitions) {
  const model::Model& model = transformer.model();
  const bfs::Objective objective = random_objective(model);
  const std::vector<std::uint32_t> layers = spread_layers(model.parameters().num_layers);
  CandidateSpeed speed;
  speed.tokens = objective.num_tokens();
  speed.batch = batch ? *batch : affordable_batch(model, speed.tokens, layers.size());
  std::vector<TensorAddress> tensors;
  std::vector<patch::Flip> flips;
  for (const std::uint32_t layer : layers) {
    const TensorAddress gate{layer, Projection::kGate};
    const TensorAddress up{layer, Projection::kUp};
    if (!model.bit_matrix(gate) || !model.bit_matrix(up)) return std::nullopt;
    tensors.push_back(gate);
    for (std::size_t i = 0; i < speed.batch; ++i)
      flips.push_back(
          patch::row_flip(i % 2 == 0 ? gate : up,
                          static_cast<std::uint32_t>(i * 37 % model.parameters().feed_forward)));
  }
  bfs::Evaluator evaluator(transformer, objective, tensors);
  speed.per_second = static_cast<double>(flips.size()) /
                     median_seconds(repetitions, [&] { evaluator.evaluate_flips(flips); });
  const model::RowOverlay overlay = bfs::make_overlay(model, {flips.data(), 1});
  speed.plain_per_second =
      1.0 / median_seconds(repetitions, [&] { evaluator.evaluate_overlay(overlay); });
  return speed;
}

}  // namespace bankai::cli
