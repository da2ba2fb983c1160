// How many flips per second a search evaluates exactly, beside whole forward passes for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bfs/flip_evaluator.h"
#include "bfs/objective.h"
#include "cli/bench_options.h"
#include "core/result.h"
#include "model/transformer.h"

namespace bankai::cli {

struct CandidateSpeed {
  struct Layer {
    std::uint32_t layer = 0;
    double per_second = 0.0;
  };
  double per_second = 0.0;  // flips evaluated exactly, averaged over the model's depth
  // The same flips by a forward pass of the whole model for each: of all sequences in blocks, and
  // of one sequence after the other.
  double plain_per_second = 0.0;
  double one_by_one_per_second = 0.0;
  std::vector<Layer> layers;
  std::size_t tokens = 0;  // that each flip is evaluated on
  std::size_t nodes = 0;   // of them, with common beginnings counted once
  std::size_t batch = 0;   // flips evaluated together
};

// Up to eight layers in the middles of equal parts of the depth: their mean cost is that of all.
std::vector<std::uint32_t> spread_layers(std::size_t num_layers);

// Sets per_second and layers from the median time of each layer's flips, of which there are
// speed.batch. Layers take turns, so that each begins afresh, as in a search.
void measure_layers(bfs::FlipEvaluator& evaluator,
                    const std::vector<std::vector<patch::Flip>>& flips, std::size_t repetitions,
                    CandidateSpeed& speed);

// What the flips are evaluated on: the data of --target and --control by metric nll, or random
// tokens of which a part is scored. Errors: those of reading the files; kBadInput for data that the
// model cannot take.
Result<bfs::Objective> bench_objective(const BenchOptions& options, const model::Model& model);

// Row flips of gate and up, evenly spaced, in up to eight layers spread over the depth;
// `options.candidates` in each, nullopt: as many as keep this short. Nothing for a model whose
// weights there are not one-bit. Errors: kVerification unless the scores are those of plain passes,
// bit for bit, for a flip of each layer.
Result<std::optional<CandidateSpeed>> measure_candidates(model::Transformer& transformer,
                                                         const bfs::Objective& objective,
                                                         const BenchOptions& options);

}  // namespace bankai::cli
