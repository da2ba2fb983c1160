#include "cli/infer_jobs.h"
#include "cli/model_opening.h"
#include "model/gguf_file.h"
#include "model/parallel.h"
#include "model/tokenizer.h"

namespace bankai::cli {

Status infer_tokenize(const CommandLine& line, const InferOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file, open_model_file(options.model, threads));
  BANKAI_ASSIGN_OR_RETURN(const model::Tokenizer tokenizer, model::Tokenizer::from_gguf(file));
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_text(options));
  const std::vector<model::TokenId> tokens = tokenizer.encode(text, options.parse_special);
  return print_tokens(line, tokens);
}

}  // namespace bankai::cli
