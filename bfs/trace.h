// What the state computes in one half-layer, kept for the candidates that enter there.
//
// A flip changes one row of one matrix, and so one column of what that matrix puts out. The first
// matrices of a half-layer (q, k, v, gate, up) feed a second one (o, down), whose sum is added to
// the residual. A candidate is the new values of one column of the second matrix's inputs, or of
// the residual behind it; everything else is taken from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/block_runner.h"
#include "patch/flip.h"

namespace bankai::bfs {

struct Candidate {
  Projection projection = Projection::kGate;
  std::size_t row = 0;
  std::vector<float> column;  // (nodes): q, k, v; activation(gate) · up; or the residual
};

class Trace {
 public:
  // `runner` computes; its transformer's threads share the work. References must outlive this.
  Trace(BlockRunner& runner, const PrefixTree& tree, std::span<const Chunk> chunks)
      : runner_(runner), num_nodes_(tree.num_nodes()), chunks_(chunks) {}

  // Computes the half-layer for all nodes, from its input x (nodes, embedding); no more than that
  // if it is there already. x and the state must stay as they are until `forget`.
  void load(HalfLayer place, const std::vector<float>& x, const model::RowOverlay& state);
  void forget() { is_loaded_ = false; }
  HalfLayer place() const { return place_; }

  // REQUIRES: the flips enter at the place that was loaded.
  std::vector<Candidate> prepare(std::span<const patch::Flip> flips);

  // Candidates that take the same way, whose copies can share a block.
  static bool go_together(const Candidate& a, const Candidate& b);
  // Begins a block of the candidates in `runner` and takes it to the end of the half-layer. May be
  // called from several threads with a runner each. REQUIRES: they go together.
  void run_half_layer(std::span<const Candidate> candidates, const Chunk& chunk,
                      BlockRunner& runner) const;

 private:
  void load_inner();
  std::span<const float> outputs(Projection projection) const;
  // New values (nodes) of the flipped rows' outputs, all of one matrix: (flips, nodes).
  std::vector<std::vector<float>> flipped_outputs(std::span<const patch::Flip> flips);
  void enter_block(std::span<const Candidate> candidates, BlockRunner& runner) const;

  BlockRunner& runner_;
  std::size_t num_nodes_;
  std::span<const Chunk> chunks_;
  bool is_loaded_ = false;
  HalfLayer place_;
  const std::vector<float>* x_ = nullptr;
  const model::RowOverlay* state_ = nullptr;
  kernels::ActivationBlock outer_;  // what q, k, v or gate, up read
  model::AttentionProjections attention_;
  model::FfnProjections ffn_;
  std::vector<float> hidden_;
  // What is needed for flips of the second matrix alone.
  bool has_inner_ = false;
  kernels::ActivationBlock inner_;  // what o or down reads
  std::vector<float> after_;        // the residual behind it
};

}  // namespace bankai::bfs
