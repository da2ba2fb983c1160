#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/infer_jobs.h"
#include "cli/infer_reference.h"
#include "cli/json_output.h"
#include "core/clock.h"
#include "core/format.h"
#include "kernels/scalar_math.h"
#include "model/divergence.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kDefaultContext = 1024;

// One side, as it is run.
struct Side {
  std::string activations;
  std::string kv;
  std::size_t kv_bytes = 0;  // per token
};

Side describe(const model::Transformer& transformer) {
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

void print_json(const model::DivergenceResult& result, const Side& reference, const Side& side,
                std::size_t context) {
  const auto of = [](const Side& one) {
    return nlohmann::ordered_json{
        {"activations", one.activations}, {"kv", one.kv}, {"kv_bytes_per_token", one.kv_bytes}};
  };
  print_json_line(nlohmann::ordered_json{
      {"positions", result.positions},
      {"chunks", result.chunks},
      {"context", context},
      {"mean_kld", result.mean},
      {"mean_kld_bits", result.mean_bits()},
      {"maximum_kld", result.largest},
      {"kld_99_9", result.percentile_999},
      {"kld_99", result.percentile_99},
      {"median_kld", result.median},
      {"maximum_chunk_mean", result.largest_chunk_mean},
      {"same_top", result.same_top},
      {"mean_delta_p", result.mean_delta_p},
      {"rms_delta_p", result.rms_delta_p},
      {"reference_perplexity", kernels::exp_f64(result.reference_nll)},
      {"perplexity", kernels::exp_f64(result.nll)},
      {"shrink", static_cast<double>(reference.kv_bytes) / static_cast<double>(side.kv_bytes)},
      {"reference", of(reference)},
      {"model", of(side)}});
}

void print_text(const model::DivergenceResult& result, const Side& reference, const Side& side,
                std::size_t context) {
  const auto sides = [](const Side& one) {
    return format("%s, keys and values in %s, %zu bytes per token", one.activations.c_str(),
                  one.kv.c_str(), one.kv_bytes);
  };
  std::cout << format("reference        %s\n", sides(reference).c_str())
            << format("model            %s (%.2f times smaller)\n", sides(side).c_str(),
                      static_cast<double>(reference.kv_bytes) / static_cast<double>(side.kv_bytes))
            << format("positions        %zu in %zu chunks of at most %zu tokens\n",
                      result.positions, result.chunks, context)
            << format("mean KLD         %.6g nats, %.6g bits\n", result.mean, result.mean_bits())
            << format("maximum KLD      %.6g (mean of a chunk: %.6g)\n", result.largest,
                      result.largest_chunk_mean)
            << format("99.9 %% KLD       %.6g\n", result.percentile_999)
            << format("99 %% KLD         %.6g\n", result.percentile_99)
            << format("median KLD       %.6g\n", result.median)
            << format("same top         %.3f %%\n", 100.0 * result.same_top)
            << format("mean delta p     %.4f %%\n", 100.0 * result.mean_delta_p)
            << format("RMS delta p      %.4f %%\n", 100.0 * result.rms_delta_p)
            << format("perplexity       %.6f, of the reference %.6f\n",
                      kernels::exp_f64(result.nll), kernels::exp_f64(result.reference_nll));
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
    session.warn(format("chunks of %zu tokens go beyond the context of %zu that the model declares",
                        context, declared));
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
  const Side sides[] = {describe(*reference.transformer), describe(*session.transformer)};
  if (session.line.json()) {
    print_json(*measured, sides[0], sides[1], context);
  } else {
    print_text(*measured, sides[0], sides[1], context);
  }
  return {};
}

}  // namespace bankai::cli
