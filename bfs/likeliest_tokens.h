// What the model itself would write in place of right answers.
#pragma once

#include <span>
#include <vector>

#include "model/scoring.h"
#include "model/transformer.h"

namespace bankai::bfs {

// For each sequence the model's likeliest token in place of each of its targets, behind the true
// tokens before it. Up to the first difference this is its greedy answer.
std::vector<std::vector<model::TokenId>> likeliest_tokens(
    model::Transformer& transformer, std::span<const model::ScoredSequence> sequences);

}  // namespace bankai::bfs
