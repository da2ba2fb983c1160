#include "cli/bench_candidates.h"

#include <algorithm>
#include <set>

#include "bfs/evaluator.h"
#include "bfs/overlay.h"
#include "cli/bench_model.h"
#include "cli/bench_speed.h"
#include "cli/bench_timing.h"
#include "core/clock.h"
#include "model/scoring.h"

namespace bankai::cli {
namespace {

using model::TokenId;

constexpr std::size_t kPlainBlock = 1024;  // tokens of whole sequences that go through together
constexpr double kLongEnough = 30.0;       // seconds after which no repetition is begun

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

// So many that all layers together take about two trillion multiply-adds.
std::size_t affordable_batch(const model::Model& model, std::size_t tokens, std::size_t layers) {
  constexpr double kMultiplyAdds = 2e12;
  constexpr double kMost = 32.0;  // as in a search
  const double each = static_cast<double>(tokens) * static_cast<double>(layer_weights(model)) / 2.0;
  return static_cast<std::size_t>(
      std::clamp(kMultiplyAdds / (each * static_cast<double>(layers)), 1.0, kMost));
}

std::vector<patch::Flip> flips_of_layer(const model::Model& model, std::uint32_t layer,
                                        std::size_t count) {
  std::vector<patch::Flip> flips;
  for (std::size_t i = 0; i < count; ++i)
    flips.push_back(
        patch::row_flip({layer, i % 2 == 0 ? Projection::kGate : Projection::kUp},
                        static_cast<std::uint32_t>(i * model.parameters().feed_forward / count)));
  return flips;
}

// Item scores by forward passes of whole sequences, as many together as fit in `block_tokens`.
class PlainEvaluation {
 public:
  PlainEvaluation(model::Transformer& transformer, const bfs::Objective& objective)
      : transformer_(transformer),
        objective_(objective),
        scorer_(transformer),
        terms_(objective.sequences.size()) {
    for (std::size_t i = 0; i < objective.terms.size(); ++i)
      terms_[objective.terms[i].sequence].push_back(i);
    for (std::vector<std::size_t>& terms : terms_)
      std::stable_sort(terms.begin(), terms.end(), [&](std::size_t a, std::size_t b) {
        return objective.terms[a].row < objective.terms[b].row;
      });
  }

  std::vector<double> evaluate(const model::RowOverlay& overlay, std::size_t block_tokens) {
    std::vector<double> values(objective_.terms.size());
    for (std::size_t first = 0; first < objective_.sequences.size();)
      first = run_block(overlay, first, block_tokens, values);
    std::vector<double> scores;
    for (const bfs::Item& item : objective_.items) {
      double sum = 0.0;
      for (std::size_t i = item.first_term; i < item.last_term; ++i)
        sum += objective_.terms[i].coefficient * values[i];
      scores.push_back(sum);
    }
    return scores;
  }

 private:
  // Returns the first sequence behind the block.
  std::size_t run_block(const model::RowOverlay& overlay, std::size_t first,
                        std::size_t block_tokens, std::vector<double>& values) {
    const model::Hyperparameters& h = transformer_.model().parameters();
    std::vector<TokenId> inputs;
    std::vector<model::Segment> segments;
    std::vector<model::TokenQuery> queries;
    std::vector<std::size_t> terms;
    std::size_t next = first;
    for (; next < objective_.sequences.size(); ++next) {
      const std::vector<TokenId>& sequence = objective_.sequences[next];
      if (next > first && inputs.size() + sequence.size() > block_tokens) break;
      segments.push_back({inputs.size(), sequence.size(), nullptr, 0});
      for (const std::size_t term : terms_[next]) {
        queries.push_back(
            {inputs.size() + objective_.terms[term].row, objective_.terms[term].token});
        terms.push_back(term);
      }
      inputs.insert(inputs.end(), sequence.begin(), sequence.end());
    }
    const model::Replacements replacements{&overlay, {}};
    std::vector<float> x(inputs.size() * h.embedding);
    transformer_.embed(inputs, replacements, x.data());
    transformer_.run_layers(0, h.num_layers, segments, replacements, x.data());
    std::vector<double> found(queries.size());
    scorer_.log_probabilities(x.data(), queries, replacements, found);
    for (std::size_t i = 0; i < terms.size(); ++i) values[terms[i]] = found[i];
    return next;
  }

  model::Transformer& transformer_;
  const bfs::Objective& objective_;
  model::Scorer scorer_;
  std::vector<std::vector<std::size_t>> terms_;  // by sequence, ascending by row
};

Status check_scores(bfs::Evaluator& evaluator, PlainEvaluation& plain, const model::Model& model,
                    const std::vector<std::vector<patch::Flip>>& flips) {
  for (const std::vector<patch::Flip>& of_layer : flips) {
    const model::RowOverlay overlay = bfs::make_overlay(model, {of_layer.data(), 1});
    if (evaluator.evaluate_flips({of_layer.data(), 1}) != plain.evaluate(overlay, kPlainBlock))
      return make_error(ErrorCode::kVerification,
                        "the scores of a flip in layer %u are not those of a plain forward pass: "
                        "their speed would mean nothing",
                        of_layer.front().tensor.layer);
  }
  return {};
}

}  // namespace

std::vector<std::uint32_t> spread_layers(std::size_t num_layers) {
  constexpr std::size_t kParts = 8;
  std::set<std::uint32_t> layers;
  for (std::size_t part = 0; part < kParts; ++part)
    layers.insert(static_cast<std::uint32_t>((2 * part + 1) * num_layers / (2 * kParts)));
  return {layers.begin(), layers.end()};
}

void measure_layers(bfs::FlipEvaluator& evaluator,
                    const std::vector<std::vector<patch::Flip>>& flips, std::size_t repetitions,
                    CandidateSpeed& speed) {
  std::vector<std::vector<double>> samples(flips.size());
  const Stopwatch whole;
  for (std::size_t i = 0; i < repetitions && (i == 0 || whole.seconds() < kLongEnough); ++i)
    for (std::size_t layer = 0; layer < flips.size(); ++layer) {
      const Stopwatch clock;
      evaluator.evaluate_flips(flips[layer]);
      samples[layer].push_back(clock.seconds());
    }
  const auto batch = static_cast<double>(speed.batch);
  double sum = 0.0;
  for (std::size_t layer = 0; layer < flips.size(); ++layer) {
    std::vector<double>& of_layer = samples[layer];
    std::sort(of_layer.begin(), of_layer.end());
    const double median = of_layer[of_layer.size() / 2];
    speed.layers.push_back({flips[layer].front().tensor.layer, batch / median});
    sum += median;
  }
  speed.per_second = batch * static_cast<double>(flips.size()) / sum;
}

Result<bfs::Objective> bench_objective(const BenchOptions& options, const model::Model& model) {
  if (options.targets.empty() && options.controls.empty()) return random_objective(model);
  constexpr std::size_t kMostWindow = 512;
  bfs::ObjectiveBuilder builder(model.tokenizer(),
                                std::min(kMostWindow, model.parameters().context));
  const auto add = [&](const std::vector<std::string>& paths, bool is_control) -> Status {
    for (const std::string& path : paths) {
      BANKAI_ASSIGN_OR_RETURN(const bfs::DataSet data, bfs::read_data_set(path));
      for (const bfs::Probe& probe : data.probes)
        BANKAI_RETURN_IF_ERROR(builder.add_probe(probe, bfs::Metric::kNll, 1.0, is_control, {}));
      for (const std::string& text : data.texts)
        BANKAI_RETURN_IF_ERROR(builder.add_text(path, text, bfs::Metric::kNll, 1.0, is_control));
    }
    return {};
  };
  BANKAI_RETURN_IF_ERROR(add(options.targets, false));
  BANKAI_RETURN_IF_ERROR(add(options.controls, true));
  return std::move(builder).build();
}

Result<std::optional<CandidateSpeed>> measure_candidates(model::Transformer& transformer,
                                                         const bfs::Objective& objective,
                                                         const BenchOptions& options) {
  const model::Model& model = transformer.model();
  const std::vector<std::uint32_t> layers = spread_layers(model.parameters().num_layers);
  CandidateSpeed speed;
  speed.tokens = objective.num_tokens();
  speed.batch = options.candidates ? *options.candidates
                                   : affordable_batch(model, speed.tokens, layers.size());
  std::vector<TensorAddress> tensors;
  std::vector<std::vector<patch::Flip>> flips;
  for (const std::uint32_t layer : layers) {
    const TensorAddress gate{layer, Projection::kGate};
    if (!model.bit_matrix(gate) || !model.bit_matrix({layer, Projection::kUp}))
      return std::optional<CandidateSpeed>();
    tensors.push_back(gate);
    flips.push_back(flips_of_layer(model, layer, speed.batch));
  }
  bfs::Evaluator evaluator(transformer, objective, tensors);
  PlainEvaluation plain(transformer, objective);
  speed.nodes = evaluator.num_nodes();
  BANKAI_RETURN_IF_ERROR(check_scores(evaluator, plain, model, flips));
  measure_layers(evaluator, flips, options.repetitions, speed);
  const model::RowOverlay overlay = bfs::make_overlay(model, {flips.front().data(), 1});
  const auto passes_per_second = [&](std::size_t block_tokens) {
    return 1.0 /
           median_seconds(options.repetitions, [&] { plain.evaluate(overlay, block_tokens); });
  };
  speed.plain_per_second = passes_per_second(kPlainBlock);
  speed.one_by_one_per_second = passes_per_second(1);
  return std::optional<CandidateSpeed>(std::move(speed));
}

}  // namespace bankai::cli
