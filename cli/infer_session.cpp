#include "cli/infer_session.h"

#include <cstdio>
#include <iostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/report_text.h"
#include "core/clock.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "model/parallel.h"

namespace bankai::cli {

void InferSession::note(const std::string& text) {
  if (options.verbose) std::fprintf(stderr, "%s: %s\n", line.program().c_str(), text.c_str());
}

Result<std::unique_ptr<InferSession>> open_session(const CommandLine& line, InferOptions options) {
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  auto session = std::make_unique<InferSession>(line, std::move(options));
  const Stopwatch clock;
  BANKAI_ASSIGN_OR_RETURN(const model::LoadOptions load, read_load_options(line, threads));
  BANKAI_ASSIGN_OR_RETURN(session->model, load_model(session->options.model, load));
  for (const std::string& warning : session->model->warnings()) session->warn(warning);
  BANKAI_ASSIGN_OR_RETURN(session->patches,
                          load_patches(session->options.patches, *session->model, line.force(),
                                       [&](const std::string& text) { session->warn(text); }));
  model::ForwardOptions forward = model::forward_options(session->options.activations, threads);
  if (session->options.kv) forward.kv = *session->options.kv;
  session->transformer = std::make_unique<model::Transformer>(*session->model, *table, forward);
  session->note(format("loaded in %.3f s; %s, %s kernels", clock.seconds(),
                       counted(static_cast<std::uint64_t>(threads), "thread").c_str(),
                       table->name));
  const model::Hyperparameters& h = session->model->parameters();
  const std::size_t kv_bytes = model::kv_bytes_per_position(h, forward.kv);
  const std::size_t half_bytes = model::kv_bytes_per_position(h, model::KvStorage::kF16);
  session->note(format("keys and values: %s, %zu bytes per token, %.2f times smaller than 16 bits",
                       model::kv_format_text(forward.kv).c_str(), kv_bytes,
                       static_cast<double>(half_bytes) / static_cast<double>(kv_bytes)));
  return session;
}

Result<std::string> read_text(const InferOptions& options) {
  if (options.prompt) return *options.prompt;
  return read_file(*options.file);
}

Status print_tokens(const CommandLine& line, const std::vector<model::TokenId>& tokens) {
  if (line.json()) {
    print_json_line(nlohmann::ordered_json{{"tokens", tokens}});
    return {};
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) std::cout << (i > 0 ? " " : "") << tokens[i];
  std::cout << '\n';
  return {};
}

}  // namespace bankai::cli
