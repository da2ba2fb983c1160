// Bit-flip sensitivity of every candidate by first order: one pass forward and back over the
// calibration data, whatever the number of candidates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bfs/change_sink.h"
#include "bfs/item_blocks.h"
#include "core/result.h"
#include "model/backward.h"
#include "mpi/communicator.h"

namespace bankai::bfs {

struct SensitivityOptions {
  bool curvature = true;  // bfs/predicted_change.h
  // 16-bit gradients, or 8-bit ones, which cost half and rank as well (docs/method.md).
  bool fine = false;
  std::size_t table_bytes = std::size_t{1} << 30U;         // of sums over blocks, per rank
  std::size_t activation_bytes = std::size_t{256} << 20U;  // of the pass forward and back
};

class Sensitivity {
 public:
  // References must outlive this.
  Sensitivity(model::Transformer& transformer, const Objective& objective,
              const CandidateSpace& space, const SensitivityOptions& options);

  // Collective. Predicted changes of all candidates on top of `state`, to `sink`: every rank's sink
  // gets all of them. `used`: the items that count, ascending. base, scores: item scores of the
  // unpatched model and of the state. The result depends on the data alone, not on ranks or
  // threads. Returns the work in tokens × half-layers, a step back counted as two forward.
  // Errors: kStopped when `should_stop`, asked between blocks, says so.
  Result<std::uint64_t> run(mpi::Communicator& communicator, const model::RowOverlay& state,
                            std::span<const std::size_t> used, std::span<const double> base,
                            std::span<const double> scores,
                            const std::function<bool()>& should_stop, ChangeSink& sink);

 private:
  // The tensors of the space in runs whose sums fit into memory together.
  std::vector<IndexRange> passes() const;
  std::uint64_t pass_cost(IndexRange tensors) const;
  void run_block(const ItemBlock& block, IndexRange tensors, const model::RowOverlay& state,
                 std::span<const ItemEffect> effects, std::span<const float> slopes,
                 ChangeSink& sink);

  model::Transformer& transformer_;
  const Objective& objective_;
  const CandidateSpace& space_;
  SensitivityOptions options_;
  model::BackwardPass backward_;
};

}  // namespace bankai::bfs
