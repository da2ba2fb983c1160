#include "cli/bench_report.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/bench_machine.h"
#include "cli/json_output.h"
#include "core/format.h"
#include "core/version.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

const char* mode_name(kernels::ActivationMode mode) {
  return mode == kernels::ActivationMode::kA8 ? "a8" : "a16";
}

Json to_json(const BenchReport& report) {
  std::optional<double> candidates;
  std::optional<double> plain;
  std::optional<std::size_t> candidate_tokens;
  std::optional<std::size_t> batch;
  if (report.candidates) {
    candidates = report.candidates->per_second;
    plain = report.candidates->plain_per_second;
    candidate_tokens = report.candidates->tokens;
    batch = report.candidates->batch;
  }
  return {
      {"model", report.model},
      {"threads", report.threads},
      {"kernel", report.kernel},
      {"prompt_tps", or_null(report.prompt_tps)},
      {"generation_tps", or_null(report.generation_tps)},
      {"read_gb_per_s", report.read_bytes_per_s / 1e9},
      {"int8_tmac_per_s", report.int8_per_s / 1e12},
      {"generation_fraction_of_bandwidth", or_null(report.generation_fraction_of_bandwidth())},
      {"prompt_fraction_of_peak", or_null(report.prompt_fraction_of_peak())},
      {"sensitivity_seconds", nullptr},
      {"candidates_per_s", or_null(candidates)},
      {"plain_candidates_per_s", or_null(plain)},
      {"candidate_tokens", or_null(candidate_tokens)},
      {"candidate_batch", or_null(batch)},
      {"prompt_tokens", report.options.prompt_tokens},
      {"generated_tokens", report.options.generated_tokens},
      {"repetitions", report.options.repetitions},
      {"activations", mode_name(report.options.activations)},
      {"candidate_activations", mode_name(report.options.candidate_activations)},
      {"model_bytes", report.model_bytes},
      {"weight_bytes_per_token", report.weight_bytes_per_token},
      {"version", version_string()},
  };
}

void print_row(const std::string& test, const std::string& speed, const std::string& beside) {
  std::cout << format("%-34s %18s   %s\n", test.c_str(), speed.c_str(), beside.c_str());
}

// "1.72 G", "5.2 M": three digits and a decimal prefix.
std::string with_prefix(std::uint64_t count) {
  const auto value = static_cast<double>(count);
  return value >= 1e9 ? format("%.3g G", value / 1e9) : format("%.3g M", value / 1e6);
}

void print_table(const BenchReport& report) {
  std::cout << format("model    %s, %sB, %s weights\n", report.model.c_str(),
                      with_prefix(report.model_bytes).c_str(),
                      with_prefix(report.layer_weights + report.head_weights).c_str())
            << format("machine  %s kernels, %d %s; reads %.1f GB/s; kernel peak %.3g Tmac/s\n\n",
                      report.kernel.c_str(), report.threads,
                      report.threads == 1 ? "thread" : "threads", report.read_bytes_per_s / 1e9,
                      report.int8_per_s / 1e12);
  const char* mode = mode_name(report.options.activations);
  if (report.prompt_tps)
    print_row(format("prompt, %zu tokens, %s", report.options.prompt_tokens, mode),
              format("%.2f tokens/s", *report.prompt_tps),
              format("%.1f %% of the kernel peak", 100.0 * *report.prompt_fraction_of_peak()));
  if (report.generation_tps)
    print_row(format("generation, %zu tokens, %s", report.options.generated_tokens, mode),
              format("%.2f tokens/s", *report.generation_tps),
              format("%.1f %% of the read bandwidth",
                     100.0 * *report.generation_fraction_of_bandwidth()));
  if (report.candidates)
    print_row(format("flips on %zu tokens, %s", report.candidates->tokens,
                     mode_name(report.options.candidate_activations)),
              format("%.2f flips/s", report.candidates->per_second),
              format("%.1f times as fast as whole passes (%.2f flips/s)",
                     report.candidates->per_second / report.candidates->plain_per_second,
                     report.candidates->plain_per_second));
}

}  // namespace

std::optional<double> BenchReport::prompt_fraction_of_peak() const {
  if (!prompt_tps) return std::nullopt;
  // The head is used once for the whole prompt.
  const double per_token =
      static_cast<double>(layer_weights) +
      static_cast<double>(head_weights) / static_cast<double>(options.prompt_tokens);
  return per_token * int8_per_weight(options.activations) * *prompt_tps / int8_per_s;
}

std::optional<double> BenchReport::generation_fraction_of_bandwidth() const {
  if (!generation_tps) return std::nullopt;
  return static_cast<double>(weight_bytes_per_token) * *generation_tps / read_bytes_per_s;
}

void print_bench_report(const BenchReport& report, bool json) {
  if (json) {
    print_json_line(to_json(report));
  } else {
    print_table(report);
  }
}

}  // namespace bankai::cli
