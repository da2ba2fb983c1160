#include <algorithm>

#include "cli/infer_jobs.h"
#include "cli/infer_npy.h"
#include "cli/interrupt.h"
#include "model/kv_cache.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kBlockTokens = 512;
constexpr std::size_t kLogitFloats = std::size_t{1} << 22U;  // logits held at a time (16 MiB)

Status write_rows(InferSession& session, const std::vector<float>& x, NpyWriter& file) {
  const model::Hyperparameters& h = session.model->parameters();
  const std::size_t rows = x.size() / h.embedding;
  const std::size_t chunk = std::max<std::size_t>(1, kLogitFloats / h.vocabulary);
  std::vector<float> logits(std::min(rows, chunk) * h.vocabulary);
  for (std::size_t first = 0; first < rows; first += chunk) {
    const std::size_t count = std::min(chunk, rows - first);
    session.transformer->logits(count, x.data() + first * h.embedding, session.patched(),
                                logits.data());
    BANKAI_RETURN_IF_ERROR(file.write(std::span(logits).first(count * h.vocabulary)));
  }
  return {};
}

}  // namespace

Status write_prompt_logits(InferSession& session, std::span<const model::TokenId> prompt) {
  const model::Hyperparameters& h = session.model->parameters();
  const InferOptions& options = session.options;
  const Overwrite overwrite = session.line.force() ? Overwrite::kReplace : Overwrite::kRefuse;
  BANKAI_ASSIGN_OR_RETURN(NpyWriter file, NpyWriter::create(options.logits_out, overwrite,
                                                            prompt.size(), h.vocabulary));
  model::KvCache cache(h, session.transformer->options().kv);
  for (std::size_t first = 0; first < prompt.size(); first += kBlockTokens) {
    if (interrupt_requested()) return Error{ErrorCode::kInterrupted, "interrupted"};
    const auto block = prompt.subspan(first, std::min(kBlockTokens, prompt.size() - first));
    cache.set_positions(first + block.size());
    const model::Segment segment{0, block.size(), &cache, first};
    std::vector<float> x(block.size() * h.embedding);
    session.transformer->embed(block, session.patched(), x.data());
    session.transformer->run_layers(0, h.num_layers, {&segment, 1}, session.patched(), x.data());
    BANKAI_RETURN_IF_ERROR(write_rows(session, x, file));
    session.progress.update(
        "logits", static_cast<double>(first + block.size()) / static_cast<double>(prompt.size()));
  }
  session.progress.finish();
  return file.commit();
}

}  // namespace bankai::cli
