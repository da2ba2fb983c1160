// bankai-infer: runs a model, with or without patches: generates, measures perplexity, scores
// probes.
#include <memory>

#include "cli/binary_options.h"
#include "cli/command_line.h"
#include "cli/infer_binary.h"
#include "cli/infer_golf.h"
#include "cli/infer_jobs.h"
#include "cli/infer_options.h"
#include "cli/interrupt.h"
#include "cli/model_kind.h"

namespace bankai::cli {
namespace {

constexpr const char* kProgram = "bankai-infer";
constexpr const char* kSynopsis =
    "Usage: bankai-infer -m MODEL.gguf [--patch PATCH]... -p TEXT [-n N] [--temp 0]\n"
    "       bankai-infer -m MODEL.gguf [--patch PATCH]... --perplexity -f FILE [-c N]\n"
    "       bankai-infer -m MODEL.gguf --kl-divergence --kv-bits 2 -f FILE [--reference MODEL]\n"
    "       bankai-infer -m MODEL.gguf [--patch PATCH]... --probes FILE [--compare]\n"
    "       bankai-infer -m MODEL.gguf --tokenize -p TEXT\n"
    "\n"
    "Continues a prompt, or measures a model. Patches act while it runs; the file stays as it is.\n"
    "The result does not depend on threads or the instruction set.\n";

Status run_job(InferSession& session) {
  switch (session.options.job) {
    case InferJob::kPerplexity: return infer_perplexity(session);
    case InferJob::kDivergence: return infer_divergence(session);
    case InferJob::kProbes: return infer_probes(session);
    default: watch_for_interrupts(); return infer_generate(session);
  }
}

Status run(int argc, const char* const* argv) {
  CommandLine line(kProgram, kSynopsis);
  add_infer_options(line);
  add_golf_options(line);
  add_binary_options(line);
  BANKAI_ASSIGN_OR_RETURN(const bool proceed, line.parse(argc, argv));
  if (!proceed) return {};
  BANKAI_ASSIGN_OR_RETURN(InferOptions options, read_infer_options(line));
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(options.model));
  if (kind == ModelKind::kGolf) return infer_golf(line, options);
  if (kind == ModelKind::kBit1 || kind == ModelKind::kBinaryResidual)
    return infer_binary(line, options, kind);
  BANKAI_RETURN_IF_ERROR(check_infer_options(line, options.job, kind));
  if (options.job == InferJob::kTokenize) return infer_tokenize(line, options);
  BANKAI_ASSIGN_OR_RETURN(const std::unique_ptr<InferSession> session,
                          open_session(line, std::move(options)));
  return run_job(*session);
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  return bankai::cli::run_program("bankai-infer", [&] { return bankai::cli::run(argc, argv); });
}
