// Counts and sums of predicted changes for the atlas, as they stream by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/atlas.h"
#include "bfs/change_sink.h"

namespace bankai::bfs {

// The candidates of one kind in one tensor. Memory: a few numbers per row. The result does not
// depend on the order in which candidates come: sums are exact integers.
class AtlasTally {
 public:
  AtlasTally(TensorAddress tensor, patch::FlipKind kind, std::uint64_t rows, std::uint64_t per_row,
             double control_penalty);

  // The changes of candidates first, first + 1, … of this kind and tensor, counted from 0, by row
  // and then by index. Each must come once. legal: which of them count, 1 or 0; empty: all.
  void add(std::uint64_t first, std::span<const PredictedChange> changes,
           std::span<const std::uint8_t> legal = {});
  // Candidates that have come and count.
  std::uint64_t num_counted() const { return num_counted_; }
  // REQUIRES: all candidates have come, and some of them count.
  AtlasKind finish() &&;

 private:
  // 8B models have 5e7 bits in a tensor, and changes up to 2^47: their sums leave 64 bits.
  __extension__ using Wide = __int128;

  void add_to_row(std::uint64_t row, std::uint64_t first_in_row,
                  std::span<const PredictedChange> changes, std::span<const std::uint8_t> legal);

  TensorAddress tensor_;
  std::uint64_t per_row_;
  std::uint64_t count_;
  double control_penalty_;
  Wide target_gain_ = 0, abs_target_gain_ = 0, control_loss_ = 0;
  PredictedChange least_, most_, best_;
  double least_fitness_ = 0.0;
  double most_fitness_ = 0.0;  // that of best_
  std::uint64_t best_place_ = 0;
  std::uint64_t num_added_ = 0;
  std::uint64_t num_counted_ = 0;
  std::uint64_t improving_ = 0;
  AtlasKind result_;
};

// Tallies of all tensors and kinds of a space, as far as a search may take the candidates on the
// unpatched model. Kinds of which it may take none are left out.
class AtlasSink final : public ChangeSink {
 public:
  // weights: of the space's tensors. model: which steps are legal in it; none are asked for where
  // it is null. References must outlive this.
  AtlasSink(const CandidateSpace& space, const patch::MatrixLookup& weights,
            const model::Model* model, double control_penalty);
  void take(CandidateId first, std::span<const PredictedChange> changes) override;
  std::vector<AtlasTensor> tensors() &&;

 private:
  struct Part;
  // Of candidates first, first + 1, … of a kind of steps.
  std::vector<std::uint8_t> legal_ones(const Part& part, std::uint64_t first,
                                       std::size_t count) const;

  struct Part {
    std::size_t tensor = 0;
    patch::FlipKind kind = patch::FlipKind::kRow;
    CandidateId first = 0;
    AtlasTally tally;
  };
  const model::Model* model_;
  std::vector<AtlasTensor> tensors_;
  std::vector<Part> parts_;  // ascending
};

}  // namespace bankai::bfs
