#include "bfs/rivals.h"

#include <limits>

#include "bfs/answer.h"
#include "core/partition.h"
#include "model/generation.h"
#include "model/scoring.h"
#include "mpi/scheduling.h"

namespace bankai::bfs {
namespace {

using model::TokenId;

bool has_newline(const model::Tokenizer& tokenizer, TokenId token) {
  return tokenizer.decode(token).find('\n') != std::string::npos;
}

// The answer's tokens without what follows the line's end; at least one token.
Rival first_line(const model::Tokenizer& tokenizer, std::vector<TokenId> tokens) {
  if (tokens.size() > 1 && has_newline(tokenizer, tokens.back())) tokens.pop_back();
  return tokens;
}

std::vector<std::vector<TokenId>> continue_greedily(model::Transformer& transformer,
                                                    const model::Replacements& replacements,
                                                    std::span<const Probe> probes,
                                                    std::span<const std::vector<TokenId>> prompts) {
  const model::Tokenizer& tokenizer = transformer.model().tokenizer();
  std::vector<std::size_t> limits;
  for (const Probe& probe : probes) limits.push_back(answer_token_limit(tokenizer, probe));
  return model::generate_greedy(
      transformer, replacements, prompts, [&](std::size_t i, const std::vector<TokenId>& tokens) {
        return tokens.size() >= limits[i] || has_newline(tokenizer, tokens.back());
      });
}

// The likeliest token after each prompt, other than `excluded` of it.
std::vector<TokenId> likeliest_other_token(model::Transformer& transformer,
                                           const model::Replacements& replacements,
                                           std::span<const std::vector<TokenId>> prompts,
                                           std::span<const TokenId> excluded) {
  const model::Hyperparameters& h = transformer.model().parameters();
  std::vector<TokenId> best(prompts.size(), 0);
  model::Scorer scorer(transformer);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::vector<float> x(prompts[i].size() * h.embedding);
    const model::Segment segment{0, prompts[i].size(), nullptr, 0};
    transformer.embed(prompts[i], replacements, x.data());
    transformer.run_layers(0, h.num_layers, {&segment, 1}, replacements, x.data());
    const float* last_row = x.data() + (prompts[i].size() - 1) * h.embedding;
    scorer.visit_logits(last_row, 1, replacements, [&](std::size_t, std::span<const float> logits) {
      std::vector<float> others(logits.begin(), logits.end());
      others[static_cast<std::size_t>(excluded[i])] = -std::numeric_limits<float>::infinity();
      best[i] = model::greedy_token(others);
    });
  }
  return best;
}

}  // namespace

std::vector<Rival> find_rivals(model::Transformer& transformer,
                               const model::Replacements& replacements,
                               std::span<const Probe> probes) {
  const model::Tokenizer& tokenizer = transformer.model().tokenizer();
  std::vector<std::vector<TokenId>> prompts;
  std::vector<TokenId> right_first;
  for (const Probe& probe : probes) {
    const model::ScoredSequence right = answer_sequence(tokenizer, probe, probe.correct);
    prompts.emplace_back(right.tokens.begin(),
                         right.tokens.begin() + static_cast<std::ptrdiff_t>(right.first_target));
    right_first.push_back(right.tokens[right.first_target]);
  }
  const auto greedy = continue_greedily(transformer, replacements, probes, prompts);
  const std::vector<TokenId> other =
      likeliest_other_token(transformer, replacements, prompts, right_first);
  std::vector<std::vector<TokenId>> other_prompts = prompts;
  for (std::size_t i = 0; i < probes.size(); ++i) other_prompts[i].push_back(other[i]);
  const auto continued = continue_greedily(transformer, replacements, probes, other_prompts);
  std::vector<Rival> rivals;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const bool is_wrong =
        !greedy[i].empty() && !is_correct_answer(probes[i], tokenizer.decode(greedy[i]));
    Rival rival{other[i]};
    if (!has_newline(tokenizer, other[i]))
      rival.insert(rival.end(), continued[i].begin(), continued[i].end());
    rivals.push_back(first_line(tokenizer, is_wrong ? greedy[i] : std::move(rival)));
  }
  return rivals;
}

std::vector<Rival> find_rivals(mpi::Communicator& communicator, model::Transformer& transformer,
                               const model::Replacements& replacements,
                               std::span<const Probe> probes) {
  const IndexRange mine = part_of(probes.size(), static_cast<std::size_t>(communicator.size()),
                                  static_cast<std::size_t>(communicator.rank()));
  std::vector<TokenId> tokens;  // of each rival their number first
  for (const Rival& rival :
       find_rivals(transformer, replacements, probes.subspan(mine.begin, mine.size()))) {
    tokens.push_back(static_cast<TokenId>(rival.size()));
    tokens.insert(tokens.end(), rival.begin(), rival.end());
  }
  std::vector<Rival> rivals;
  for (const std::vector<std::byte>& bytes :
       communicator.all_gather(std::as_bytes(std::span<const TokenId>(tokens)))) {
    std::vector<TokenId> part;
    mpi::append_from_bytes(bytes, part);
    for (auto next = part.begin(); next != part.end();) {
      const auto first = next + 1;
      next = first + *next;
      rivals.emplace_back(first, next);
    }
  }
  return rivals;
}

}  // namespace bankai::bfs
