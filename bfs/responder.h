// A model, perhaps with flips, that goes on from prompts: what answers to probes, and rivals of
// right answers, are made of.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bfs/probe.h"
#include "model/character_model.h"
#include "model/tokenizer.h"
#include "model/transformer.h"

namespace bankai::bfs {

class Responder {
 public:
  virtual ~Responder() = default;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  virtual const model::Tokenizer& tokenizer() const = 0;
  // Tokens that an answer to the probe has at most (bfs/answer.h).
  virtual std::size_t answer_limit(const Probe& probe) const = 0;

  // Greedy continuations of prompts, which are not empty. `is_done(index, tokens)` is asked after
  // each token, perhaps by several threads at the same time.
  virtual std::vector<std::vector<model::TokenId>> continue_greedily(
      std::span<const std::vector<model::TokenId>> prompts,
      const std::function<bool(std::size_t, const std::vector<model::TokenId>&)>& is_done) = 0;
  // The likeliest token after each prompt, other than `excluded` of it.
  virtual std::vector<model::TokenId> likeliest_others(
      std::span<const std::vector<model::TokenId>> prompts,
      std::span<const model::TokenId> excluded) = 0;

 protected:
  Responder() = default;
};

// The transformer must outlive it, and so must what `replacements` point to.
std::unique_ptr<Responder> make_responder(model::Transformer& transformer,
                                          const model::Replacements& replacements);
std::unique_ptr<Responder> make_responder(model::Transformer& transformer,
                                          model::RowOverlay overlay);

// A model of characters, which knows no end of an answer: as many characters as the longest
// accepted answer has are compared.
class CharacterResponder : public Responder {
 public:
  // The tokenizer, one token for each byte, must outlive this.
  explicit CharacterResponder(const model::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  const model::Tokenizer& tokenizer() const override { return tokenizer_; }
  std::size_t answer_limit(const Probe& probe) const override;
  std::vector<std::vector<model::TokenId>> continue_greedily(
      std::span<const std::vector<model::TokenId>> prompts,
      const std::function<bool(std::size_t, const std::vector<model::TokenId>&)>& is_done) override;
  std::vector<model::TokenId> likeliest_others(std::span<const std::vector<model::TokenId>> prompts,
                                               std::span<const model::TokenId> excluded) override;

 protected:
  virtual model::CharacterModel& characters() = 0;

 private:
  // Logits behind the prompt, from an empty cache.
  void feed_prompt(std::span<const model::TokenId> prompt, std::vector<float>& logits);

  const model::Tokenizer& tokenizer_;
};

}  // namespace bankai::bfs
