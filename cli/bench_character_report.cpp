#include "cli/bench_character_report.h"

#include <iostream>
#include <numeric>

#include <nlohmann/json.hpp>

#include "cli/candidate_json.h"
#include "cli/json_output.h"
#include "core/format.h"
#include "core/version.h"
#include "model/binary_cache.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

// A speed beside its limit: `per_token` of what the limit counts per second.
double fraction(const SpeedFigure& figure, double per_token) {
  return per_token * figure.per_second / figure.limit;
}

Json figures_json(const std::vector<SpeedFigure>& figures, const char* limit_name,
                  const std::optional<double>& per_token) {
  Json list = Json::array();
  for (const SpeedFigure& figure : figures) {
    Json entry = {{"tokens", figure.tokens}, {"depth", figure.depth}, {"tps", figure.per_second}};
    if (per_token) {
      entry[limit_name] = figure.limit;
      entry["fraction"] = fraction(figure, *per_token);
    }
    list.push_back(entry);
  }
  return list;
}

Json to_json(const CharacterReport& report) {
  const Json prompts = figures_json(report.prompts, "xnor_per_s", report.products_per_token);
  const Json generations =
      figures_json(report.generations, "read_bytes_per_s", report.bytes_per_token);
  const auto first = [](const Json& figures, const char* key) {
    return figures.empty() ? Json() : figures[0][key];
  };
  Json object = {
      {"model", report.name},
      {"threads", report.threads},
      {"kernel", report.kernel},
      {"prompt_tps", first(prompts, "tps")},
      {"generation_tps", first(generations, "tps")},
      {"generation_fraction_of_bandwidth", first(generations, "fraction")},
  };
  if (report.products_per_token) object["prompt_fraction_of_peak"] = first(prompts, "fraction");
  add_candidate_figures(report.candidates, object);
  object.update(Json{
      {"prompts", prompts},
      {"generations", generations},
      {"weights", report.shape.num_weights()},
  });
  if (report.model_bytes) object["model_bytes"] = *report.model_bytes;
  object.update(Json{
      {"weight_bytes_per_token", report.bytes_per_token},
      {"kv_bytes_per_position", model::BinaryCache(report.shape).bytes_per_position()},
      {"version", version_string()},
  });
  return object;
}

void print_heading(const CharacterReport& report) {
  const model::BinaryShape& shape = report.shape;
  std::cout << format("model    %s: width %zu, %zu layers, %zu heads, feed-forward %zu\n",
                      report.name.c_str(), shape.width, shape.num_layers, shape.num_heads,
                      shape.feed_forward)
            << format("         %.2f M weights", static_cast<double>(shape.num_weights()) / 1e6);
  if (report.model_bytes)
    std::cout << format(", %.2f MB", static_cast<double>(*report.model_bytes) / 1e6);
  std::cout << format("\nmachine  %s kernels, %d %s\n\n", report.kernel.c_str(), report.threads,
                      report.threads == 1 ? "thread" : "threads");
}

// What is above a limit was not limited by it: weights that stay in the caches are not read from
// memory.
std::string beside(double share, const std::string& limit, bool tells_of_caches) {
  return share <= 1.0 || !tells_of_caches
             ? format("%.1f %% of %s", 100.0 * share, limit.c_str())
             : format("%.2f times %s: from the caches", share, limit.c_str());
}

void print_speed(const std::string& what, const SpeedFigure& figure, const std::string& limit) {
  std::cout << format("%-34s %12.1f tokens/s", what.c_str(), figure.per_second)
            << (limit.empty() ? "" : "   " + limit) << "\n";
}

void print_candidates(const CharacterReport& report) {
  if (!report.why_no_flips.empty())
    std::cout << format("%-34s %12s: %s\n", "flips", "not measured", report.why_no_flips.c_str());
  if (!report.candidates) return;
  const CandidateSpeed& speed = *report.candidates;
  std::cout << format("%-34s %12.1f flips/s    %.1f times as fast as whole passes (%.1f flips/s)\n",
                      format("flips on %zu tokens", speed.tokens).c_str(), speed.per_second,
                      speed.per_second / speed.plain_per_second, speed.plain_per_second);
  for (const CandidateSpeed::Layer& layer : speed.layers)
    std::cout << format("%-34s %12.1f flips/s    %.1f times\n",
                        format("  layer %u", layer.layer).c_str(), layer.per_second,
                        layer.per_second / speed.plain_per_second);
}

// Of the figures whose stages were measured.
void print_stages(const std::vector<SpeedFigure>& figures, const char* title) {
  for (const SpeedFigure& figure : figures) {
    const double total = std::accumulate(figure.stages.begin(), figure.stages.end(), 0.0);
    if (total == 0.0) continue;
    std::cout << format("\n%s, %zu at %zu\n", title, figure.tokens, figure.depth);
    for (const model::StageName& stage : model::kStages) {
      const double seconds = figure.stages[static_cast<std::size_t>(stage.stage)];
      if (seconds > 0.0)
        std::cout << format("  %-12s%7.1f %% %9.2f us per token\n", stage.name,
                            100.0 * seconds / total,
                            seconds * 1e6 / static_cast<double>(figure.tokens));
    }
  }
}

void print_table(const CharacterReport& report) {
  print_heading(report);
  for (const SpeedFigure& figure : report.prompts)
    print_speed(format("prompt, %zu tokens", figure.tokens), figure,
                report.products_per_token
                    ? beside(fraction(figure, *report.products_per_token),
                             format("the kernels' %.2f Tmac/s", figure.limit / 1e12),
                             report.tells_of_caches)
                    : "");
  for (const SpeedFigure& figure : report.generations)
    print_speed(format("generation, %zu tokens at %zu", figure.tokens, figure.depth), figure,
                beside(fraction(figure, report.bytes_per_token),
                       format("the read bandwidth (%.1f GB/s)", figure.limit / 1e9),
                       report.tells_of_caches));
  print_candidates(report);
  print_stages(report.prompts, "prompt");
  print_stages(report.generations, "generation");
}

}  // namespace

void print_character_report(const CharacterReport& report, bool json) {
  if (json)
    print_json_line(to_json(report));
  else
    print_table(report);
}

}  // namespace bankai::cli
