#include "bfs/probe_audit.h"

#include <algorithm>
#include <set>
#include <utility>

#include "bfs/answer.h"
#include "bfs/likeliest_tokens.h"
#include "core/format.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

using model::ScoredSequence;
using model::TokenId;

constexpr std::size_t kEnoughTargets = 24;
constexpr std::size_t kNotableShare = 10;  // one probe in so many

bool uses_fixed_wrong(Metric metric) {
  return metric == Metric::kTokenGap || metric == Metric::kSeqLogprob;
}

std::span<const TokenId> targets_of(const ScoredSequence& sequence) {
  return std::span(sequence.tokens).subspan(sequence.first_target);
}

// Token i of `right` is in the common beginning or the common end of both answers, so that a
// difference of their scores hardly depends on it.
bool lies_in_both(std::span<const TokenId> right, std::span<const TokenId> wrong, std::size_t i) {
  const auto beginning = static_cast<std::size_t>(
      std::mismatch(right.begin(), right.end(), wrong.begin(), wrong.end()).first - right.begin());
  const auto end = static_cast<std::size_t>(
      std::mismatch(right.rbegin(), right.rend(), wrong.rbegin(), wrong.rend()).first -
      right.rbegin());
  return i < beginning || i >= right.size() - end;
}

// The first tokens of both, up to and with token i, are the same.
bool begin_alike(std::span<const TokenId> a, std::span<const TokenId> b, std::size_t i) {
  return a.size() > i && b.size() > i && std::ranges::equal(a.first(i + 1), b.first(i + 1));
}

class Audit {
 public:
  // transformer: null for other models.
  Audit(const model::Tokenizer& tokenizer, model::Transformer* transformer)
      : transformer_(transformer), tokenizer_(tokenizer) {}

  void check_answers(const WeightedData& source, Metric metric) {
    for (const Probe& probe : source.data.probes) {
      const std::vector<TokenId> right = tokenizer_.encode(probe.correct);
      const std::vector<TokenId> wrong = tokenizer_.encode(probe.wrong);
      const bool is_dead = metric == Metric::kTokenGap
                               ? !wrong.empty() && right.back() == wrong.back()
                               : right == wrong;
      if (uses_fixed_wrong(metric) && is_dead)
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

  // What the model itself would write, at each token of the right answers.
  void check_against_model(const WeightedData& source, Metric metric) {
    if (transformer_ == nullptr) return;
    std::size_t unseen = 0;  // errors that the fixed wrong answer does not stand for
    std::size_t shared = 0;  // of these, in tokens that both answers have
    std::vector<ScoredSequence> sequences;
    for (const Probe& probe : source.data.probes)
      sequences.push_back(answer_sequence(tokenizer_, probe, probe.correct));
    const std::vector<std::vector<TokenId>> all_likeliest =
        likeliest_tokens(*transformer_, sequences);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const Probe& probe = source.data.probes[i];
      const ScoredSequence& right = sequences[i];
      const std::vector<TokenId>& likeliest = all_likeliest[i];
      check_inside_token(source, probe, right.tokens.back(), likeliest.back());
      if (!uses_fixed_wrong(metric) || probe.wrong.empty()) continue;
      const std::span<const TokenId> answer = targets_of(right);
      const auto error = static_cast<std::size_t>(
          std::mismatch(answer.begin(), answer.end(), likeliest.begin()).first - answer.begin());
      if (error == answer.size() || writes_an_alternate(probe)) continue;
      const ScoredSequence wrong = answer_sequence(tokenizer_, probe, probe.wrong);
      const bool is_shared = lies_in_both(answer, targets_of(wrong), error);
      if (is_shared) ++shared;
      if (is_shared || !begin_alike(targets_of(wrong), likeliest, error)) ++unseen;
    }
    const std::size_t count = source.data.probes.size();
    if (unseen == 0 || unseen < count / kNotableShare) return;
    findings.push_back(
        {FindingKind::kFixedWrong, false,
         format(
             "%s: in %zu of %zu probes (%zu %%) the model goes wrong where the fixed wrong answer "
             "does not (%zu times in a part that right and wrong answer share): %s may rise while "
             "answers get worse; nll and margin see such errors",
             source.data.path.c_str(), unseen, count, 100 * unseen / count, shared,
             std::string(metric_name(metric)).c_str())});
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

  void check_inside_token(const WeightedData& source, const Probe& probe, TokenId last_token,
                          TokenId likeliest_token) {
    const std::string last = tokenizer_.decode(last_token);
    const std::string likeliest = tokenizer_.decode(likeliest_token);
    if (likeliest.size() > last.size() && likeliest.starts_with(last))
      add(FindingKind::kInsideToken, false, source, probe,
          "the answer ends inside a token that the model would rather write whole");
  }

  bool writes_an_alternate(const Probe& probe) {
    return std::any_of(
        probe.alternates.begin(), probe.alternates.end(), [&](const std::string& alternate) {
          const ScoredSequence sequence = answer_sequence(tokenizer_, probe, alternate);
          const std::span<const TokenId> answer = targets_of(sequence);
          const std::vector<TokenId> likeliest =
              likeliest_tokens(*transformer_, {&sequence, 1}).front();
          return std::equal(answer.begin(), answer.end(), likeliest.begin(), likeliest.end());
        });
  }

  model::Transformer* transformer_;
  const model::Tokenizer& tokenizer_;
};

std::vector<Finding> run_audit(Audit audit, const SearchOptions& options, const SearchData& data) {
  for (const WeightedData& source : data.targets) {
    audit.check_answers(source, options.metric);
    audit.check_against_model(source, options.metric);
  }
  for (const WeightedData& source : data.controls)
    audit.check_answers(source, options.control_metric);
  audit.check_duplicates(data.targets);
  audit.check_duplicates(data.controls);
  audit.check_leaks(data);
  audit.check_number(data);
  return std::move(audit.findings);
}

}  // namespace

std::vector<Finding> audit_probes(model::Transformer& transformer, const SearchOptions& options,
                                  const SearchData& data) {
  return run_audit(Audit(transformer.model().tokenizer(), &transformer), options, data);
}

std::vector<Finding> audit_probes(SearchModel& model, const SearchOptions& options,
                                  const SearchData& data) {
  return run_audit(Audit(model.tokenizer(), model.transformer()), options, data);
}

}  // namespace bankai::bfs
