#include "bfs/responder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "bfs/answer.h"
#include "model/binary_text.h"
#include "model/generation.h"
#include "model/sampler.h"
#include "model/scoring.h"

namespace bankai::bfs {
namespace {

using model::TokenId;
using IsDone = std::function<bool(std::size_t, const std::vector<TokenId>&)>;

TokenId likeliest_other(std::vector<float> logits, TokenId excluded) {
  logits[static_cast<std::size_t>(excluded)] = -std::numeric_limits<float>::infinity();
  return model::greedy_token(logits);
}

class TransformerResponder final : public Responder {
 public:
  TransformerResponder(model::Transformer& transformer, const model::Replacements& replacements)
      : transformer_(transformer), replacements_(replacements) {}
  TransformerResponder(model::Transformer& transformer, model::RowOverlay overlay)
      : transformer_(transformer), overlay_(std::move(overlay)), replacements_{&overlay_, {}} {}

  const model::Tokenizer& tokenizer() const override { return transformer_.model().tokenizer(); }
  std::size_t answer_limit(const Probe& probe) const override {
    return answer_token_limit(tokenizer(), probe);
  }
  std::vector<std::vector<TokenId>> continue_greedily(std::span<const std::vector<TokenId>> prompts,
                                                      const IsDone& is_done) override {
    return model::generate_greedy(transformer_, replacements_, prompts, is_done);
  }

  std::vector<TokenId> likeliest_others(std::span<const std::vector<TokenId>> prompts,
                                        std::span<const TokenId> excluded) override {
    const model::Hyperparameters& h = transformer_.model().parameters();
    std::vector<TokenId> best(prompts.size(), 0);
    model::Scorer scorer(transformer_);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      std::vector<float> x(prompts[i].size() * h.embedding);
      const model::Segment segment{0, prompts[i].size(), nullptr, 0};
      transformer_.embed(prompts[i], replacements_, x.data());
      transformer_.run_layers(0, h.num_layers, {&segment, 1}, replacements_, x.data());
      const float* last_row = x.data() + (prompts[i].size() - 1) * h.embedding;
      scorer.visit_logits(last_row, 1, replacements_,
                          [&](std::size_t, std::span<const float> logits) {
                            best[i] = likeliest_other({logits.begin(), logits.end()}, excluded[i]);
                          });
    }
    return best;
  }

 private:
  model::Transformer& transformer_;
  model::RowOverlay overlay_;
  model::Replacements replacements_;
};

}  // namespace

std::unique_ptr<Responder> make_responder(model::Transformer& transformer,
                                          const model::Replacements& replacements) {
  return std::make_unique<TransformerResponder>(transformer, replacements);
}

std::unique_ptr<Responder> make_responder(model::Transformer& transformer,
                                          model::RowOverlay overlay) {
  return std::make_unique<TransformerResponder>(transformer, std::move(overlay));
}

std::size_t CharacterResponder::answer_limit(const Probe& probe) const {
  return longest_answer_tokens(tokenizer_, probe);
}

void CharacterResponder::feed_prompt(std::span<const TokenId> prompt, std::vector<float>& logits) {
  characters().clear();
  for (; prompt.size() > model::kCharacterBlock; prompt = prompt.subspan(model::kCharacterBlock))
    characters().feed(prompt.first(model::kCharacterBlock), true, logits);
  characters().feed(prompt, true, logits);
}

std::vector<std::vector<TokenId>> CharacterResponder::continue_greedily(
    std::span<const std::vector<TokenId>> prompts, const IsDone& is_done) {
  std::vector<std::vector<TokenId>> answers(prompts.size());
  std::vector<float> logits;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    feed_prompt(prompts[i], logits);
    answers[i].push_back(model::greedy_token(logits));
    while (!is_done(i, answers[i])) {
      characters().feed(std::span(answers[i]).last(1), true, logits);
      answers[i].push_back(model::greedy_token(logits));
    }
  }
  return answers;
}

std::vector<TokenId> CharacterResponder::likeliest_others(
    std::span<const std::vector<TokenId>> prompts, std::span<const TokenId> excluded) {
  std::vector<TokenId> best;
  std::vector<float> logits;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    feed_prompt(prompts[i], logits);
    best.push_back(likeliest_other(logits, excluded[i]));
  }
  return best;
}

}  // namespace bankai::bfs
