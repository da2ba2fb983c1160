#include "cli/bench_binary.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "bfs/binary_search_model.h"
#include "bfs/flipped_model.h"
#include "cli/bench_character_flips.h"
#include "cli/bench_characters.h"
#include "cli/bench_model.h"
#include "cli/bench_speed.h"
#include "cli/model_opening.h"
#include "core/clock.h"
#include "kernels/bit_panels.h"
#include "kernels/dispatch.h"
#include "model/binary_transformer.h"
#include "model/bit1_file.h"
#include "model/parallel.h"

namespace bankai::cli {

using model::TokenId;

namespace {

// What means something here.
constexpr const char* kOptions =
    "model random-bit1 save seed n-prompt n-gen depth profile repetitions candidates";

model::BinaryOptions usual_rules(int threads) {
  return {model::TieRule::kEarliest, model::PointerScore::kDot, threads};
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

Status check_kernels(const model::BinaryModel& model, const kernels::KernelTable& table) {
  const std::vector<TokenId> tokens = random_token_ids(model.shape.vocabulary, 12);
  const auto logits_with = [&](const kernels::KernelTable& kernels) {
    model::BinaryTransformer transformer(model, kernels, usual_rules(1));
    model::BinaryCache cache(model.shape);
    std::vector<std::int64_t> logits(tokens.size() * model.shape.vocabulary);
    transformer.logits(transformer.run(tokens, cache), logits);
    return logits;
  };
  if (logits_with(table) == logits_with(*kernels::all_kernels().front())) return {};
  return other_logits(table);
}

// Real logits do not matter here: those of the scale that training begins with.
Result<CandidateSpeed> measure_flips(const model::BinaryModel& model,
                                     const kernels::KernelTable& table, int threads,
                                     const BenchOptions& options) {
  const double scale = model::initial_logit_scale(model.shape);
  const model::BinaryOptions rules = usual_rules(threads);
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

// What is known before anything is measured.
CharacterReport describe(const model::BinaryModel& model, const BenchOptions& options) {
  const model::BinaryShape& shape = model.shape;
  const std::size_t bytes = model::encode_bit1(model).size();
  CharacterReport report;
  report.name = bench_name(options);
  report.shape = shape;
  report.model_bytes = bytes;
  // Layers and codebook, with their thresholds.
  report.bytes_per_token = static_cast<double>(bytes) -
                           static_cast<double>(shape.vocabulary * model.embedding.row_words() * 8);
  report.products_per_token =
      static_cast<double>(shape.num_weights() - 2 * shape.vocabulary * shape.width);
  report.tells_of_caches = true;
  return report;
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

Status bench_binary(const CommandLine& line, const BenchOptions& options) {
  BANKAI_RETURN_IF_ERROR(line.accept_only("a BIT1 model", kOptions));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(const model::BinaryModel model, open_model(line, options, threads));
  if (options.only_writes()) return report_written(bench_name(options), options.save, line.json());
  CharacterReport report = describe(model, options);
  report.kernel = table->name;
  report.threads = threads;
  model::BinaryTransformer transformer(model, *table, usual_rules(threads));
  std::vector<std::int64_t> logits(model.shape.vocabulary);
  CharacterBench bench;
  bench.check_kernels = [&] { return check_kernels(model, *table); };
  bench.feed = [&](std::span<const TokenId> tokens, model::BinaryCache& cache) {
    const std::span<const std::uint64_t> states = transformer.run(tokens, cache);
    transformer.logits(states.last(transformer.state_words()), logits);
    return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  };
  bench.prompt_limit = [&] { return measure_xnor_peak(*table, model.shape.width, threads); };
  bench.measure_stages = [&](model::StageTimes* times) { transformer.measure_stages(times); };
  bench.measure_flips = [&] { return measure_flips(model, *table, threads, options); };
  return bench_characters(line, options, bench, std::move(report));
}

}  // namespace bankai::cli
