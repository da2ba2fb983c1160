#include "cli/bench_residual.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "bfs/flipped_model.h"
#include "bfs/residual_search_model.h"
#include "cli/bench_characters.h"
#include "cli/bench_machine.h"
#include "cli/bench_timing.h"
#include "cli/candidate_json.h"
#include "cli/json_output.h"
#include "cli/model_kind.h"
#include "cli/model_opening.h"
#include "cli/progress.h"
#include "core/format.h"
#include "core/version.h"
#include "kernels/dispatch.h"
#include "model/character_model.h"
#include "model/parallel.h"

namespace bankai::cli {

using Json = nlohmann::ordered_json;
using model::BinaryResidualModel;
using model::TokenId;

namespace {

// What means something here.
constexpr const char* kOptions =
    "model random-residual save seed n-prompt n-gen depth repetitions candidates";

struct ResidualFigure {
  std::size_t tokens = 0;
  std::size_t depth = 0;
  double per_second = 0.0;
  double limit = 0.0;  // of generation: bytes read per second
};

struct ResidualReport {
  std::string name;
  std::string kernel;
  int threads = 1;
  std::vector<ResidualFigure> prompts;
  std::vector<ResidualFigure> generations;
  std::optional<CandidateSpeed> candidates;
  std::string why_no_flips;
};

// Read for each generated token: bits, scales and offsets of the layers and the output.
double bytes_per_token(const BinaryResidualModel& model) {
  const model::BinaryShape& shape = model.shape;
  const std::size_t weights = static_cast<std::size_t>(shape.num_weights()) -
                              shape.vocabulary * shape.width;  // but not the embedding
  const std::size_t channels =
      shape.num_layers * (5 * shape.width + 2 * shape.feed_forward) + shape.vocabulary;
  return static_cast<double>(weights) / 8.0 + static_cast<double>(channels * 2 * sizeof(float));
}

Status check_residual_kernels(const BinaryResidualModel& model, const kernels::KernelTable& table) {
  std::vector<TokenId> tokens(12);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<TokenId>(i * i % model.shape.vocabulary);
  std::vector<float> logits[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const model::BinaryResidualTransformer transformer(
        model, i == 0 ? table : *kernels::all_kernels().front(), 1);
    model::BinaryCache cache(model.shape);
    logits[i] = transformer.run(tokens, cache);
  }
  if (std::memcmp(logits[0].data(), logits[1].data(), logits[0].size() * sizeof(float)) == 0)
    return {};
  return make_error(ErrorCode::kVerification,
                    "the %s kernels compute other logits than the scalar ones: their speed would "
                    "mean nothing",
                    table.name);
}

ResidualFigure measure_generation(const model::BinaryResidualTransformer& transformer,
                                  std::size_t depth, const BenchOptions& options,
                                  const BandwidthMeter& bandwidth) {
  const BesideLimit timed = median_beside(
      options.repetitions, [&] { return bandwidth.measure(); },
      [&] {
        model::with_threads_at_hand(transformer.threads(), [&] {
          model::BinaryCache cache(transformer.model().shape);
          cache.set_positions(depth);  // zeros take as long as anything else
          TokenId token = 0;
          for (std::size_t i = 0; i < options.generated_tokens; ++i) {
            const std::vector<float> logits = transformer.run({&token, 1}, cache);
            token = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) -
                                         logits.begin());
          }
        });
      });
  return {options.generated_tokens, depth,
          static_cast<double>(options.generated_tokens) / timed.seconds, timed.limit};
}

Result<CandidateSpeed> measure_flips(const BinaryResidualModel& model,
                                     const kernels::KernelTable& table, int threads,
                                     const BenchOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(const auto searched,
                          bfs::make_residual_search_model(model, table, threads, "bench"));
  return measure_character_candidates(
      *searched,
      [&](std::span<const patch::Flip> flips,
          const std::function<void(model::CharacterModel&)>& use) {
        const BinaryResidualModel flipped = bfs::with_flips(model, flips);
        const model::BinaryResidualTransformer transformer(flipped, table, threads);
        model::ResidualCharacterModel characters(transformer);
        use(characters);
      },
      options);
}

void print_json(const ResidualReport& report, const BinaryResidualModel& model) {
  const auto figures_json = [&](const std::vector<ResidualFigure>& figures, bool has_limit) {
    Json list = Json::array();
    for (const ResidualFigure& figure : figures) {
      Json entry = {{"tokens", figure.tokens}, {"depth", figure.depth}, {"tps", figure.per_second}};
      if (has_limit) {
        entry["read_bytes_per_s"] = figure.limit;
        entry["fraction"] = bytes_per_token(model) * figure.per_second / figure.limit;
      }
      list.push_back(entry);
    }
    return list;
  };
  const Json prompts = figures_json(report.prompts, false);
  const Json generations = figures_json(report.generations, true);
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
  add_candidate_figures(report.candidates, object);
  object.update(Json{
      {"prompts", prompts},
      {"generations", generations},
      {"weights", model.shape.num_weights()},
      {"weight_bytes_per_token", bytes_per_token(model)},
      {"kv_bytes_per_position", model::BinaryCache(model.shape).bytes_per_position()},
      {"version", version_string()},
  });
  print_json_line(object);
}

void print_table(const ResidualReport& report, const BinaryResidualModel& model) {
  const model::BinaryShape& shape = model.shape;
  std::cout << format("model    %s: width %zu, %zu layers, %zu heads, feed-forward %zu\n",
                      report.name.c_str(), shape.width, shape.num_layers, shape.num_heads,
                      shape.feed_forward)
            << format("         %.2f M weights\n", static_cast<double>(shape.num_weights()) / 1e6)
            << format("machine  %s kernels, %d %s\n\n", report.kernel.c_str(), report.threads,
                      report.threads == 1 ? "thread" : "threads");
  for (const ResidualFigure& figure : report.prompts)
    std::cout << format("%-34s %12.1f tokens/s\n",
                        format("prompt, %zu tokens", figure.tokens).c_str(), figure.per_second);
  for (const ResidualFigure& figure : report.generations)
    std::cout << format(
        "%-34s %12.1f tokens/s   %.1f %% of the read bandwidth (%.1f GB/s)\n",
        format("generation, %zu tokens at %zu", figure.tokens, figure.depth).c_str(),
        figure.per_second, 100.0 * bytes_per_token(model) * figure.per_second / figure.limit,
        figure.limit / 1e9);
  print_candidates(report.candidates, report.why_no_flips);
}

Result<BinaryResidualModel> open_model(const CommandLine& line, const BenchOptions& options,
                                       int threads) {
  if (options.residual_shape == nullptr) {
    BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file, open_model_file(options.model, threads));
    return model::read_binary_residual(file);
  }
  BinaryResidualModel model =
      model::random_binary_residual(options.residual_shape->shape, {}, options.seed);
  if (!options.save.empty())
    BANKAI_RETURN_IF_ERROR(model::write_binary_residual(
        model, options.save, line.force() ? Overwrite::kReplace : Overwrite::kRefuse));
  return model;
}

Status measure(const BinaryResidualModel& model, const kernels::KernelTable& table,
               const BenchOptions& options, Progress& progress, ResidualReport& report) {
  progress.update("checking the kernels", -1.0);
  BANKAI_RETURN_IF_ERROR(check_residual_kernels(model, table));
  const model::BinaryResidualTransformer transformer(model, table, report.threads);
  model::ResidualCharacterModel characters(transformer);
  BANKAI_ASSIGN_OR_RETURN(const BandwidthMeter bandwidth, BandwidthMeter::create(report.threads));
  for (const std::size_t tokens : options.prompts) {
    progress.update(format("measuring a prompt of %zu", tokens), -1.0);
    report.prompts.push_back(
        {tokens, 0, measure_character_prompt(characters, tokens, options.repetitions), 0.0});
  }
  for (const std::size_t depth : options.depths) {
    if (options.generated_tokens == 0) break;
    progress.update(format("measuring generation at %zu", depth), -1.0);
    report.generations.push_back(measure_generation(transformer, depth, options, bandwidth));
  }
  if (options.candidates == std::size_t{0} || !report.why_no_flips.empty()) return {};
  progress.update("measuring the evaluation of flips", -1.0);
  BANKAI_ASSIGN_OR_RETURN(report.candidates, measure_flips(model, table, report.threads, options));
  return {};
}

void report_written(const ResidualReport& report, const std::string& path, bool json) {
  const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(path));
  if (json)
    print_json_line(Json{{"model", path}, {"model_bytes", bytes}});
  else
    std::cout << format("wrote %s: %s, %zu bytes\n", path.c_str(), report.name.c_str(), bytes);
}

}  // namespace

Result<bool> is_residual_bench(const BenchOptions& options) {
  if (options.residual_shape != nullptr) return true;
  if (options.model.empty()) return false;
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(options.model));
  return kind == ModelKind::kBinaryResidual;
}

Status bench_residual(const CommandLine& line, const BenchOptions& options) {
  BANKAI_RETURN_IF_ERROR(line.accept_only("a bankai-binary model", kOptions));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(const BinaryResidualModel model, open_model(line, options, threads));
  ResidualReport report;
  report.name = options.residual_shape != nullptr
                    ? "random " + std::string(options.residual_shape->name)
                    : options.model;
  report.kernel = table->name;
  report.threads = threads;
  if (options.only_writes()) {
    report_written(report, options.save, line.json());
    return {};
  }
  BANKAI_ASSIGN_OR_RETURN(report.why_no_flips, why_no_flips(options, model.shape));
  Progress progress(!line.quiet());
  BANKAI_RETURN_IF_ERROR(measure(model, *table, options, progress, report));
  progress.finish();
  if (line.json())
    print_json(report, model);
  else
    print_table(report, model);
  return {};
}

}  // namespace bankai::cli
