// Answers as tokens, and when a generated answer counts as right.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bfs/probe.h"
#include "model/scoring.h"
#include "model/tokenizer.h"

namespace bankai::bfs {

// The prompt as the model sees it, with BOS where the model wants one.
std::vector<model::TokenId> prompt_tokens(const model::Tokenizer& tokenizer, const Probe& probe);

// Prompt and answer encoded as one string, split after the prompt's tokens; where these are no
// prefix of it, the answer is encoded alone. Targets are the answer's tokens.
model::ScoredSequence answer_sequence(const model::Tokenizer& tokenizer, const Probe& probe,
                                      std::string_view answer);

// Compared form of an answer: without white space, lower case (ASCII), without ( ) { } [ ] *, with
// "sqrt" for √.
std::string normalise_answer(std::string_view text);

// `generated` starts with the answer or an alternate (in normalised form), and what follows is
// empty, starts with "+c", or does not start with a digit, a lower-case letter or one of ^ / + -.
bool is_correct_answer(const Probe& probe, std::string_view generated);

// What is_correct_answer() says of all texts that begin with `beginning`; nothing while that is
// open.
std::optional<bool> early_verdict(const Probe& probe, std::string_view beginning);

// Tokens of the longest accepted answer.
std::size_t longest_answer_tokens(const model::Tokenizer& tokenizer, const Probe& probe);

// Tokens to generate for a probe: max(14, the longest accepted answer + 4).
std::size_t answer_token_limit(const model::Tokenizer& tokenizer, const Probe& probe);

}  // namespace bankai::bfs
