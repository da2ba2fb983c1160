#include "cli/bench_character_flips.h"

#include <algorithm>
#include <vector>

#include "bfs/term_scorer.h"
#include "cli/bench_speed.h"
#include "cli/bench_timing.h"
#include "core/bit_matrix.h"
#include "core/format.h"
#include "model/binary_text.h"
#include "model/scoring.h"

namespace bankai::cli {

using model::TokenId;

namespace {

constexpr std::size_t kTexts = 4;
constexpr std::size_t kMostTextTokens = 128;
constexpr std::size_t kDefaultCandidates = 16;

// Texts, each an item whose score is the mean log-probability of its characters.
bfs::Objective random_texts(const bfs::SearchModel& model) {
  const std::size_t length = std::clamp(model.context(), std::size_t{2}, kMostTextTokens);
  const std::vector<TokenId> tokens =
      random_token_ids(model.tokenizer().vocabulary_size(), kTexts * (length + 1));
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

}  // namespace bankai::cli
