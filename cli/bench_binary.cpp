#include "cli/bench_binary.h"

#include <algorithm>
#include <iostream>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "bfs/binary_search_model.h"
#include "bfs/flipped_model.h"
#include "cli/bench_characters.h"
#include "cli/bench_machine.h"
#include "cli/bench_timing.h"
#include "cli/candidate_json.h"
#include "cli/json_output.h"
#include "cli/model_kind.h"
#include "cli/model_opening.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "core/version.h"
#include "kernels/bit_panels.h"
#include "kernels/dispatch.h"
#include "model/binary_transformer.h"
#include "model/bit1_file.h"
#include "model/parallel.h"
#include "model/stage_times.h"

namespace bankai::cli {

using Json = nlohmann::ordered_json;
using model::TokenId;

namespace {

// What means something here.
constexpr const char* kOptions =
    "model random-bit1 save seed n-prompt n-gen depth profile repetitions candidates";

constexpr std::size_t kPromptBlock = 256;  // tokens that go through the layers together

struct BinaryFigure {
  std::size_t tokens = 0;
  std::size_t depth = 0;
  double per_second = 0.0;
  double limit = 0.0;  // of prompts: products per second; of generation: bytes per second
  model::StageTimes stages{};
};

struct BinaryReport {
  std::string name;
  const model::BinaryModel* model = nullptr;
  std::size_t model_bytes = 0;
  std::string kernel;
  int threads = 1;
  std::vector<BinaryFigure> prompts;
  std::vector<BinaryFigure> generations;
  std::optional<CandidateSpeed> candidates;
  std::string why_no_flips;

  double layer_weights() const {
    const model::BinaryShape& shape = model->shape;
    return static_cast<double>(shape.num_weights() - 2 * shape.vocabulary * shape.width);
  }
  // Read for each generated token: layers and codebook, with their thresholds.
  double bytes_per_token() const {
    const model::BinaryShape& shape = model->shape;
    return static_cast<double>(model_bytes) -
           static_cast<double>(shape.vocabulary * model->embedding.row_words() * 8);
  }
};

std::vector<TokenId> random_characters(const model::BinaryModel& model, std::size_t count) {
  const CounterRng rng(2);
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<TokenId>(rng.below(i, model.shape.vocabulary));
  return tokens;
}

// Products of ±1 per second on 64 rows of the model's width and 64 tokens, which the first cache
// holds: what the kernels reach where no memory is in the way, all threads together.
double measure_xnor_peak(const kernels::KernelTable& table, std::size_t cols, int threads) {
  constexpr std::size_t kSide = 64;
  constexpr double kProducts = 1e9;
  const std::size_t words = model::BinaryMatrix::words_of(cols);
  const std::size_t rounds =
      static_cast<std::size_t>(kProducts / static_cast<double>(kSide * kSide * cols)) + 1;
  const Stopwatch clock;
  model::parallel_for(threads, static_cast<std::size_t>(threads), [&](IndexRange) {
    const std::vector<std::uint64_t> panels(kernels::bit_panels_words(kSide, cols));
    const std::vector<std::uint64_t> tokens(kSide * words);
    const std::vector<std::int32_t> thresholds(kSide);
    std::vector<std::uint64_t> out(kSide);
    for (std::size_t i = 0; i < rounds; ++i)
      table.xnor_threshold(panels.data(), kSide, tokens.data(), kSide, cols, thresholds.data(),
                           out.data());
  });
  return static_cast<double>(rounds * kSide * kSide * cols) * threads / clock.seconds();
}

Status check_binary_kernels(const model::BinaryModel& model, const kernels::KernelTable& table) {
  const std::vector<TokenId> tokens = random_characters(model, 12);
  std::vector<std::int64_t> logits[2];
  for (std::size_t i = 0; i < 2; ++i) {
    model::BinaryTransformer transformer(model, i == 0 ? table : *kernels::all_kernels().front(),
                                         {});
    model::BinaryCache cache(model.shape);
    logits[i].resize(tokens.size() * model.shape.vocabulary);
    transformer.logits(transformer.run(tokens, cache), logits[i]);
  }
  if (logits[0] == logits[1]) return {};
  return make_error(ErrorCode::kVerification,
                    "the %s kernels compute other logits than the scalar ones: their speed would "
                    "mean nothing",
                    table.name);
}

template <typename Limit, typename Body>
BinaryFigure measure_figure(model::BinaryTransformer& transformer, BinaryFigure figure,
                            const BenchOptions& options, const Limit& limit, const Body& body) {
  const BesideLimit timed = median_beside(options.repetitions, limit, body);
  figure.per_second = static_cast<double>(figure.tokens) / timed.seconds;
  figure.limit = timed.limit;
  if (options.profile) {
    transformer.measure_stages(&figure.stages);
    body();
    transformer.measure_stages(nullptr);
  }
  return figure;
}

BinaryFigure measure_binary_prompt(model::BinaryTransformer& transformer, std::size_t count,
                                   const BenchOptions& options) {
  const std::vector<TokenId> prompt = random_characters(transformer.model(), count);
  const model::BinaryShape& shape = transformer.model().shape;
  std::vector<std::int64_t> logits(shape.vocabulary);
  return measure_figure(
      transformer, {count, 0, 0.0, 0.0, {}}, options,
      [&] {
        return measure_xnor_peak(transformer.table(), shape.width, transformer.options().threads);
      },
      [&] {
        model::BinaryCache cache(shape);
        std::span<const std::uint64_t> states;
        for (std::size_t first = 0; first < count; first += kPromptBlock)
          states = transformer.run(
              std::span(prompt).subspan(first, std::min(kPromptBlock, count - first)), cache);
        transformer.logits(states.last(transformer.state_words()), logits);
      });
}

BinaryFigure measure_binary_generation(model::BinaryTransformer& transformer, std::size_t depth,
                                       const BenchOptions& options,
                                       const BandwidthMeter& bandwidth) {
  const model::BinaryShape& shape = transformer.model().shape;
  std::vector<std::int64_t> logits(shape.vocabulary);
  return measure_figure(
      transformer, {options.generated_tokens, depth, 0.0, 0.0, {}}, options,
      [&] { return bandwidth.measure(); },
      [&] {
        model::with_threads_at_hand(transformer.options().threads, [&] {
          model::BinaryCache cache(shape);
          cache.set_positions(depth);  // zeros take as long as anything else
          TokenId token = 0;
          for (std::size_t i = 0; i < options.generated_tokens; ++i) {
            transformer.logits(transformer.run({&token, 1}, cache), logits);
            token = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) -
                                         logits.begin());
          }
        });
      });
}

// Real logits do not matter here: those of the scale that training begins with.
Result<CandidateSpeed> measure_binary_candidates(const model::BinaryModel& model,
                                                 const kernels::KernelTable& table, int threads,
                                                 const BenchOptions& options) {
  const double scale = model::initial_logit_scale(model.shape);
  const model::BinaryOptions rules{model::TieRule::kEarliest, model::PointerScore::kDot, threads};
  BANKAI_ASSIGN_OR_RETURN(const auto searched,
                          bfs::make_binary_search_model(model, table, rules, scale, "bench"));
  return measure_character_candidates(
      *searched,
      [&](std::span<const patch::Flip> flips,
          const std::function<void(model::CharacterModel&)>& use) {
        const model::BinaryModel flipped = bfs::with_flips(model, flips);
        model::BinaryTransformer transformer(flipped, table, rules);
        model::StrictCharacterModel characters(transformer, scale, true);
        use(characters);
      },
      options);
}

double fraction(const BinaryReport& report, const BinaryFigure& figure, bool is_prompt) {
  const double per_token = is_prompt ? report.layer_weights() : report.bytes_per_token();
  return per_token * figure.per_second / figure.limit;
}

Json figures_json(const BinaryReport& report, const std::vector<BinaryFigure>& figures,
                  bool is_prompt) {
  Json list = Json::array();
  for (const BinaryFigure& figure : figures)
    list.push_back({{"tokens", figure.tokens},
                    {"depth", figure.depth},
                    {"tps", figure.per_second},
                    {is_prompt ? "xnor_per_s" : "read_bytes_per_s", figure.limit},
                    {"fraction", fraction(report, figure, is_prompt)}});
  return list;
}

void print_json(const BinaryReport& report) {
  const Json prompts = figures_json(report, report.prompts, true);
  const Json generations = figures_json(report, report.generations, false);
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
      {"prompt_fraction_of_peak", first(prompts, "fraction")},
  };
  add_candidate_figures(report.candidates, object);
  object.update(Json{
      {"prompts", prompts},
      {"generations", generations},
      {"weights", report.model->shape.num_weights()},
      {"model_bytes", report.model_bytes},
      {"weight_bytes_per_token", report.bytes_per_token()},
      {"kv_bytes_per_position", model::BinaryCache(report.model->shape).bytes_per_position()},
      {"version", version_string()},
  });
  print_json_line(object);
}

void print_stages(const std::vector<BinaryFigure>& figures, const char* title) {
  for (const BinaryFigure& figure : figures) {
    const double total = std::accumulate(figure.stages.begin(), figure.stages.end(), 0.0);
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

// Beside a limit. What is above it was not limited by it: weights that stay in the caches are not
// read from memory.
std::string beside(double share, const std::string& limit) {
  return share <= 1.0 ? format("%.1f %% of %s", 100.0 * share, limit.c_str())
                      : format("%.2f times %s: from the caches", share, limit.c_str());
}

void print_table(const BinaryReport& report, bool profile) {
  const model::BinaryShape& shape = report.model->shape;
  std::cout << format("model    %s: width %zu, %zu layers, %zu heads, feed-forward %zu\n",
                      report.name.c_str(), shape.width, shape.num_layers, shape.num_heads,
                      shape.feed_forward)
            << format("         %.2f M weights, %.2f MB\n",
                      static_cast<double>(shape.num_weights()) / 1e6,
                      static_cast<double>(report.model_bytes) / 1e6)
            << format("machine  %s kernels, %d %s\n\n", report.kernel.c_str(), report.threads,
                      report.threads == 1 ? "thread" : "threads");
  const auto print = [&](const std::string& what, const BinaryFigure& figure, bool is_prompt,
                         const std::string& limit) {
    std::cout << format("%-34s %12.1f tokens/s   %s\n", what.c_str(), figure.per_second,
                        beside(fraction(report, figure, is_prompt), limit).c_str());
  };
  for (const BinaryFigure& figure : report.prompts)
    print(format("prompt, %zu tokens", figure.tokens), figure, true,
          format("the kernels' %.2f Tmac/s", figure.limit / 1e12));
  for (const BinaryFigure& figure : report.generations)
    print(format("generation, %zu tokens at %zu", figure.tokens, figure.depth), figure, false,
          format("the read bandwidth (%.1f GB/s)", figure.limit / 1e9));
  print_candidates(report.candidates, report.why_no_flips);
  if (!profile) return;
  print_stages(report.prompts, "prompt");
  print_stages(report.generations, "generation");
}

void report_written(const BinaryReport& report, const std::string& path, bool json) {
  if (json)
    print_json_line(Json{{"model", path}, {"model_bytes", report.model_bytes}});
  else
    std::cout << format("wrote %s: %s, %zu bytes\n", path.c_str(), report.name.c_str(),
                        report.model_bytes);
}

Result<model::BinaryModel> open_model(const CommandLine& line, const BenchOptions& options,
                                      int threads) {
  if (options.binary_shape == nullptr) {
    BANKAI_RETURN_IF_ERROR(check_no_pending_edit(options.model));
    return open_binary_model(options.model, threads);
  }
  model::BinaryModel model = model::random_binary_model(options.binary_shape->shape, options.seed);
  if (!options.save.empty())
    BANKAI_RETURN_IF_ERROR(model::write_bit1(
        model, options.save, line.force() ? Overwrite::kReplace : Overwrite::kRefuse));
  return model;
}

}  // namespace

Result<bool> is_binary_bench(const BenchOptions& options) {
  if (options.binary_shape != nullptr) return true;
  if (options.model.empty()) return false;
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(options.model));
  return kind == ModelKind::kBit1;
}

Status bench_binary(const CommandLine& line, const BenchOptions& options) {
  BANKAI_RETURN_IF_ERROR(line.accept_only("a BIT1 model", kOptions));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(const model::BinaryModel model, open_model(line, options, threads));
  BinaryReport report;
  report.name = options.binary_shape != nullptr
                    ? "random " + std::string(options.binary_shape->name)
                    : options.model;
  report.model = &model;
  report.model_bytes = model::encode_bit1(model).size();
  report.kernel = table->name;
  report.threads = threads;
  if (options.only_writes()) {
    report_written(report, options.save, line.json());
    return {};
  }
  BANKAI_ASSIGN_OR_RETURN(report.why_no_flips, why_no_flips(options, model.shape));
  Progress progress(!line.quiet());
  progress.update("checking the kernels", -1.0);
  BANKAI_RETURN_IF_ERROR(check_binary_kernels(model, *table));
  model::BinaryTransformer transformer(
      model, *table, {model::TieRule::kEarliest, model::PointerScore::kDot, threads});
  BANKAI_ASSIGN_OR_RETURN(const BandwidthMeter bandwidth, BandwidthMeter::create(threads));
  for (const std::size_t tokens : options.prompts) {
    progress.update(format("measuring a prompt of %zu", tokens), -1.0);
    report.prompts.push_back(measure_binary_prompt(transformer, tokens, options));
  }
  for (const std::size_t depth : options.depths) {
    if (options.generated_tokens == 0) break;
    progress.update(format("measuring generation at %zu", depth), -1.0);
    report.generations.push_back(measure_binary_generation(transformer, depth, options, bandwidth));
  }
  if (options.candidates != std::size_t{0} && report.why_no_flips.empty()) {
    progress.update("measuring flips", -1.0);
    BANKAI_ASSIGN_OR_RETURN(report.candidates,
                            measure_binary_candidates(model, *table, threads, options));
  }
  progress.finish();
  if (line.json())
    print_json(report);
  else
    print_table(report, options.profile);
  return {};
}

}  // namespace bankai::cli
