#include "bfs/rivals.h"

#include "bfs/answer.h"
#include "core/partition.h"
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

std::vector<std::vector<TokenId>> continue_greedily(Responder& responder,
                                                    std::span<const Probe> probes,
                                                    std::span<const std::vector<TokenId>> prompts) {
  std::vector<std::size_t> limits;
  for (const Probe& probe : probes) limits.push_back(responder.answer_limit(probe));
  return responder.continue_greedily(
      prompts, [&](std::size_t i, const std::vector<TokenId>& tokens) {
        return tokens.size() >= limits[i] || has_newline(responder.tokenizer(), tokens.back());
      });
}

}  // namespace

std::vector<Rival> find_rivals(Responder& responder, std::span<const Probe> probes) {
  const model::Tokenizer& tokenizer = responder.tokenizer();
  std::vector<std::vector<TokenId>> prompts;
  std::vector<TokenId> right_first;
  for (const Probe& probe : probes) {
    const model::ScoredSequence right = answer_sequence(tokenizer, probe, probe.correct);
    prompts.emplace_back(right.tokens.begin(),
                         right.tokens.begin() + static_cast<std::ptrdiff_t>(right.first_target));
    right_first.push_back(right.tokens[right.first_target]);
  }
  const auto greedy = continue_greedily(responder, probes, prompts);
  const std::vector<TokenId> other = responder.likeliest_others(prompts, right_first);
  std::vector<std::vector<TokenId>> other_prompts = prompts;
  for (std::size_t i = 0; i < probes.size(); ++i) other_prompts[i].push_back(other[i]);
  const auto continued = continue_greedily(responder, probes, other_prompts);
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

std::vector<Rival> find_rivals(mpi::Communicator& communicator, Responder& responder,
                               std::span<const Probe> probes) {
  const IndexRange mine = part_of(probes.size(), static_cast<std::size_t>(communicator.size()),
                                  static_cast<std::size_t>(communicator.rank()));
  std::vector<TokenId> tokens;  // of each rival their number first
  for (const Rival& rival : find_rivals(responder, probes.subspan(mine.begin, mine.size()))) {
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

std::vector<Rival> find_rivals(model::Transformer& transformer,
                               const model::Replacements& replacements,
                               std::span<const Probe> probes) {
  return find_rivals(*make_responder(transformer, replacements), probes);
}

std::vector<Rival> find_rivals(mpi::Communicator& communicator, model::Transformer& transformer,
                               const model::Replacements& replacements,
                               std::span<const Probe> probes) {
  return find_rivals(communicator, *make_responder(transformer, replacements), probes);
}

}  // namespace bankai::bfs
