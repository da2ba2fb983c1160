#include "bfs/objective.h"

#include <algorithm>
#include <array>

#include "bfs/answer.h"
#include "core/format.h"
#include "kernels/scalar_math.h"
#include "model/perplexity.h"

namespace bankai::bfs {

using model::ScoredSequence;
using model::TokenId;

namespace {

constexpr std::array<MetricName, 6> kMetrics = {{
    {Metric::kNll, "nll", "log-probability of the right answer, or of a text"},
    {Metric::kMargin, "margin",
     "right answer minus the model's own best wrong answer, refreshed each round"},
    {Metric::kSeqLogprob, "seq_logprob", "right answer minus the probe's fixed wrong answer"},
    {Metric::kTokenGap, "token_gap", "logit gap of two single tokens at the end of the prompt"},
    {Metric::kKl, "kl", "divergence from the unpatched model (controls only)"},
    {Metric::kProbability, "probability",
     "probability of the right answer: their mean is the expected share of right answers"},
}};

}  // namespace

std::span<const MetricName> all_metrics() { return kMetrics; }

std::string_view metric_name(Metric metric) {
  return kMetrics[static_cast<std::size_t>(metric)].name;
}

std::optional<Metric> find_metric(std::string_view name) {
  for (const MetricName& entry : kMetrics)
    if (entry.name == name) return entry.metric;
  return std::nullopt;
}

double item_score(const Item& item, double sum_of_terms) {
  if (!item.is_probability) return sum_of_terms;
  const double probability = kernels::exp_f64(sum_of_terms);
  return probability > 1.0 ? 1.0 : probability;  // what is no number stays none
}

std::size_t Objective::num_tokens() const {
  std::size_t count = 0;
  for (const std::vector<TokenId>& sequence : sequences) count += sequence.size();
  return count;
}

std::uint32_t ObjectiveBuilder::add_sequence(std::vector<TokenId> inputs) {
  const auto [entry, is_new] = sequence_index_.try_emplace(
      std::move(inputs), static_cast<std::uint32_t>(objective_.sequences.size()));
  if (is_new) objective_.sequences.push_back(entry->first);
  return entry->second;
}

void ObjectiveBuilder::add_terms(std::span<const TokenId> tokens, std::size_t first_target,
                                 double coefficient, bool whole) {
  const std::uint32_t sequence = add_sequence({tokens.begin(), tokens.end() - 1});
  for (std::size_t i = first_target; i < tokens.size(); ++i)
    objective_.terms.push_back({sequence, static_cast<std::uint32_t>(i - 1),
                                whole ? kWholeDistribution : tokens[i], coefficient});
}

Item& ObjectiveBuilder::finish_item(std::string name, double weight, bool is_control) {
  const std::size_t first = objective_.items.empty() ? 0 : objective_.items.back().last_term;
  objective_.items.push_back(
      {std::move(name), weight, is_control, first, objective_.terms.size(), set_, false});
  return objective_.items.back();
}

Status ObjectiveBuilder::add_probe(const Probe& probe, Metric metric, double weight,
                                   bool is_control, const Rival& rival) {
  const bool needs_wrong = metric == Metric::kSeqLogprob || metric == Metric::kTokenGap;
  if (needs_wrong && probe.wrong.empty())
    return make_error(ErrorCode::kBadInput, "probe '%s' has no wrong answer, which metric %s needs",
                      probe.name.c_str(), metric_name(metric).data());
  if (metric == Metric::kTokenGap) {
    const std::vector<TokenId> prompt = prompt_tokens(tokenizer_, probe);
    const std::uint32_t sequence = add_sequence(prompt);
    const auto row = static_cast<std::uint32_t>(prompt.size() - 1);
    objective_.terms.push_back({sequence, row, tokenizer_.encode(probe.correct).back(), 1.0});
    objective_.terms.push_back({sequence, row, tokenizer_.encode(probe.wrong).back(), -1.0});
  } else {
    const ScoredSequence right = answer_sequence(tokenizer_, probe, probe.correct);
    const double coefficient =
        metric == Metric::kKl ? -1.0 / static_cast<double>(right.num_targets()) : 1.0;
    add_terms(right.tokens, right.first_target, coefficient, metric == Metric::kKl);
    if (metric == Metric::kSeqLogprob) {
      const ScoredSequence wrong = answer_sequence(tokenizer_, probe, probe.wrong);
      add_terms(wrong.tokens, wrong.first_target, -1.0, false);
    }
    if (metric == Metric::kMargin) {
      std::vector<TokenId> tokens = prompt_tokens(tokenizer_, probe);
      const std::size_t first_target = tokens.size();
      tokens.insert(tokens.end(), rival.begin(), rival.end());
      add_terms(tokens, first_target, -1.0, false);
    }
  }
  finish_item(probe.name, weight, is_control).is_probability = metric == Metric::kProbability;
  return {};
}

Status ObjectiveBuilder::add_text(const std::string& name, std::string_view text, Metric metric,
                                  double weight, bool is_control) {
  std::vector<TokenId> tokens;
  if (tokenizer_.adds_bos() && tokenizer_.bos() >= 0) tokens.push_back(tokenizer_.bos());
  for (const TokenId token : tokenizer_.encode(text)) tokens.push_back(token);
  if (tokens.size() < 2)
    return make_error(ErrorCode::kBadInput, "%s: fewer than two tokens of text", name.c_str());
  const std::vector<ScoredSequence> windows =
      model::perplexity_windows(tokens, text_context_, text_context_);
  const auto mean_targets =
      static_cast<double>(tokens.size() - 1) / static_cast<double>(windows.size());
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto targets = static_cast<double>(windows[i].num_targets());
    const bool whole = metric == Metric::kKl;
    add_terms(windows[i].tokens, windows[i].first_target, (whole ? -1.0 : 1.0) / targets, whole);
    finish_item(name + "#" + std::to_string(i), weight * targets / mean_targets, is_control);
  }
  return {};
}

}  // namespace bankai::bfs
