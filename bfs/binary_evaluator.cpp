#include "bfs/binary_evaluator.h"

#include <algorithm>

#include "core/check.h"
#include "model/binary_matrices.h"
#include "model/parallel.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kWordsPerGroup = kGroupCols / 64;
constexpr TensorAddress kCodebook{0, Projection::kHead};

void flip_words(const patch::Flip& flip, std::vector<std::uint64_t>& words) {
  switch (flip.kind) {
    case patch::FlipKind::kRow:
      for (std::uint64_t& word : words) word = ~word;
      break;
    case patch::FlipKind::kGroup:
      for (std::size_t i = 0; i < kWordsPerGroup; ++i) {
        std::uint64_t& word = words[flip.index * kWordsPerGroup + i];
        word = ~word;
      }
      break;
    case patch::FlipKind::kBit:
      words[flip.index / 64] ^= std::uint64_t{1} << flip.index % 64;
      break;
    case patch::FlipKind::kStepUp:
    case patch::FlipKind::kStepDown: BANKAI_CHECK(false, "a step of a 1-bit weight");
  }
}

// Of a term's first token among all sequences'.
std::vector<std::pair<std::uint32_t, std::size_t>> terms_by_token(const Objective& objective,
                                                                  const BinaryDelta& delta) {
  std::vector<std::pair<std::uint32_t, std::size_t>> terms;
  for (std::size_t i = 0; i < objective.terms.size(); ++i) {
    const Term& term = objective.terms[i];
    BANKAI_CHECK(term.token != kWholeDistribution, "a divergence of a strictly binary model");
    terms.push_back({static_cast<std::uint32_t>(delta.first_token(term.sequence) + term.row), i});
  }
  std::sort(terms.begin(), terms.end());
  return terms;
}

}  // namespace

BinaryEvaluator::BinaryEvaluator(const model::BinaryModel& model, const kernels::KernelTable& table,
                                 const model::BinaryOptions& options, double logit_scale,
                                 const Objective& objective)
    : model_(model),
      table_(table),
      options_(options),
      unit_(logit_scale / static_cast<double>(model.logit_multiplier)),
      objective_(objective),
      term_scorer_(table, objective),
      delta_(table, options, objective.sequences),
      terms_(terms_by_token(objective, delta_)),
      base_scores_(enter_patch({})) {}

// The row of the flip, of `model` if `rows` does not have it yet, with the flip.
void BinaryEvaluator::add_flip(const patch::Flip& flip, const model::BinaryModel& model,
                               BinaryRows& rows) const {
  const auto [row, is_new] = rows[flip.tensor].try_emplace(flip.row);
  if (is_new) {
    const model::BinaryMatrix& matrix = *model::find_binary_matrix(model, flip.tensor);
    row->second.assign(matrix.row(flip.row), matrix.row(flip.row) + matrix.row_words());
  }
  flip_words(flip, row->second);
}

std::vector<double> BinaryEvaluator::enter_patch(std::span<const patch::Flip> flips) {
  state_rows_.clear();
  for (const patch::Flip& flip : flips) add_flip(flip, model_, state_rows_);
  state_ = model_;
  for (const auto& [tensor, rows] : state_rows_) {
    auto& matrix = const_cast<model::BinaryMatrix&>(*model::find_binary_matrix(state_, tensor));
    for (const auto& [row, words] : rows)
      std::copy(words.begin(), words.end(), matrix.bits.data() + row * matrix.row_words());
  }
  delta_.set_state(state_);
  codebook_ = model::to_panels(state_.codebook);
  workers_.assign(static_cast<std::size_t>(std::max(1, options_.threads)), delta_.make_worker());
  std::vector<std::uint32_t> tokens(delta_.num_tokens());
  for (std::uint32_t i = 0; i < tokens.size(); ++i) tokens[i] = i;
  state_values_.assign(objective_.terms.size(), 0.0);
  score_tokens(tokens, delta_.top(), {}, state_values_);
  return term_scorer_.item_scores(state_values_);
}

// The values of the terms that look at these tokens, ascending, with these states at the top.
void BinaryEvaluator::score_tokens(std::span<const std::uint32_t> tokens,
                                   std::span<const std::uint64_t> states, const BinaryRows& rows,
                                   std::vector<double>& values) const {
  const std::size_t vocabulary = state_.shape.vocabulary;
  const std::size_t words = model::BinaryMatrix::words_of(state_.shape.width);
  std::vector<std::uint64_t> codebook;
  if (const auto replaced = rows.find(kCodebook); replaced != rows.end()) {
    model::BinaryMatrix matrix = state_.codebook;
    for (const auto& [row, bits] : replaced->second)
      std::copy(bits.begin(), bits.end(), matrix.bits.data() + row * words);
    codebook = model::to_panels(matrix);
  }
  const std::uint64_t* panels = codebook.empty() ? codebook_.data() : codebook.data();
  std::vector<std::int32_t> dots(vocabulary);
  std::vector<std::int64_t> integers(vocabulary);
  std::vector<float> logits(vocabulary);
  auto term = terms_.begin();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    term = std::lower_bound(term, terms_.end(), std::pair(tokens[i], std::size_t{0}));
    if (term == terms_.end()) return;
    if (term->first != tokens[i]) continue;
    table_.xnor_gemm(panels, vocabulary, states.data() + i * words, 1, state_.shape.width,
                     dots.data(), vocabulary);
    for (std::size_t v = 0; v < vocabulary; ++v)
      integers[v] = state_.logit_multiplier * dots[v] + state_.biases[v];
    const std::int64_t largest = *std::max_element(integers.begin(), integers.end());
    for (std::size_t v = 0; v < vocabulary; ++v)
      logits[v] = static_cast<float>(static_cast<double>(integers[v] - largest) * unit_);
    const double total = model::log_sum_exp(table_, logits);
    for (; term != terms_.end() && term->first == tokens[i]; ++term)
      values[term->second] =
          static_cast<double>(
              logits[static_cast<std::size_t>(objective_.terms[term->second].token)]) -
          total;
  }
}

std::vector<double> BinaryEvaluator::scores_with(const BinaryRows& rows,
                                                 BinaryDelta::Worker& worker) const {
  const ChangedTokens changed = delta_.run(rows, worker);
  std::vector<double> values = state_values_;
  if (!rows.contains(kCodebook)) {
    score_tokens(changed.tokens, changed.values, rows, values);
    return term_scorer_.item_scores(values);
  }
  // Another codebook: every token has other logits.
  std::vector<std::uint64_t> states(delta_.top().begin(), delta_.top().end());
  const std::size_t words = model::BinaryMatrix::words_of(state_.shape.width);
  for (std::size_t i = 0; i < changed.tokens.size(); ++i)
    std::copy_n(changed.values.data() + i * words, words,
                states.data() + changed.tokens[i] * words);
  std::vector<std::uint32_t> tokens(delta_.num_tokens());
  for (std::uint32_t i = 0; i < tokens.size(); ++i) tokens[i] = i;
  score_tokens(tokens, states, rows, values);
  return term_scorer_.item_scores(values);
}

std::vector<double> BinaryEvaluator::evaluate_patch(std::span<const patch::Flip> flips) {
  BinaryRows rows;
  for (const patch::Flip& flip : flips) add_flip(flip, model_, rows);
  for (const auto& [tensor, replaced] : state_rows_)  // what the state has and the patch has not
    for (const auto& [row, words] : replaced) {
      const auto [entry, is_new] = rows[tensor].try_emplace(row);
      const model::BinaryMatrix& matrix = *model::find_binary_matrix(model_, tensor);
      if (is_new) entry->second.assign(matrix.row(row), matrix.row(row) + matrix.row_words());
    }
  return scores_with(rows, workers_.front());
}

std::vector<double> BinaryEvaluator::evaluate_flips(std::span<const patch::Flip> flips) {
  const std::size_t num_items = objective_.items.size();
  std::vector<double> scores(flips.size() * num_items);
  model::parallel_for(options_.threads, workers_.size(), [&](IndexRange range) {
    for (std::size_t w = range.begin; w < range.end; ++w)
      for (std::size_t i = w; i < flips.size(); i += workers_.size()) {
        BinaryRows rows;
        add_flip(flips[i], state_, rows);
        const std::vector<double> of_flip = scores_with(rows, workers_[w]);
        std::copy(of_flip.begin(), of_flip.end(), scores.data() + i * num_items);
      }
  });
  return scores;
}

FlipEvaluator::BoundedScores BinaryEvaluator::evaluate_flips(std::span<const patch::Flip> flips,
                                                             const FitnessBound&) {
  return {evaluate_flips(flips), std::vector<std::uint8_t>(flips.size())};
}

}  // namespace bankai::bfs
