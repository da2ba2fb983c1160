#include "bfs/answer.h"

#include <algorithm>

namespace bankai::bfs {

using model::ScoredSequence;
using model::TokenId;
using model::Tokenizer;

namespace {

constexpr std::size_t kLeastAnswerTokens = 14;
constexpr std::size_t kSpareAnswerTokens = 4;

std::vector<TokenId> encode_prompt(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<TokenId> tokens;
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0) tokens.push_back(tokenizer.bos());
  for (const TokenId token : tokenizer.encode(text)) tokens.push_back(token);
  return tokens;
}

constexpr std::string_view kRadical = "√";

// Whether one of the accepted answers, in normalised form and not empty, fulfils the condition.
template <typename Condition>
bool any_accepted(const Probe& probe, const Condition& condition) {
  const auto fulfils = [&](const std::string& accepted) {
    const std::string expected = normalise_answer(accepted);
    return !expected.empty() && condition(expected);
  };
  return fulfils(probe.correct) ||
         std::any_of(probe.alternates.begin(), probe.alternates.end(), fulfils);
}

// Whether an answer (normalised) may be followed by this, which is not empty.
bool ends_answer(std::string_view rest) {
  const char next = rest.front();
  const bool continues = (next >= '0' && next <= '9') || (next >= 'a' && next <= 'z') ||
                         std::string_view("^/+-").find(next) != std::string_view::npos;
  return !continues || rest.starts_with("+c");
}

}  // namespace

std::vector<TokenId> prompt_tokens(const Tokenizer& tokenizer, const Probe& probe) {
  return encode_prompt(tokenizer, probe.prompt);
}

ScoredSequence answer_sequence(const Tokenizer& tokenizer, const Probe& probe,
                               std::string_view answer) {
  std::vector<TokenId> prompt = prompt_tokens(tokenizer, probe);
  std::vector<TokenId> whole = encode_prompt(tokenizer, probe.prompt + std::string(answer));
  const std::size_t prompt_size = prompt.size();
  if (whole.size() <= prompt_size || !std::equal(prompt.begin(), prompt.end(), whole.begin())) {
    whole = std::move(prompt);
    for (const TokenId token : tokenizer.encode(answer)) whole.push_back(token);
  }
  return {std::move(whole), prompt_size};
}

std::string normalise_answer(std::string_view text) {
  static constexpr std::string_view kDropped = " \t\n\r\v\f(){}[]*";
  std::string normal;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with(kRadical)) {
      normal += "sqrt";
      i += kRadical.size() - 1;
    } else if (kDropped.find(text[i]) == std::string_view::npos) {
      const char c = text[i];
      normal += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return normal;
}

bool is_correct_answer(const Probe& probe, std::string_view generated) {
  const std::string answer = normalise_answer(generated);
  return any_accepted(probe, [&](const std::string& expected) {
    if (!answer.starts_with(expected)) return false;
    const std::string_view rest = std::string_view(answer).substr(expected.size());
    return rest.empty() || ends_answer(rest);
  });
}

std::optional<bool> early_verdict(const Probe& probe, std::string_view beginning) {
  // The start of a radical sign may become one.
  for (const std::string_view part : {kRadical.substr(0, 2), kRadical.substr(0, 1)})
    if (beginning.ends_with(part)) {
      beginning.remove_suffix(part.size());
      break;
    }
  const std::string answer = normalise_answer(beginning);
  const auto rest_behind = [&](const std::string& expected) {
    return std::string_view(answer).substr(std::min(answer.size(), expected.size()));
  };
  const bool is_right = any_accepted(probe, [&](const std::string& expected) {
    const std::string_view rest = rest_behind(expected);
    return answer.starts_with(expected) && !rest.empty() && ends_answer(rest);
  });
  if (is_right) return true;
  const bool is_open = any_accepted(probe, [&](const std::string& expected) {
    return expected.starts_with(answer) ||
           (answer.starts_with(expected) && rest_behind(expected) == "+");
  });
  return is_open ? std::nullopt : std::optional(false);
}

std::size_t longest_answer_tokens(const Tokenizer& tokenizer, const Probe& probe) {
  std::size_t longest = answer_sequence(tokenizer, probe, probe.correct).num_targets();
  for (const std::string& alternate : probe.alternates)
    longest = std::max(longest, answer_sequence(tokenizer, probe, alternate).num_targets());
  return longest;
}

std::size_t answer_token_limit(const Tokenizer& tokenizer, const Probe& probe) {
  return std::max(kLeastAnswerTokens, longest_answer_tokens(tokenizer, probe) + kSpareAnswerTokens);
}

}  // namespace bankai::bfs
