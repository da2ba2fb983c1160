#include "model/golf_divergence.h"

#include <vector>

#include "core/check.h"
#include "model/golf_score.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

void compare_chunk(const GolfTransformer& reference, const GolfTransformer& other,
                   std::span<const TokenId> tokens, std::vector<PositionDivergence>& positions) {
  const std::size_t vocabulary = reference.parameters().vocabulary;
  const std::span<const TokenId> inputs = tokens.first(tokens.size() - 1);
  std::vector<float> expected;
  expected.reserve(inputs.size() * vocabulary);
  const Status streamed = reference.stream_logits(inputs, [&](std::span<const float> rows) {
    expected.insert(expected.end(), rows.begin(), rows.end());
    return Status();
  });
  std::size_t row = 0;
  const Status compared = other.stream_logits(inputs, [&](std::span<const float> rows) {
    const std::size_t count = rows.size() / vocabulary;
    const std::size_t first = positions.size();
    positions.resize(first + count);
    parallel_for(other.threads(), count, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        positions[first + i] = compare_logits(
            std::span<const float>(expected).subspan((row + i) * vocabulary, vocabulary),
            rows.subspan(i * vocabulary, vocabulary),
            static_cast<std::size_t>(tokens[row + i + 1]));
    });
    row += count;
    return Status();
  });
  BANKAI_CHECK(streamed.ok() && compared.ok(), "these writers do not fail");
}

}  // namespace

Result<DivergenceResult> measure_golf_divergence(
    const GolfTransformer& reference, const GolfTransformer& other, std::span<const TokenId> tokens,
    std::size_t context, std::size_t max_chunks,
    const std::function<void(std::size_t, std::size_t)>& progress) {
  const std::size_t vocabulary = reference.parameters().vocabulary;
  BANKAI_RETURN_IF_ERROR(check_vocabularies(vocabulary, other.parameters().vocabulary));
  BANKAI_RETURN_IF_ERROR(check_golf_tokens(tokens, vocabulary));
  return measure_chunks(
      tokens, context, max_chunks,
      [&](std::span<const TokenId> chunk, std::vector<PositionDivergence>& positions) {
        compare_chunk(reference, other, chunk, positions);
      },
      progress);
}

}  // namespace bankai::model
