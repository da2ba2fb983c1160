#include "model/character_model.h"

#include <algorithm>
#include <cmath>

namespace bankai::model {

double initial_logit_scale(const BinaryShape& shape) {
  return 1.0 / std::sqrt(static_cast<double>(shape.width));
}

void StrictCharacterModel::feed(std::span<const TokenId> tokens, bool only_last,
                                std::vector<float>& logits) {
  std::span<const std::uint64_t> states = transformer_.run(tokens, cache_);
  if (only_last) states = states.last(transformer_.state_words());
  const std::size_t vocabulary = shape().vocabulary;
  std::vector<std::int64_t> integers(states.size() / transformer_.state_words() * vocabulary);
  transformer_.logits(states, integers);
  logits.resize(integers.size());
  const double unit = scale_ / static_cast<double>(transformer_.model().logit_multiplier);
  for (std::size_t first = 0; first < integers.size(); first += vocabulary) {
    const auto row = std::span(integers).subspan(first, vocabulary);
    const std::int64_t offset = from_largest_ ? *std::max_element(row.begin(), row.end()) : 0;
    for (std::size_t v = 0; v < vocabulary; ++v)  // logits stay below 2^62 in size
      logits[first + v] = static_cast<float>(static_cast<double>(row[v] - offset) * unit);
  }
}

void ResidualCharacterModel::feed(std::span<const TokenId> tokens, bool only_last,
                                  std::vector<float>& logits) {
  logits = transformer_.run(tokens, cache_, only_last);
}

}  // namespace bankai::model
