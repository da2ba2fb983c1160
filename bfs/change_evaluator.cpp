#include "bfs/change_evaluator.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"
#include "model/parallel.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kWordsPerGroup = kGroupCols / 64;
constexpr TensorAddress kHead{0, Projection::kHead};

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

}  // namespace

ChangeEvaluator::ChangeEvaluator(std::unique_ptr<ChangeEngine> engine,
                                 const kernels::KernelTable& table, int threads,
                                 const Objective& objective)
    : engine_(std::move(engine)),
      table_(table),
      threads_(std::max(1, threads)),
      objective_(objective),
      term_scorer_(table, objective),
      tokens_(engine_->num_tokens()) {
  std::iota(tokens_.begin(), tokens_.end(), 0U);
  for (std::size_t i = 0; i < objective.terms.size(); ++i) {
    const Term& term = objective.terms[i];
    terms_.push_back(
        {static_cast<std::uint32_t>(engine_->first_token(term.sequence) + term.row), i});
  }
  std::sort(terms_.begin(), terms_.end());
  base_scores_ = enter_patch({});
}

std::vector<std::uint64_t> ChangeEvaluator::row_of_model(TensorAddress tensor,
                                                         std::uint32_t row) const {
  const model::BinaryMatrix& matrix = engine_->matrix(tensor);
  return {matrix.row(row), matrix.row(row) + matrix.row_words()};
}

void ChangeEvaluator::add_flip(const patch::Flip& flip, From from, BinaryRows& rows) const {
  const auto [row, is_new] = rows[flip.tensor].try_emplace(flip.row);
  if (is_new) {
    const ReplacedBits* of_state = find_rows(state_rows_, flip.tensor);
    const bool has_state =
        from == From::kState && of_state != nullptr && of_state->contains(flip.row);
    row->second = has_state ? of_state->at(flip.row) : row_of_model(flip.tensor, flip.row);
  }
  flip_words(flip, row->second);
}

std::vector<double> ChangeEvaluator::enter_patch(std::span<const patch::Flip> flips) {
  state_rows_.clear();
  for (const patch::Flip& flip : flips) add_flip(flip, From::kModel, state_rows_);
  engine_->set_state(state_rows_);
  if (base_scores_.empty())  // the unpatched model
    visit_logits(tokens_, engine_->top(), nullptr,
                 [&](std::size_t term, std::span<const float> logits, double) {
                   term_scorer_.record_reference(term, logits);
                 });
  workers_.assign(static_cast<std::size_t>(threads_), engine_->make_worker());
  state_values_.assign(objective_.terms.size(), 0.0);
  visit_logits(tokens_, engine_->top(), nullptr,
               [&](std::size_t term, std::span<const float> logits, double total) {
                 state_values_[term] = term_scorer_.value(term, logits, total);
               });
  return term_scorer_.item_scores(state_values_);
}

void ChangeEvaluator::visit_logits(
    std::span<const std::uint32_t> tokens, std::span<const std::uint64_t> top,
    const ReplacedBits* replaced,
    const std::function<void(std::size_t, std::span<const float>, double)>& visit) const {
  const std::size_t words = engine_->top().size() / tokens_.size();
  std::vector<float> logits;
  auto term = terms_.begin();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    term = std::lower_bound(term, terms_.end(), std::pair(tokens[i], std::size_t{0}));
    if (term == terms_.end()) return;
    if (term->first != tokens[i]) continue;
    engine_->logits(top.data() + i * words, replaced, logits);
    const double total = model::log_sum_exp(table_, logits);
    for (; term != terms_.end() && term->first == tokens[i]; ++term)
      visit(term->second, logits, total);
  }
}

std::vector<double> ChangeEvaluator::scores_with(const BinaryRows& rows,
                                                 ChangeEngine::Worker& worker) const {
  const ChangedTokens changed = engine_->run(rows, worker);
  const ReplacedBits* head = find_rows(rows, kHead);
  std::vector<double> values = state_values_;
  const auto keep_value = [&](std::size_t term, std::span<const float> logits, double total) {
    values[term] = term_scorer_.value(term, logits, total);
  };
  if (head == nullptr) {
    visit_logits(changed.tokens, changed.values, nullptr, keep_value);
    return term_scorer_.item_scores(values);
  }
  // Another head: every token has other logits.
  Words top(engine_->top().begin(), engine_->top().end());
  const std::size_t words = top.size() / tokens_.size();
  for (std::size_t i = 0; i < changed.tokens.size(); ++i)
    std::copy_n(changed.values.data() + i * words, words, top.data() + changed.tokens[i] * words);
  visit_logits(tokens_, top, head, keep_value);
  return term_scorer_.item_scores(values);
}

std::vector<double> ChangeEvaluator::evaluate_patch(std::span<const patch::Flip> flips) {
  BinaryRows rows;
  for (const auto& [tensor, replaced] : state_rows_)  // what the state has and the patch has not
    for (const auto& [row, words] : replaced) rows[tensor][row] = row_of_model(tensor, row);
  for (const patch::Flip& flip : flips) add_flip(flip, From::kModel, rows);
  return scores_with(rows, workers_.front());
}

std::vector<double> ChangeEvaluator::evaluate_flips(std::span<const patch::Flip> flips) {
  const std::size_t num_items = objective_.items.size();
  std::vector<double> scores(flips.size() * num_items);
  model::parallel_for(threads_, workers_.size(), [&](IndexRange range) {
    for (std::size_t w = range.begin; w < range.end; ++w)
      for (std::size_t i = w; i < flips.size(); i += workers_.size()) {
        BinaryRows rows;
        add_flip(flips[i], From::kState, rows);
        const std::vector<double> of_flip = scores_with(rows, workers_[w]);
        std::copy(of_flip.begin(), of_flip.end(), scores.data() + i * num_items);
      }
  });
  return scores;
}

FlipEvaluator::BoundedScores ChangeEvaluator::evaluate_flips(std::span<const patch::Flip> flips,
                                                             const FitnessBound&) {
  return {evaluate_flips(flips), std::vector<std::uint8_t>(flips.size())};
}

}  // namespace bankai::bfs
