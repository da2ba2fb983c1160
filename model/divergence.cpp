#include "model/divergence.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr double kLn2 = 0.693147180559945309417;
constexpr std::size_t kLogitFloats = std::size_t{1} << 21U;  // of either side, held at a time

double log_sum_exp_f64(std::span<const float> logits, std::size_t top) {
  const auto largest = static_cast<double>(logits[top]);
  double sum = 0.0;
  for (const float logit : logits) sum += kernels::exp_f64(static_cast<double>(logit) - largest);
  return largest + kernels::log_f64(sum);
}

std::size_t top_of(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// The value below which a share of the sorted ones lies, between two by a straight line.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const double part = place - static_cast<double>(below);
  const double above = sorted[std::min(below + 1, sorted.size() - 1)];
  return (1.0 - part) * sorted[below] + part * above;
}

// The residual rows after each token of a chunk.
std::vector<float> run_chunk(const DivergenceSide& side, std::span<const TokenId> tokens) {
  const Hyperparameters& h = side.transformer.model().parameters();
  std::vector<float> x(tokens.size() * h.embedding);
  const Segment whole{0, tokens.size(), nullptr, 0};
  side.transformer.embed(tokens, side.replacements, x.data());
  side.transformer.run_layers(0, h.num_layers, {&whole, 1}, side.replacements, x.data());
  return x;
}

// Appends the positions of a chunk.
void compare_chunk(const DivergenceSide& reference, const DivergenceSide& other,
                   std::span<const TokenId> tokens, std::vector<PositionDivergence>& positions) {
  const std::size_t vocabulary = reference.transformer.model().parameters().vocabulary;
  const std::span<const TokenId> inputs = tokens.first(tokens.size() - 1);
  const std::vector<float> x[] = {run_chunk(reference, inputs), run_chunk(other, inputs)};
  const std::size_t rows = std::clamp<std::size_t>(kLogitFloats / vocabulary, 1, inputs.size());
  std::vector<float> logits[2];
  for (std::vector<float>& some : logits) some.resize(rows * vocabulary);
  const std::size_t first_position = positions.size();
  positions.resize(first_position + inputs.size());
  for (std::size_t first = 0; first < inputs.size(); first += rows) {
    const std::size_t count = std::min(rows, inputs.size() - first);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      const DivergenceSide& side = i == 0 ? reference : other;
      const std::size_t width = side.transformer.model().parameters().embedding;
      side.transformer.logits(count, x[i].data() + first * width, side.replacements,
                              logits[i].data());
    }
    parallel_for(other.transformer.options().threads, count, [&](IndexRange range) {
      for (std::size_t row = range.begin; row < range.end; ++row) {
        const auto of = [&](std::size_t i) {
          return std::span<const float>(logits[i]).subspan(row * vocabulary, vocabulary);
        };
        positions[first_position + first + row] =
            compare_logits(of(0), of(1), static_cast<std::size_t>(tokens[first + row + 1]));
      }
    });
  }
}

}  // namespace

PositionDivergence compare_logits(std::span<const float> reference, std::span<const float> other,
                                  std::size_t next) {
  const std::size_t top = top_of(reference);
  const std::size_t other_top = top_of(other);
  const double total = log_sum_exp_f64(reference, top);
  const double other_total = log_sum_exp_f64(other, other_top);
  double sum = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - total;
    const double p = kernels::exp_f64(log_p);
    if (p != 0.0) sum += p * (log_p - (static_cast<double>(other[i]) - other_total));
  }
  PositionDivergence result;
  result.divergence = sum < 0.0 ? 0.0 : sum;
  result.reference_nll = total - static_cast<double>(reference[next]);
  result.nll = other_total - static_cast<double>(other[next]);
  result.same_top = top == other_top;
  return result;
}

double DivergenceResult::mean_bits() const { return mean / kLn2; }

DivergenceResult summarise(std::span<const PositionDivergence> positions,
                           std::span<const std::size_t> chunk_ends) {
  DivergenceResult result;
  result.positions = positions.size();
  result.chunks = chunk_ends.size();
  std::vector<double> sorted;
  double squares = 0.0;
  std::size_t next = 0;
  for (const std::size_t end : chunk_ends) {
    const auto count = static_cast<double>(end - next);
    double chunk_sum = 0.0;
    for (; next < end; ++next) {
      const PositionDivergence& position = positions[next];
      chunk_sum += position.divergence;
      sorted.push_back(position.divergence);
      const double delta =
          kernels::exp_f64(-position.nll) - kernels::exp_f64(-position.reference_nll);
      result.mean_delta_p += delta;
      squares += delta * delta;
      result.same_top += position.same_top ? 1.0 : 0.0;
      result.reference_nll += position.reference_nll;
      result.nll += position.nll;
    }
    result.mean += chunk_sum;
    result.largest_chunk_mean = std::max(result.largest_chunk_mean, chunk_sum / count);
  }
  const auto count = static_cast<double>(positions.size());
  for (double* figure :
       {&result.mean, &result.mean_delta_p, &result.same_top, &result.reference_nll, &result.nll})
    *figure /= count;
  result.rms_delta_p = std::sqrt(squares / count);
  std::sort(sorted.begin(), sorted.end(), [](double a, double b) {  // what is no number comes last
    return a < b || (std::isnan(b) && !std::isnan(a));
  });
  result.median = percentile(sorted, 0.5);
  result.percentile_99 = percentile(sorted, 0.99);
  result.percentile_999 = percentile(sorted, 0.999);
  result.largest = sorted.back();
  return result;
}

Result<DivergenceResult> measure_chunks(
    std::span<const TokenId> tokens, std::size_t context, std::size_t max_chunks,
    const std::function<void(std::span<const TokenId>, std::vector<PositionDivergence>&)>& compare,
    const std::function<void(std::size_t, std::size_t)>& progress) {
  if (tokens.size() < 2)
    return make_error(ErrorCode::kBadInput, "the text has fewer than two tokens");
  const std::size_t last = tokens.size() % context;
  const std::size_t chunks =
      std::min(max_chunks, tokens.size() / context + (last >= 2 ? std::size_t{1} : 0));
  std::vector<PositionDivergence> positions;
  std::vector<std::size_t> chunk_ends;
  for (std::size_t c = 0; c < chunks; ++c) {
    const std::span<const TokenId> rest = tokens.subspan(c * context);
    compare(rest.first(std::min(context, rest.size())), positions);
    chunk_ends.push_back(positions.size());
    progress(c + 1, chunks);
  }
  return summarise(positions, chunk_ends);
}

Status check_vocabularies(std::size_t reference, std::size_t model) {
  if (reference == model) return {};
  return make_error(ErrorCode::kBadInput,
                    "the reference predicts %zu tokens, the model %zu: no divergence is defined",
                    reference, model);
}

Result<DivergenceResult> measure_divergence(
    DivergenceSide reference, DivergenceSide other, std::span<const TokenId> tokens,
    std::size_t context, std::size_t max_chunks,
    const std::function<void(std::size_t, std::size_t)>& progress) {
  BANKAI_RETURN_IF_ERROR(check_vocabularies(reference.transformer.model().parameters().vocabulary,
                                            other.transformer.model().parameters().vocabulary));
  return measure_chunks(
      tokens, context, max_chunks,
      [&](std::span<const TokenId> chunk, std::vector<PositionDivergence>& positions) {
        compare_chunk(reference, other, chunk, positions);
      },
      progress);
}

}  // namespace bankai::model
