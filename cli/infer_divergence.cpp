#include <algorithm>

#include "cli/divergence_report.h"
#include "cli/infer_jobs.h"
#include "cli/infer_reference.h"
#include "cli/report_text.h"
#include "core/clock.h"
#include "core/format.h"
#include "model/divergence.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kDefaultContext = 1024;

ComparedSide describe(const model::Transformer& transformer) {
  const bool fine = transformer.options().activations == kernels::ActivationMode::kA16;
  return {fine ? "a16" : "a8", model::kv_format_text(transformer.options().kv),
          model::kv_bytes_per_position(transformer.model().parameters(), transformer.options().kv)};
}

Result<std::vector<model::TokenId>> encode_text(const InferSession& session,
                                                const model::Model& reference) {
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_text(session.options));
  std::vector<model::TokenId> tokens =
      session.model->tokenizer().encode(text, session.options.parse_special);
  if (&reference != session.model.get() &&
      tokens != reference.tokenizer().encode(text, session.options.parse_special))
    return Error{ErrorCode::kBadInput,
                 "the reference has another tokenizer: it makes other tokens of the text"};
  return tokens;
}

std::size_t most_chunks(const InferOptions& options) {
  return options.chunks > 0 ? options.chunks : SIZE_MAX;
}

}  // namespace

Status infer_divergence(InferSession& session) {
  BANKAI_ASSIGN_OR_RETURN(Reference reference, open_reference(session));
  const model::Model& reference_model = reference.transformer->model();
  BANKAI_ASSIGN_OR_RETURN(const std::vector<model::TokenId> tokens,
                          encode_text(session, reference_model));
  const std::size_t declared = session.model->parameters().context;
  const std::size_t context = session.options.context.value_or(std::min(kDefaultContext, declared));
  if (context < 2)
    return make_error(ErrorCode::kUsage, "--ctx-size %zu: expected at least 2", context);
  if (context > declared)
    session.warn(format("chunks of %s go beyond the context of %zu that the model declares",
                        counted(context, "token").c_str(), declared));
  const Stopwatch clock;
  Result<model::DivergenceResult> measured = model::measure_divergence(
      {*reference.transformer, reference.patched()}, {*session.transformer, session.patched()},
      tokens, context, most_chunks(session.options), [&](std::size_t done, std::size_t all) {
        session.progress.update("divergence", static_cast<double>(done) / static_cast<double>(all));
      });
  session.progress.finish();
  if (!measured.ok())
    return with_context(std::move(measured).error(), session.options.file.value_or("--prompt"));
  session.note(format("%.3f s, %.1f positions/s", clock.seconds(),
                      static_cast<double>(measured->positions) / clock.seconds()));
  const ComparedSide sides[] = {describe(*reference.transformer), describe(*session.transformer)};
  print_divergence(*measured, sides[0], sides[1], context, session.line.json());
  return {};
}

}  // namespace bankai::cli
