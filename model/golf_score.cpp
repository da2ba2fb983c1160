#include "model/golf_score.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/byte_reader.h"
#include "core/check.h"
#include "kernels/scalar_math.h"

namespace bankai::model {
namespace {

constexpr std::int32_t kShardMagic = 20240520;
constexpr std::size_t kShardHeader = 256 * sizeof(std::int32_t);

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

std::vector<std::size_t> golf_window_starts(std::size_t num_tokens, const GolfWindows& windows) {
  BANKAI_CHECK(num_tokens >= 2 && windows.stride >= 1 && windows.stride <= windows.context,
               "no such windows");
  std::vector<std::size_t> starts = {0};
  for (std::size_t start = windows.stride; start + windows.context < num_tokens;
       start += windows.stride)
    starts.push_back(start);
  if (windows.limit != 0 && starts.size() > windows.limit) starts.resize(windows.limit);
  return starts;
}

Status check_golf_tokens(std::span<const TokenId> tokens, std::size_t vocabulary) {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || static_cast<std::size_t>(tokens[i]) >= vocabulary)
      return make_error(ErrorCode::kBadInput, "token %zu is %d; the model has %zu", i, tokens[i],
                        vocabulary);
  return {};
}

Result<PerplexityResult> measure_golf_score(
    const GolfTransformer& transformer, std::span<const TokenId> tokens,
    const SentencePieces* pieces, const GolfWindows& windows,
    const std::function<void(std::size_t, std::size_t)>& progress) {
  if (tokens.size() < 2)
    return make_error(ErrorCode::kBadInput, "%zu tokens; expected at least 2", tokens.size());
  BANKAI_RETURN_IF_ERROR(check_golf_tokens(tokens, transformer.parameters().vocabulary));
  const std::vector<std::size_t> starts = golf_window_starts(tokens.size(), windows);
  PerplexityResult result;
  double sum = 0.0;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const std::size_t length = std::min(windows.context, tokens.size() - 1 - starts[k]);
    const std::size_t first = k == 0 ? 0 : length - windows.stride;
    const auto inputs = tokens.subspan(starts[k], length);
    const auto targets = tokens.subspan(starts[k] + first + 1, length - first);
    std::vector<double> scores(targets.size());
    transformer.log_probabilities(inputs, first, targets, scores);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      sum -= scores[i];
      if (pieces != nullptr)
        result.bytes_scored += pieces->counted_bytes(targets[i], inputs[first + i]);
    }
    result.tokens_scored += targets.size();
    progress(k + 1, starts.size());
  }
  result.nll = sum / static_cast<double>(result.tokens_scored);
  result.perplexity = kernels::exp_f64(result.nll);
  result.bits_per_byte = result.bytes_scored == 0 ? std::nan("")
                                                  : sum / kernels::log_f64(2.0) /
                                                        static_cast<double>(result.bytes_scored);
  return result;
}

bool is_token_shard(std::string_view bytes) {
  ByteReader reader(bytes_of(bytes));
  const auto magic = reader.read<std::int32_t>("magic");
  return magic.ok() && *magic == kShardMagic;
}

Result<std::vector<TokenId>> read_token_shard(std::string_view bytes) {
  ByteReader reader(bytes_of(bytes));
  BANKAI_ASSIGN_OR_RETURN(const auto magic, reader.read<std::int32_t>("magic"));
  BANKAI_ASSIGN_OR_RETURN(const auto version, reader.read<std::int32_t>("version"));
  BANKAI_ASSIGN_OR_RETURN(const auto count, reader.read<std::int32_t>("number of tokens"));
  BANKAI_ASSIGN_OR_RETURN(const auto rest, reader.read_bytes(kShardHeader - 12, "header"));
  static_cast<void>(rest);
  if (magic != kShardMagic || version != 1 || count < 0)
    return make_error(ErrorCode::kBadInput,
                      "magic %d, version %d, %d tokens; expected magic %d, version 1", magic,
                      version, count, kShardMagic);
  if (reader.remaining() != 2 * static_cast<std::size_t>(count))
    return make_error(ErrorCode::kBadInput, "%zu bytes behind the header for %d tokens",
                      reader.remaining(), count);
  std::vector<TokenId> tokens;
  for (std::int32_t i = 0; i < count; ++i)
    tokens.push_back(reader.read<std::uint16_t>("token").value());
  return tokens;
}

}  // namespace bankai::model
