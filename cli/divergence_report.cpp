#include "cli/divergence_report.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "kernels/scalar_math.h"

namespace bankai::cli {
namespace {

void print_json(const model::DivergenceResult& result, const ComparedSide& reference,
                const ComparedSide& side, std::size_t context) {
  const auto of = [](const ComparedSide& one) {
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

void print_text(const model::DivergenceResult& result, const ComparedSide& reference,
                const ComparedSide& side, std::size_t context) {
  const auto sides = [](const ComparedSide& one) {
    return format("%s, keys and values in %s, %s per token", one.activations.c_str(),
                  one.kv.c_str(), counted(one.kv_bytes, "byte").c_str());
  };
  std::cout << format("reference        %s\n", sides(reference).c_str())
            << format("model            %s (%.2f times smaller)\n", sides(side).c_str(),
                      static_cast<double>(reference.kv_bytes) / static_cast<double>(side.kv_bytes))
            << format("positions        %zu in %s of at most %s\n", result.positions,
                      counted(result.chunks, "chunk").c_str(), counted(context, "token").c_str())
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

}  // namespace

void print_divergence(const model::DivergenceResult& result, const ComparedSide& reference,
                      const ComparedSide& side, std::size_t context, bool json) {
  if (json) {
    print_json(result, reference, side, context);
  } else {
    print_text(result, reference, side, context);
  }
}

}  // namespace bankai::cli
