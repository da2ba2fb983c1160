#include "bfs/probe_audit.h"

#include <set>
#include <utility>

#include "bfs/answer.h"
#include "core/format.h"
#include "model/sampler.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

using model::ScoredSequence;
using model::TokenId;

constexpr std::size_t kEnoughTargets = 24;

class Audit {
 public:
  explicit Audit(model::Transformer& transformer)
      : transformer_(transformer), tokenizer_(transformer.model().tokenizer()) {}

  void check_answers(const WeightedData& source, Metric metric) {
    for (const Probe& probe : source.data.probes) {
      const std::vector<TokenId> right = tokenizer_.encode(probe.correct);
      const std::vector<TokenId> wrong = tokenizer_.encode(probe.wrong);
      const bool uses_wrong = metric == Metric::kTokenGap || metric == Metric::kSeqLogprob;
      const bool is_dead = metric == Metric::kTokenGap
                               ? !wrong.empty() && right.back() == wrong.back()
                               : right == wrong;
      if (uses_wrong && is_dead)
        add(FindingKind::kDead, true, source, probe,
            "right and wrong answer are the same to this metric");
      if (metric == Metric::kTokenGap && right.size() > 1)
        add(FindingKind::kOffset, false, source, probe,
            "the answer has several tokens, token_gap looks at the last");
      const ScoredSequence sequence = answer_sequence(tokenizer_, probe, probe.correct);
      if (sequence.num_targets() == right.size() && !ends_prompt(sequence, probe))
        add(FindingKind::kBoundary, false, source, probe,
            "prompt and answer share a token; the answer is taken alone");
    }
  }

  void check_inside_tokens(const WeightedData& source) {
    for (const Probe& probe : source.data.probes) {
      const ScoredSequence sequence = answer_sequence(tokenizer_, probe, probe.correct);
      const std::string last = tokenizer_.decode(sequence.tokens.back());
      const std::string likeliest = tokenizer_.decode(likeliest_last_token(sequence));
      if (likeliest.size() > last.size() && likeliest.starts_with(last))
        add(FindingKind::kInsideToken, false, source, probe,
            "the answer ends inside a token that the model would rather write whole");
    }
  }

  void check_duplicates(const std::vector<WeightedData>& sources) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const WeightedData& source : sources)
      for (const Probe& probe : source.data.probes)
        if (!seen.insert({probe.prompt, probe.correct}).second)
          add(FindingKind::kDuplicate, false, source, probe,
              "the same prompt and answer stand before");
  }

  void check_leaks(const SearchData& data) {
    std::set<std::string> searched;
    for (const auto* sources : {&data.targets, &data.controls})
      for (const WeightedData& source : *sources)
        for (const Probe& probe : source.data.probes) searched.insert(probe.prompt);
    for (const WeightedData& source : data.held_out)
      for (const Probe& probe : source.data.probes)
        if (searched.contains(probe.prompt))
          add(FindingKind::kLeak, false, source, probe, "held out, but its prompt is searched on");
  }

  void check_number(const SearchData& data) {
    std::size_t probes = 0;
    bool has_text = false;
    for (const WeightedData& source : data.targets) {
      probes += source.data.probes.size();
      has_text = has_text || !source.data.texts.empty();
    }
    if (!has_text && probes < kEnoughTargets)
      findings.push_back(
          {FindingKind::kFewProbes, false,
           format("only %zu target probes: a search memorises so few; watch the held-out result",
                  probes)});
  }

  std::vector<Finding> findings;

 private:
  void add(FindingKind kind, bool is_fatal, const WeightedData& source, const Probe& probe,
           const char* problem) {
    findings.push_back(
        {kind, is_fatal,
         format("%s: probe '%s': %s", source.data.path.c_str(), probe.name.c_str(), problem)});
  }

  // True if the sequence is the plain encoding of prompt + answer.
  bool ends_prompt(const ScoredSequence& sequence, const Probe& probe) const {
    std::vector<TokenId> whole = tokenizer_.encode(probe.prompt + probe.correct);
    if (tokenizer_.adds_bos() && tokenizer_.bos() >= 0)
      whole.insert(whole.begin(), tokenizer_.bos());
    return whole == sequence.tokens;
  }

  TokenId likeliest_last_token(const ScoredSequence& sequence) {
    const model::Hyperparameters& h = transformer_.model().parameters();
    const std::size_t count = sequence.num_inputs();
    std::vector<float> x(count * h.embedding);
    std::vector<float> logits(h.vocabulary);
    const model::Segment segment{0, count, nullptr, 0};
    transformer_.embed(std::span(sequence.tokens).first(count), {}, x.data());
    transformer_.run_layers(0, h.num_layers, {&segment, 1}, {}, x.data());
    transformer_.logits(1, x.data() + (count - 1) * h.embedding, {}, logits.data());
    return model::greedy_token(logits);
  }

  model::Transformer& transformer_;
  const model::Tokenizer& tokenizer_;
};

}  // namespace

std::vector<Finding> audit_probes(model::Transformer& transformer, const SearchOptions& options,
                                  const SearchData& data) {
  Audit audit(transformer);
  for (const WeightedData& source : data.targets) {
    audit.check_answers(source, options.metric);
    audit.check_inside_tokens(source);
  }
  for (const WeightedData& source : data.controls)
    audit.check_answers(source, options.control_metric);
  audit.check_duplicates(data.targets);
  audit.check_duplicates(data.controls);
  audit.check_leaks(data);
  audit.check_number(data);
  return std::move(audit.findings);
}

}  // namespace bankai::bfs
