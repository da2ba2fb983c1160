#include "cli/bench_characters.h"

#include <algorithm>
#include <vector>

#include "cli/bench_character_flips.h"
#include "cli/bench_machine.h"
#include "cli/bench_speed.h"
#include "cli/progress.h"
#include "core/format.h"
#include "model/binary_text.h"
#include "model/parallel.h"

namespace bankai::cli {

using model::TokenId;

namespace {

SpeedFigure measure_prompt(const CharacterBench& bench, const model::BinaryShape& shape,
                           std::size_t tokens, const BenchOptions& options) {
  const std::vector<TokenId> prompt = random_token_ids(shape.vocabulary, tokens);
  const auto body = [&] {
    model::BinaryCache cache(shape);
    for (std::span<const TokenId> rest = prompt; !rest.empty();) {
      const std::size_t count = std::min(model::kCharacterBlock, rest.size());
      bench.feed(rest.first(count), cache);
      rest = rest.subspan(count);
    }
  };
  return measure_figure(tokens, 0, options, bench.prompt_limit, body, bench.measure_stages);
}

SpeedFigure measure_generation(const CharacterBench& bench, const CharacterReport& report,
                               std::size_t depth, const BenchOptions& options,
                               const BandwidthMeter& bandwidth) {
  const auto body = [&] {
    model::with_threads_at_hand(report.threads, [&] {
      model::BinaryCache cache(report.shape);
      cache.set_positions(depth);  // zeros take as long as anything else
      TokenId token = 0;
      for (std::size_t i = 0; i < options.generated_tokens; ++i)
        token = bench.feed({&token, 1}, cache);
    });
  };
  return measure_figure(
      options.generated_tokens, depth, options, [&] { return bandwidth.measure(); }, body,
      bench.measure_stages);
}

Status measure(const CharacterBench& bench, const BenchOptions& options, Progress& progress,
               CharacterReport& report) {
  BANKAI_ASSIGN_OR_RETURN(const BandwidthMeter bandwidth, BandwidthMeter::create(report.threads));
  for (const std::size_t tokens : options.prompts) {
    progress.update(format("measuring a prompt of %zu", tokens), -1.0);
    report.prompts.push_back(measure_prompt(bench, report.shape, tokens, options));
  }
  for (const std::size_t depth : options.depths) {
    if (options.generated_tokens == 0) break;
    progress.update(format("measuring generation at %zu", depth), -1.0);
    report.generations.push_back(measure_generation(bench, report, depth, options, bandwidth));
  }
  if (options.candidates == std::size_t{0} || !report.why_no_flips.empty()) return {};
  progress.update("measuring the evaluation of flips", -1.0);
  BANKAI_ASSIGN_OR_RETURN(report.candidates, bench.measure_flips());
  return {};
}

}  // namespace

Status bench_characters(const CommandLine& line, const BenchOptions& options,
                        const CharacterBench& bench, CharacterReport report) {
  BANKAI_ASSIGN_OR_RETURN(report.why_no_flips, why_no_flips(options, report.shape));
  Progress progress(!line.quiet());
  progress.update("checking the kernels", -1.0);
  BANKAI_RETURN_IF_ERROR(bench.check_kernels());
  BANKAI_RETURN_IF_ERROR(measure(bench, options, progress, report));
  progress.finish();
  print_character_report(report, line.json());
  return {};
}

}  // namespace bankai::cli
