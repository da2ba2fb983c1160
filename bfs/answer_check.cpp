#include "bfs/answer_check.h"

#include <algorithm>
#include <cmath>

#include "bfs/answer.h"

namespace bankai::bfs {

std::vector<Answer> generate_answers(Responder& responder, std::span<const Probe> probes,
                                     const AnswerOptions& options) {
  const model::Tokenizer& tokenizer = responder.tokenizer();
  std::vector<std::vector<model::TokenId>> prompts;
  std::vector<std::size_t> limits;
  for (const Probe& probe : probes) {
    prompts.push_back(prompt_tokens(tokenizer, probe));
    limits.push_back(options.max_tokens > 0 ? options.max_tokens : responder.answer_limit(probe));
  }
  const auto generated = responder.continue_greedily(
      prompts, [&](std::size_t index, const std::vector<model::TokenId>& tokens) {
        return tokens.size() >= limits[index] ||
               tokenizer.decode(tokens.back()).find('\n') != std::string::npos ||
               (options.only_verdicts && early_verdict(probes[index], tokenizer.decode(tokens)));
      });
  std::vector<Answer> answers(probes.size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const std::string text = tokenizer.decode(generated[i]);
    answers[i].generated = text.substr(0, text.find('\n'));
    answers[i].correct = is_correct_answer(probes[i], answers[i].generated);
  }
  return answers;
}

std::vector<Answer> generate_answers(model::Transformer& transformer,
                                     const model::Replacements& replacements,
                                     std::span<const Probe> probes, const AnswerOptions& options) {
  return generate_answers(*make_responder(transformer, replacements), probes, options);
}

std::size_t count_correct(std::span<const Answer> answers) {
  return static_cast<std::size_t>(std::count_if(
      answers.begin(), answers.end(), [](const Answer& answer) { return answer.correct; }));
}

AnswerChange compare_answers(std::span<const Answer> before, std::span<const Answer> after) {
  AnswerChange change;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!before[i].correct && after[i].correct) change.fixed.push_back(i);
    if (before[i].correct && !after[i].correct) change.broken.push_back(i);
  }
  return change;
}

Interval wilson_interval(std::size_t successes, std::size_t trials) {
  if (trials == 0) return {};
  constexpr double kZ = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double centre = p + kZ * kZ / (2.0 * n);
  const double spread = kZ * std::sqrt(p * (1.0 - p) / n + kZ * kZ / (4.0 * n * n));
  const double scale = 1.0 + kZ * kZ / n;
  return {std::max(0.0, (centre - spread) / scale), std::min(1.0, (centre + spread) / scale)};
}

double chance_of(std::size_t fixed, std::size_t broken) {
  const std::size_t n = fixed + broken;
  double log_ways = 0.0;  // ln of n over k
  double chance = 0.0;
  for (std::size_t k = n + 1; k-- > fixed;) {
    chance += std::exp(log_ways - static_cast<double>(n) * std::log(2.0));
    log_ways += std::log(static_cast<double>(k)) - std::log(static_cast<double>(n - k + 1));
  }
  return std::min(1.0, chance);
}

}  // namespace bankai::bfs
