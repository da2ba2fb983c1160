// The proof by generation: greedy answers to probes, right or wrong, before and after a patch.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bfs/probe.h"
#include "bfs/responder.h"
#include "model/transformer.h"

namespace bankai::bfs {

struct AnswerOptions {
  std::size_t max_tokens = 0;  // 0: the responder's limit for each probe
  bool only_verdicts = false;  // texts may end where it is clear whether they are right
};

struct Answer {
  std::string generated;  // up to and without the first newline
  bool correct = false;
};

std::vector<Answer> generate_answers(Responder& responder, std::span<const Probe> probes,
                                     const AnswerOptions& options);
std::vector<Answer> generate_answers(model::Transformer& transformer,
                                     const model::Replacements& replacements,
                                     std::span<const Probe> probes, const AnswerOptions& options);

std::size_t count_correct(std::span<const Answer> answers);

struct AnswerChange {
  std::vector<std::size_t> fixed;   // wrong before, right after
  std::vector<std::size_t> broken;  // right before, wrong after
};
AnswerChange compare_answers(std::span<const Answer> before, std::span<const Answer> after);

// Wilson's score interval for a proportion, 95 % (Wilson 1927).
struct Interval {
  double low = 0.0;
  double high = 1.0;
};
Interval wilson_interval(std::size_t successes, std::size_t trials);

// How often a patch without any effect would fix at least so many of the answers that it changes,
// each being fixed or broken by the toss of a coin (sign test, one-sided); 1 if nothing changes.
double chance_of(std::size_t fixed, std::size_t broken);

}  // namespace bankai::bfs
