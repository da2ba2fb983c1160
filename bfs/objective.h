// What a search improves and what it must not break, as one list of terms.
//
// Every metric is a weighted sum of log-probabilities (or divergences) at certain rows of certain
// token sequences. An Objective is that list: evaluating it needs no knowledge of probes or
// metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bfs/probe.h"
#include "core/result.h"
#include "model/tokenizer.h"

namespace bankai::bfs {

enum class Metric {
  kNll,          // ln P(right answer), or mean ln P of a text's tokens
  kMargin,       // the same minus ln P(the model's own best wrong answer), refreshed each round
  kSeqLogprob,   // ln P(right answer) − ln P(the probe's fixed wrong answer)
  kTokenGap,     // logit gap of the answers' last stand-alone subtokens at the end of the prompt
  kKl,           // −KL(unpatched ‖ patched), mean over the scored rows; for controls
  kProbability,  // P(right answer), whose mean is the expected share of right answers; texts as
                 // kNll
};

struct MetricName {
  Metric metric;
  std::string_view name;
  std::string_view help;
};
std::span<const MetricName> all_metrics();
std::string_view metric_name(Metric metric);
std::optional<Metric> find_metric(std::string_view name);

inline constexpr model::TokenId kWholeDistribution = -1;

// coefficient × ln P(token | the sequence's first row + 1 inputs); for kWholeDistribution
// coefficient × KL(unpatched ‖ current) of the distribution there.
struct Term {
  std::uint32_t sequence = 0;
  std::uint32_t row = 0;
  model::TokenId token = 0;
  double coefficient = 1.0;
};

// A target or control: its score is the sum of terms [first_term, last_term), in order, or what
// item_score() makes of it.
struct Item {
  std::string name;
  double weight = 1.0;
  bool is_control = false;
  std::size_t first_term = 0;
  std::size_t last_term = 0;
  std::uint32_t set = 0;        // which of the targets' (or controls') sources it comes from
  bool is_probability = false;  // the sum is that of a log-probability, the score is e to it
};

// At most 1 for a probability; rounding could exceed it.
double item_score(const Item& item, double sum_of_terms);

struct Objective {
  std::vector<std::vector<model::TokenId>> sequences;  // model inputs, each from an empty cache
  std::vector<Term> terms;
  std::vector<Item> items;

  std::size_t num_tokens() const;
};

// A right-or-wrong answer given by the model itself, as tokens after the prompt (for kMargin).
using Rival = std::vector<model::TokenId>;

class ObjectiveBuilder {
 public:
  // `text_context`: tokens per window of a text.
  ObjectiveBuilder(const model::Tokenizer& tokenizer, std::size_t text_context)
      : tokenizer_(tokenizer), text_context_(text_context) {}

  // Items that are added from now on come from source `set` of their role.
  void begin_set(std::uint32_t set) { set_ = set; }
  // One item per probe. Errors: kBadInput if the metric needs a wrong answer and the probe has
  // none. `rival` is used by kMargin alone.
  Status add_probe(const Probe& probe, Metric metric, double weight, bool is_control,
                   const Rival& rival);
  // One item per window; the windows' weights are their shares of the scored tokens and sum to
  // weight × windows, so that their weighted mean is the text's mean. kKl or, for any other metric,
  // kNll.
  Status add_text(const std::string& name, std::string_view text, Metric metric, double weight,
                  bool is_control);

  Objective build() && { return std::move(objective_); }

 private:
  std::uint32_t add_sequence(std::vector<model::TokenId> inputs);
  // Terms for each target of the sequence; `whole` for divergences instead of log-probabilities.
  void add_terms(std::span<const model::TokenId> tokens, std::size_t first_target,
                 double coefficient, bool whole);
  Item& finish_item(std::string name, double weight, bool is_control);

  const model::Tokenizer& tokenizer_;
  std::size_t text_context_;
  std::uint32_t set_ = 0;
  Objective objective_;
  std::map<std::vector<model::TokenId>, std::uint32_t> sequence_index_;
};

}  // namespace bankai::bfs
