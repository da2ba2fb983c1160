#include "cli/bench_golf.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cli/bench_machine.h"
#include "cli/bench_report.h"
#include "cli/bench_speed.h"
#include "cli/bench_timing.h"
#include "cli/golf_opening.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "kernels/dispatch.h"
#include "model/golf_transformer.h"
#include "model/parallel.h"
#include "model/sampler.h"

namespace bankai::cli {

using model::TokenId;

namespace {

// What means something here, with kGolfRules.
constexpr const char* kOptions = "model n-prompt n-gen depth repetitions kv-bits kv-quant kv-type ";

constexpr std::size_t kPromptBlock = 512;  // tokens that go through the passes together

// Two tokens through all passes.
Status check_golf_kernels(const model::GolfTransformer& transformer,
                          const kernels::KernelTable& table) {
  const std::vector<TokenId> tokens = random_token_ids(transformer.parameters().vocabulary, 2);
  const model::GolfTransformer scalar(transformer.model(), *kernels::all_kernels().front(),
                                      transformer.threads(), transformer.kv_format());
  model::GolfCache caches[2];
  if (transformer.advance(tokens, caches[0]) == scalar.advance(tokens, caches[1])) return {};
  return other_logits(table);
}

SpeedFigure measure_golf_prompt(const model::GolfTransformer& transformer, std::size_t count,
                                const BenchOptions& options, const std::function<double()>& limit) {
  const std::vector<TokenId> prompt = random_token_ids(transformer.parameters().vocabulary, count);
  return measure_figure(count, 0, options, limit, [&] {
    model::GolfCache cache;
    for (std::span<const TokenId> rest = prompt; !rest.empty();) {
      const std::size_t tokens = std::min(kPromptBlock, rest.size());
      transformer.advance(rest.first(tokens), cache);
      rest = rest.subspan(tokens);
    }
  });
}

SpeedFigure measure_golf_generation(const model::GolfTransformer& transformer, std::size_t depth,
                                    const BenchOptions& options,
                                    const std::function<double()>& limit) {
  return measure_figure(options.generated_tokens, depth, options, limit, [&] {
    model::with_threads_at_hand(transformer.threads(), [&] {
      model::GolfCache cache = transformer.zero_cache(depth);
      TokenId token = 0;
      for (std::size_t i = 0; i < options.generated_tokens; ++i)
        token = model::greedy_token(transformer.advance({&token, 1}, cache));
    });
  });
}

// What is known before anything is measured.
BenchReport describe(const BenchOptions& options, const model::GolfTransformer& transformer) {
  const model::GolfWork work = model::golf_work(transformer.model());
  BenchReport report;
  report.options = options;
  report.model = options.model;
  report.layer_weights = work.products_per_token;
  report.head_weights = work.products_of_head;
  report.weights = work.weights;
  report.weight_bytes_per_token = work.bytes_per_token;
  report.kv_bytes_per_position =
      model::golf_cache_bytes(transformer.parameters(), transformer.kv_format());
  report.kv = model::golf_kv_text(transformer.kv_format());
  report.activations = golf_activations_text(transformer.parameters());
  report.threads = transformer.threads();
  return report;
}

}  // namespace

Status bench_golf(const CommandLine& line, const BenchOptions& options) {
  BANKAI_RETURN_IF_ERROR(
      line.accept_only("a parameter-golf model", std::string(kOptions) + kGolfRules));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  Progress progress(!line.quiet());
  progress.update("loading", -1.0);
  const Stopwatch clock;
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(options.model));
  BANKAI_ASSIGN_OR_RETURN(const model::GolfModel golf, open_golf_model(line, options.model));
  const double load_seconds = clock.seconds();
  BANKAI_RETURN_IF_ERROR(check_lengths(options, golf.parameters.context));
  const model::GolfTransformer transformer(golf, *table, threads, options.kv);
  BenchReport report = describe(options, transformer);
  report.model_bytes = file.bytes().size();
  report.load_seconds = load_seconds;
  report.kernel = table->name;
  progress.update("checking the kernels", -1.0);
  BANKAI_RETURN_IF_ERROR(check_golf_kernels(transformer, *table));
  progress.update("measuring the machine", -1.0);
  BANKAI_ASSIGN_OR_RETURN(const BandwidthMeter bandwidth, BandwidthMeter::create(threads));
  const auto read_limit = [&] { return bandwidth.measure(); };
  const auto int8_limit = [&] { return measure_int8_peak(*table, threads); };
  report.read_bytes_per_s = median_beside(options.repetitions, read_limit, [] {}).limit;
  report.int8_per_s = median_beside(options.repetitions, int8_limit, [] {}).limit;
  for (const std::size_t tokens : options.prompts) {
    progress.update(format("measuring a prompt of %zu", tokens), -1.0);
    report.prompts.push_back(measure_golf_prompt(transformer, tokens, options, int8_limit));
  }
  for (const std::size_t depth : options.depths) {
    if (options.generated_tokens == 0) break;
    progress.update(format("measuring generation at %zu", depth), -1.0);
    report.generations.push_back(measure_golf_generation(transformer, depth, options, read_limit));
  }
  progress.finish();
  print_bench_report(report, line.json());
  return {};
}

}  // namespace bankai::cli
