#include "cli/infer_golf_divergence.h"

#include <optional>

#include "cli/divergence_report.h"
#include "cli/golf_opening.h"
#include "cli/infer_reference.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "core/format.h"
#include "kernels/dispatch.h"
#include "model/golf_divergence.h"

namespace bankai::cli {
namespace {

ComparedSide describe(const model::GolfTransformer& transformer) {
  const model::GolfParameters& parameters = transformer.parameters();
  return {golf_activations_text(parameters), model::golf_kv_text(transformer.kv_format()),
          model::golf_cache_bytes(parameters, transformer.kv_format())};
}

}  // namespace

Status infer_golf_divergence(const CommandLine& line, const InferOptions& options,
                             const std::vector<model::TokenId>& tokens,
                             const kernels::KernelTable& table,
                             const model::GolfTransformer& transformer) {
  std::optional<model::GolfModel> other;
  if (line.has("reference")) {
    BANKAI_ASSIGN_OR_RETURN(other, open_golf_model(line, line.get<std::string>("reference")));
  }
  BANKAI_ASSIGN_OR_RETURN(const model::GolfKvFormat kv, read_reference_kv(line));
  const kernels::KernelTable* reference_table = &table;
  if (line.has("reference-kernel")) {
    BANKAI_ASSIGN_OR_RETURN(reference_table,
                            kernels::select_kernel(line.get<std::string>("reference-kernel")));
  }
  const model::GolfTransformer reference(other ? *other : transformer.model(), *reference_table,
                                         transformer.threads(), kv);
  const std::size_t context = options.context.value_or(transformer.parameters().context);
  if (context < 2)
    return make_error(ErrorCode::kUsage, "--ctx-size %zu: expected at least 2", context);
  Progress progress(!line.quiet());
  const Stopwatch clock;
  Result<model::DivergenceResult> measured = model::measure_golf_divergence(
      reference, transformer, tokens, context, options.chunks > 0 ? options.chunks : SIZE_MAX,
      [&](std::size_t done, std::size_t all) {
        progress.update("divergence", static_cast<double>(done) / static_cast<double>(all));
      });
  progress.finish();
  if (!measured.ok())
    return with_context(std::move(measured).error(), options.file.value_or("--prompt"));
  if (options.verbose)
    progress.remark(format("%s: %.3f s, %.1f positions/s", line.program().c_str(), clock.seconds(),
                           static_cast<double>(measured->positions) / clock.seconds()));
  print_divergence(*measured, describe(reference), describe(transformer), context, line.json());
  return {};
}

}  // namespace bankai::cli
