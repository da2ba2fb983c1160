#include <cstdio>
#include <limits>

#include <nlohmann/json.hpp>

#include "cli/infer_jobs.h"
#include "cli/infer_text.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/report_text.h"
#include "core/clock.h"
#include "core/format.h"
#include "model/generation.h"

namespace bankai::cli {
namespace {

using model::TokenId;

// The prompt as the model sees it, with BOS where its file says so.
Result<std::vector<TokenId>> encode_prompt(const InferSession& session) {
  const model::Tokenizer& tokenizer = session.model->tokenizer();
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_text(session.options));
  std::vector<TokenId> tokens;
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0) tokens.push_back(tokenizer.bos());
  for (const TokenId token : tokenizer.encode(text, session.options.parse_special))
    tokens.push_back(token);
  if (tokens.empty())
    return Error{ErrorCode::kUsage,
                 "the prompt is empty, and this model has no token to begin without one"};
  return tokens;
}

// How many tokens may follow; warns where the model is asked for more than it was made for.
std::size_t token_limit(InferSession& session, std::size_t prompt_tokens) {
  const std::size_t context = session.model->parameters().context;
  const std::size_t room = context > prompt_tokens ? context - prompt_tokens : 0;
  const std::size_t limit = session.options.max_tokens.value_or(room);
  if (prompt_tokens > context || limit > room)
    session.warn(
        format("%s of prompt and up to %zu more go beyond the context of %zu that the model "
               "declares",
               counted(prompt_tokens, "token").c_str(), limit, context));
  return limit;
}

// Receives tokens as they come: shows their text at once, unless it is wanted as JSON.
class TextOutput {
 public:
  TextOutput(const model::Tokenizer& tokenizer, bool is_shown)
      : tokenizer_(tokenizer), is_shown_(is_shown) {}

  // False if the output is gone.
  bool add(TokenId token) { return show(stream_.push(tokenizer_.decode(token))); }
  bool finish() { return show(stream_.finish() + (is_shown_ ? "\n" : "")); }
  const std::string& text() const { return text_; }

 private:
  bool show(const std::string& part) {
    text_ += part;
    if (!is_shown_) return true;
    return std::fwrite(part.data(), 1, part.size(), stdout) == part.size() &&
           std::fflush(stdout) == 0;
  }

  const model::Tokenizer& tokenizer_;
  bool is_shown_;
  Utf8Stream stream_;
  std::string text_;
};

std::string speed_text(const char* what, std::size_t tokens, double seconds) {
  return format("%s: %s in %.3f s, %.1f tokens/s", what, counted(tokens, "token").c_str(), seconds,
                seconds > 0.0 ? static_cast<double>(tokens) / seconds : 0.0);
}

// Generates into `output`; the tokens.
Result<std::vector<TokenId>> generate_text(InferSession& session, std::span<const TokenId> prompt,
                                           std::size_t limit, TextOutput& output) {
  bool is_written = true;
  double first_seconds = 0.0;
  std::size_t count = 0;
  const Stopwatch clock;
  const auto on_token = [&](TokenId token) {
    if (++count == 1) first_seconds = clock.seconds();
    is_written = output.add(token);
    return is_written && !interrupt_requested();
  };
  std::vector<TokenId> tokens = model::generate(*session.transformer, session.patched(), prompt,
                                                limit, session.options.sampling, on_token);
  const double seconds = clock.seconds();
  is_written = output.finish() && is_written;
  if (!is_written) return Error{ErrorCode::kIo, "cannot write to standard output"};
  if (interrupt_requested()) return Error{ErrorCode::kInterrupted, "interrupted"};
  if (count > 0) session.note(speed_text("prompt", prompt.size(), first_seconds));
  if (count > 1) session.note(speed_text("generation", count - 1, seconds - first_seconds));
  return tokens;
}

}  // namespace

Status infer_generate(InferSession& session) {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<TokenId> prompt, encode_prompt(session));
  const std::size_t limit = token_limit(session, prompt.size());
  if (!session.options.logits_out.empty())
    BANKAI_RETURN_IF_ERROR(write_prompt_logits(session, prompt));
  TextOutput output(session.model->tokenizer(), limit > 0 && !session.line.json());
  std::vector<TokenId> tokens;
  if (limit > 0) {
    BANKAI_ASSIGN_OR_RETURN(tokens, generate_text(session, prompt, limit, output));
  }
  if (session.line.json())
    print_json_line(nlohmann::ordered_json{
        {"prompt_tokens", prompt}, {"tokens", tokens}, {"text", output.text()}});
  return {};
}

}  // namespace bankai::cli
