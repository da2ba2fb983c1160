#include "cli/bench_residual.h"

#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "bfs/flipped_model.h"
#include "bfs/residual_search_model.h"
#include "cli/bench_character_flips.h"
#include "cli/bench_characters.h"
#include "cli/bench_model.h"
#include "cli/bench_speed.h"
#include "cli/model_opening.h"
#include "kernels/dispatch.h"
#include "model/character_model.h"
#include "model/parallel.h"
#include "model/sampler.h"

namespace bankai::cli {

using model::BinaryResidualModel;
using model::TokenId;

namespace {

// What means something here.
constexpr const char* kOptions =
    "model random-residual save seed n-prompt n-gen depth repetitions candidates";

// Read for each generated token: bits, scales and offsets of the layers and the output.
double bytes_per_token(const BinaryResidualModel& model) {
  const model::BinaryShape& shape = model.shape;
  const std::size_t weights = static_cast<std::size_t>(shape.num_weights()) -
                              shape.vocabulary * shape.width;  // but not the embedding
  const std::size_t channels =
      shape.num_layers * (5 * shape.width + 2 * shape.feed_forward) + shape.vocabulary;
  return static_cast<double>(weights) / 8.0 + static_cast<double>(channels * 2 * sizeof(float));
}

Status check_kernels(const BinaryResidualModel& model, const kernels::KernelTable& table) {
  const std::vector<TokenId> tokens = random_token_ids(model.shape.vocabulary, 12);
  const auto logits_with = [&](const kernels::KernelTable& kernels) {
    const model::BinaryResidualTransformer transformer(model, kernels, 1);
    model::BinaryCache cache(model.shape);
    return transformer.run(tokens, cache);
  };
  const std::vector<float> found = logits_with(table);
  const std::vector<float> expected = logits_with(*kernels::all_kernels().front());
  if (std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)) == 0) return {};
  return other_logits(table);
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

}  // namespace

Status bench_residual(const CommandLine& line, const BenchOptions& options) {
  BANKAI_RETURN_IF_ERROR(line.accept_only("a bankai-binary model", kOptions));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(const BinaryResidualModel model, open_model(line, options, threads));
  if (options.only_writes()) return report_written(bench_name(options), options.save, line.json());
  CharacterReport report;
  report.name = bench_name(options);
  report.shape = model.shape;
  report.bytes_per_token = bytes_per_token(model);
  report.kernel = table->name;
  report.threads = threads;
  const model::BinaryResidualTransformer transformer(model, *table, threads);
  CharacterBench bench;
  bench.check_kernels = [&] { return check_kernels(model, *table); };
  bench.feed = [&](std::span<const TokenId> tokens, model::BinaryCache& cache) {
    return model::greedy_token(transformer.run(tokens, cache, true));
  };
  bench.prompt_limit = [] { return 0.0; };
  bench.measure_flips = [&] { return measure_flips(model, *table, threads, options); };
  return bench_characters(line, options, bench, std::move(report));
}

}  // namespace bankai::cli
