#include "cli/bench_characters.h"

#include <algorithm>
#include <iostream>
#include <vector>

#include "bfs/term_scorer.h"
#include "cli/bench_timing.h"
#include "core/bit_matrix.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "model/binary_text.h"
#include "model/scoring.h"

namespace bankai::cli {
namespace {

using model::TokenId;

constexpr std::size_t kTexts = 4;
constexpr std::size_t kMostTextTokens = 128;
constexpr std::size_t kDefaultCandidates = 16;

std::vector<TokenId> random_characters(std::size_t vocabulary, std::size_t count) {
  const CounterRng rng(2);
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<TokenId>(rng.below(i, vocabulary));
  return tokens;
}

// Texts, each an item whose score is the mean log-probability of its characters.
bfs::Objective random_texts(const bfs::SearchModel& model) {
  const std::size_t length = std::clamp(model.context(), std::size_t{2}, kMostTextTokens);
  const std::vector<TokenId> tokens =
      random_characters(model.tokenizer().vocabulary_size(), kTexts * (length + 1));
  bfs::Objective objective;
  for (std::uint32_t s = 0; s < kTexts; ++s) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(s * (length + 1));
    objective.sequences.emplace_back(first, first + static_cast<std::ptrdiff_t>(length));
    for (std::uint32_t row = 0; row < length; ++row)
      objective.terms.push_back({s, row, first[row + 1], 1.0 / static_cast<double>(length)});
    objective.items.push_back(
        {"random", 1.0, false, objective.terms.size() - length, objective.terms.size()});
  }
  return objective;
}

// Item scores by passes over whole texts.
std::vector<double> plain_scores(model::CharacterModel& model, const bfs::Objective& objective) {
  const bfs::TermScorer scorer(model.table(), objective);
  const std::size_t vocabulary = model.shape().vocabulary;
  std::vector<double> values(objective.terms.size());
  std::vector<float> logits;
  std::size_t term = 0;  // they are in the order of texts and rows
  for (std::uint32_t s = 0; s < objective.sequences.size(); ++s) {
    model.clear();
    model.feed(objective.sequences[s], false, logits);
    for (; term < values.size() && objective.terms[term].sequence == s; ++term) {
      const auto row =
          std::span(logits).subspan(objective.terms[term].row * vocabulary, vocabulary);
      values[term] = scorer.value(term, row, model::log_sum_exp(model.table(), row));
    }
  }
  return scorer.item_scores(values);
}

std::vector<patch::Flip> row_flips(const bfs::SearchModel& model, std::uint32_t layer,
                                   std::size_t count) {
  std::vector<patch::Flip> flips;
  for (std::size_t i = 0; i < count; ++i) {
    const TensorAddress tensor{layer, i % 2 == 0 ? Projection::kGate : Projection::kUp};
    const std::size_t rows = patch::shape_of(tensor, *model.weights()(tensor))->rows;
    flips.push_back(patch::row_flip(tensor, static_cast<std::uint32_t>(i * rows / count)));
  }
  return flips;
}

}  // namespace

double measure_character_prompt(model::CharacterModel& model, std::size_t tokens,
                                std::size_t repetitions) {
  const std::vector<TokenId> prompt = random_characters(model.shape().vocabulary, tokens);
  std::vector<float> logits;
  const double seconds = median_seconds(repetitions, [&] {
    model.clear();
    for (std::size_t first = 0; first < tokens; first += model::kCharacterBlock)
      model.feed(std::span(prompt).subspan(first, std::min(model::kCharacterBlock, tokens - first)),
                 true, logits);
  });
  return static_cast<double>(tokens) / seconds;
}

Result<std::string> why_no_flips(const BenchOptions& options, const model::BinaryShape& shape) {
  if (options.candidates == std::size_t{0}) return std::string();
  std::string why;
  if (shape.width % kGroupCols != 0)
    why = format("rows of %zu weights are no groups of %zu", shape.width, std::size_t{kGroupCols});
  else if (shape.vocabulary > model::kMaxCharacters)
    why = format("%zu tokens are more than bytes", shape.vocabulary);
  if (!why.empty() && options.candidates)
    return make_error(ErrorCode::kUsage, "--candidates: this model has no flips to measure: %s",
                      why.c_str());
  return why;
}

Result<CandidateSpeed> measure_character_candidates(bfs::SearchModel& searched,
                                                    const UseFlipped& use_flipped,
                                                    const BenchOptions& options) {
  const bfs::Objective objective = random_texts(searched);
  CandidateSpeed speed;
  speed.tokens = speed.nodes = objective.num_tokens();
  speed.batch = options.candidates.value_or(kDefaultCandidates);
  std::vector<TensorAddress> tensors;
  std::vector<std::vector<patch::Flip>> flips;
  for (const std::uint32_t layer : spread_layers(searched.num_layers())) {
    tensors.push_back({layer, Projection::kGate});
    flips.push_back(row_flips(searched, layer, speed.batch));
  }
  const auto evaluator = searched.make_evaluator(objective, tensors);
  for (const std::vector<patch::Flip>& of_layer : flips) {
    const std::span<const patch::Flip> one(of_layer.data(), 1);
    std::vector<double> expected;
    use_flipped(
        one, [&](model::CharacterModel& flipped) { expected = plain_scores(flipped, objective); });
    if (evaluator->evaluate_flips(one) != expected)
      return make_error(ErrorCode::kVerification,
                        "the scores of a flip in layer %u are not those of a plain forward pass: "
                        "their speed would mean nothing",
                        of_layer.front().tensor.layer);
  }
  measure_layers(*evaluator, flips, options.repetitions, speed);
  use_flipped({}, [&](model::CharacterModel& plain) {
    speed.plain_per_second =
        1.0 / median_seconds(options.repetitions, [&] { plain_scores(plain, objective); });
  });
  speed.one_by_one_per_second = speed.plain_per_second;
  return speed;
}

void print_candidates(const std::optional<CandidateSpeed>& speed, const std::string& why_not) {
  if (!why_not.empty())
    std::cout << format("%-34s %12s: %s\n", "flips", "not measured", why_not.c_str());
  if (!speed) return;
  std::cout << format("%-34s %12.1f flips/s    %.1f times as fast as whole passes (%.1f flips/s)\n",
                      format("flips on %zu tokens", speed->tokens).c_str(), speed->per_second,
                      speed->per_second / speed->plain_per_second, speed->plain_per_second);
  for (const CandidateSpeed::Layer& layer : speed->layers)
    std::cout << format("%-34s %12.1f flips/s    %.1f times\n",
                        format("  layer %u", layer.layer).c_str(), layer.per_second,
                        layer.per_second / speed->plain_per_second);
}

}  // namespace bankai::cli
