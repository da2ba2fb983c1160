// The jobs of bankai-infer. Results go to standard output, as text or as one JSON object.
#pragma once

#include <span>

#include "cli/infer_session.h"
#include "core/result.h"

namespace bankai::cli {

// Continues the prompt; with --logits-out writes its logits first. Text is printed as it comes.
Status infer_generate(InferSession& session);
// Perplexity of the text. Errors: kBadInput for a text that is too short.
Status infer_perplexity(InferSession& session);
// Divergence from a reference (infer_reference.h) on the text. Errors: kUsage, kBadInput for a text
// that is too short or a reference with other tokens.
Status infer_divergence(InferSession& session);
// Scores and answers of probes; with --compare, what the patches change.
Status infer_probes(InferSession& session);
// Token ids of the text; needs no more of the model file than its tokenizer.
Status infer_tokenize(const CommandLine& line, const InferOptions& options);

// Writes the logits after each token of the prompt to options.logits_out. REQUIRES: a token.
Status write_prompt_logits(InferSession& session, std::span<const model::TokenId> prompt);

}  // namespace bankai::cli
