#include "cli/bench_report.h"

#include <iostream>
#include <numeric>

#include <nlohmann/json.hpp>

#include "cli/bench_machine.h"
#include "cli/candidate_json.h"
#include "cli/json_output.h"
#include "core/format.h"
#include "core/version.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

// Microseconds per token, by stage.
Json stages_json(const SpeedFigure& figure) {
  Json stages = Json::object();
  for (const model::StageName& stage : model::kStages)
    stages[stage.name] = figure.stages[static_cast<std::size_t>(stage.stage)] * 1e6 /
                         static_cast<double>(figure.tokens);
  return stages;
}

Json figure_json(const BenchReport& report, const SpeedFigure& figure, const char* limit_name,
                 double fraction) {
  Json json = {{"tokens", figure.tokens},
               {"depth", figure.depth},
               {"tps", figure.per_second},
               {limit_name, figure.limit},
               {"fraction", fraction}};
  if (report.options.profile) json["stage_us_per_token"] = stages_json(figure);
  return json;
}

Json to_json(const BenchReport& report) {
  Json prompts = Json::array();
  Json generations = Json::array();
  for (const SpeedFigure& figure : report.prompts)
    prompts.push_back(
        figure_json(report, figure, "int8_mac_per_s", report.fraction_of_peak(figure)));
  for (const SpeedFigure& figure : report.generations)
    generations.push_back(
        figure_json(report, figure, "read_bytes_per_s", report.fraction_of_bandwidth(figure)));
  const auto first = [](const Json& figures, const char* key) {
    return figures.empty() ? Json() : figures[0][key];
  };
  Json object = {
      {"model", report.model},
      {"threads", report.threads},
      {"kernel", report.kernel},
      {"prompt_tps", first(prompts, "tps")},
      {"generation_tps", first(generations, "tps")},
      {"read_gb_per_s", report.read_bytes_per_s / 1e9},
      {"int8_tmac_per_s", report.int8_per_s / 1e12},
      {"generation_fraction_of_bandwidth", first(generations, "fraction")},
      {"prompt_fraction_of_peak", first(prompts, "fraction")},
      {"sensitivity_seconds", nullptr},
  };
  add_candidate_figures(report.candidates, object);
  object.update(Json{
      {"prompts", prompts},
      {"generations", generations},
      {"repetitions", report.options.repetitions},
      {"activations", report.activations},
      {"candidate_activations",
       report.candidate_activations.empty() ? Json() : Json(report.candidate_activations)},
      {"model_bytes", report.model_bytes},
      {"weight_bytes_per_token", report.weight_bytes_per_token},
      {"kv_bytes_per_position", report.kv_bytes_per_position},
      {"kv", report.kv},
      {"load_seconds", report.load_seconds},
      {"version", version_string()},
  });
  return object;
}

void print_row(const std::string& test, const std::string& speed, const std::string& beside) {
  std::cout << format("%-40s %18s   %s\n", test.c_str(), speed.c_str(), beside.c_str());
}

// A column for each figure: share of the time and microseconds per token.
void print_profile(const std::vector<SpeedFigure>& figures, const char* title) {
  if (figures.empty()) return;
  std::cout << format("\n%-14s", title);
  for (const SpeedFigure& figure : figures)
    std::cout << format("%22s", format("%zu at %zu", figure.tokens, figure.depth).c_str());
  std::cout << "\n";
  for (const model::StageName& stage : model::kStages) {
    std::cout << format("  %-12s", stage.name);
    for (const SpeedFigure& figure : figures) {
      const double seconds = figure.stages[static_cast<std::size_t>(stage.stage)];
      const double total = std::accumulate(figure.stages.begin(), figure.stages.end(), 0.0);
      std::cout << format("%9.1f %% %9.1f us", 100.0 * seconds / total,
                          seconds * 1e6 / static_cast<double>(figure.tokens));
    }
    std::cout << "\n";
  }
}

void print_candidates(const CandidateSpeed& speed, const BenchOptions& options) {
  print_row(
      format("flips on %zu tokens, %s", speed.tokens, mode_name(options.candidate_activations)),
      format("%.2f flips/s", speed.per_second),
      format("%.1f times as fast as whole passes (%.2f flips/s)",
             speed.per_second / speed.plain_per_second, speed.plain_per_second));
  print_row("", "",
            format("%.1f times as fast as a pass for each sequence (%.2f flips/s)",
                   speed.per_second / speed.one_by_one_per_second, speed.one_by_one_per_second));
  for (const CandidateSpeed::Layer& layer : speed.layers)
    print_row(format("  layer %u", layer.layer), format("%.2f flips/s", layer.per_second),
              format("%.1f times", layer.per_second / speed.plain_per_second));
}

// "1.72 G", "5.2 M": three digits and a decimal prefix.
std::string with_prefix(std::uint64_t count) {
  const auto value = static_cast<double>(count);
  return value >= 1e9 ? format("%.3g G", value / 1e9) : format("%.3g M", value / 1e6);
}

void print_table(const BenchReport& report) {
  std::cout << format("model    %s, %sB, %s weights, loaded in %.2f s\n", report.model.c_str(),
                      with_prefix(report.model_bytes).c_str(), with_prefix(report.weights).c_str(),
                      report.load_seconds)
            << format("cache    keys and values in %s, %llu bytes per token\n", report.kv.c_str(),
                      static_cast<unsigned long long>(report.kv_bytes_per_position))
            << format("machine  %s kernels, %d %s; reads %.1f GB/s; int8 peak %.3g Tmac/s\n\n",
                      report.kernel.c_str(), report.threads,
                      report.threads == 1 ? "thread" : "threads", report.read_bytes_per_s / 1e9,
                      report.int8_per_s / 1e12);
  const char* mode = report.activations.c_str();
  for (const SpeedFigure& figure : report.prompts)
    print_row(format("prompt, %zu tokens, %s", figure.tokens, mode),
              format("%.2f tokens/s", figure.per_second),
              format("%.1f %% of the int8 peak (%.3g Tmac/s)",
                     100.0 * report.fraction_of_peak(figure), figure.limit / 1e12));
  for (const SpeedFigure& figure : report.generations)
    print_row(format("generation, %zu tokens at %zu, %s", figure.tokens, figure.depth, mode),
              format("%.2f tokens/s", figure.per_second),
              format("%.1f %% of the read bandwidth (%.1f GB/s)",
                     100.0 * report.fraction_of_bandwidth(figure), figure.limit / 1e9));
  if (report.candidates) print_candidates(*report.candidates, report.options);
  if (!report.options.profile) return;
  print_profile(report.prompts, "prompt");
  print_profile(report.generations, "generation");
}

}  // namespace

const char* mode_name(kernels::ActivationMode mode) {
  return mode == kernels::ActivationMode::kA8 ? "a8" : "a16";
}

double BenchReport::fraction_of_peak(const SpeedFigure& prompt) const {
  // The head is used once for the whole prompt.
  const double per_token = static_cast<double>(layer_weights) +
                           static_cast<double>(head_weights) / static_cast<double>(prompt.tokens);
  return per_token * int8_per_weight(options.activations) * prompt.per_second / prompt.limit;
}

double BenchReport::fraction_of_bandwidth(const SpeedFigure& generation) const {
  // The cache grows by a position with each token.
  const double positions =
      static_cast<double>(generation.depth) + static_cast<double>(generation.tokens) / 2.0;
  const double bytes = static_cast<double>(weight_bytes_per_token) +
                       static_cast<double>(kv_bytes_per_position) * positions;
  return bytes * generation.per_second / generation.limit;
}

void print_bench_report(const BenchReport& report, bool json) {
  if (json) {
    print_json_line(to_json(report));
  } else {
    print_table(report);
  }
}

}  // namespace bankai::cli
