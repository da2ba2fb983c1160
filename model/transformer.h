// The forward pass, in stages over a block of token rows.
//
// A block holds the tokens of one or more segments (sequences), each attending to its own past
// only. The residual stream x is (tokens, embedding), float32. Every row's result depends on its
// own segment alone: not on the block it is computed in, the threads, or the kernel table. The
// stages are public because an evaluation of flips enters in the middle of a layer, from cached
// activations. A Transformer owns scratch memory: use one per thread of control. The model must
// outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/matmul.h"
#include "model/kv_cache.h"
#include "model/kv_rotation.h"
#include "model/model.h"
#include "model/rope.h"
#include "model/row_overlay.h"
#include "model/stage_times.h"

namespace bankai::model {

struct ForwardOptions {
  kernels::ActivationMode activations = kernels::ActivationMode::kA8;
  KvFormat kv = KvType::kF16;
  int threads = 1;
};

// A8 with an fp16 cache (speed), or a16 with a float32 cache (what a single flip moves is below
// fp16 rounding).
ForwardOptions forward_options(kernels::ActivationMode mode, int threads);

struct Segment {
  std::size_t first_token = 0;  // first row of the block
  std::size_t num_tokens = 0;
  // Positions before the segment, all in `cache`; without a cache they are the parent's, and all
  // keys and values live as long as the call. A segment with positions before it has either.
  KvCache* cache = nullptr;
  std::size_t past = 0;
  // Without a cache: an earlier segment of the call whose first `past` positions this one shares.
  static constexpr std::size_t kNoParent = SIZE_MAX;
  std::size_t parent = kNoParent;
};

// A replaced row that holds for some tokens of the block only: a candidate under evaluation.
struct LocalRow {
  TensorAddress address;
  std::size_t row = 0;
  const std::uint8_t* bytes = nullptr;
  std::size_t first_token = 0;
  std::size_t num_tokens = 0;
};

// The rows in force instead of the model's; local rows win over the overlay's.
struct Replacements {
  const RowOverlay* overlay = nullptr;
  std::span<const LocalRow> local;
};

// Pre-activations: what the projections of a half-layer put out, before anything else.
struct AttentionProjections {
  std::vector<float> query;  // (tokens, query_dim)
  std::vector<float> key;    // (tokens, kv_dim)
  std::vector<float> value;  // (tokens, kv_dim)
};
struct FfnProjections {
  std::vector<float> gate;  // (tokens, feed_forward)
  std::vector<float> up;    // (tokens, feed_forward)
};

class Transformer {
 public:
  Transformer(const Model& model, const kernels::KernelTable& table, ForwardOptions options);

  const Model& model() const { return model_; }
  const kernels::KernelTable& table() const { return table_; }
  const ForwardOptions& options() const { return options_; }
  // Adds the time of every stage to `times` from now on; nullptr: no longer.
  void measure_stages(StageTimes* times) { stage_times_ = times; }
  StageTimes* stage_times() const { return stage_times_; }

  // x (tokens, embedding) = embedding rows. REQUIRES: ids inside the vocabulary.
  void embed(std::span<const TokenId> tokens, const Replacements& replacements, float* x) const;

  // Attention half of a layer: x → q, k, v; then q, k, v → x += attention output.
  // `finish_attention` changes q and k in place (norm, RoPE) and writes k and v to the segments'
  // caches.
  void project_attention(std::size_t layer, std::size_t tokens, const float* x,
                         const Replacements& replacements, AttentionProjections& projections);
  // Where only some tokens of the block are wanted, `query_tokens` names them, ascending:
  // projections.query and x then hold their rows alone. Empty: all tokens.
  void finish_attention(std::size_t layer, std::span<const Segment> segments,
                        AttentionProjections& projections, const Replacements& replacements,
                        float* x, std::span<const std::size_t> query_tokens = {});
  // The parts of project_attention, for blocks in which only some tokens are wanted.
  void project_queries(std::size_t layer, std::size_t tokens, const float* x,
                       const Replacements& replacements, AttentionProjections& projections);
  void project_keys_values(std::size_t layer, std::size_t tokens, const float* x,
                           const Replacements& replacements, AttentionProjections& projections);
  // The middle of finish_attention: q, k, v → what each token reads, (tokens, query_dim), valid
  // until the next call of either.
  const std::vector<float>& mix_values(std::size_t layer, std::span<const Segment> segments,
                                       AttentionProjections& projections,
                                       std::span<const std::size_t> query_tokens = {});
  // The end of finish_attention: x += output(mixed), after the sub-norm if the model has one.
  void finish_output(std::size_t layer, std::size_t tokens, const float* mixed,
                     const Replacements& replacements, float* x);
  // Feed-forward half: x → gate, up; then hidden = activation(gate) · up, in place of gate; then x
  // += down(hidden), after the sub-norm if the model has one.
  void project_ffn(std::size_t layer, std::size_t tokens, const float* x,
                   const Replacements& replacements, FfnProjections& projections);
  void activate_ffn(FfnProjections& projections) const;
  // The model's activation of n gates times n ups. out may be gate or up.
  void activate(const float* gate, const float* up, std::size_t n, float* out) const;
  void finish_ffn(std::size_t layer, std::size_t tokens, const float* hidden,
                  const Replacements& replacements, float* x);

  // Layers [first, last), in place in x.
  void run_layers(std::size_t first, std::size_t last, std::span<const Segment> segments,
                  const Replacements& replacements, float* x);

  // x (rows, cols) as the activations of a product, after an RMS norm unless `norm` is empty.
  void quantise(std::size_t rows, const float* x, std::size_t cols, const std::vector<float>& norm,
                kernels::ActivationBlock& out) const;
  // RMS norm of residual rows x (rows, embedding), as the activations of a product.
  void normalise(std::size_t rows, const float* x, const std::vector<float>& weight,
                 kernels::ActivationBlock& out) const;
  // Rows with the given bytes (num_rows, in the file's layout) instead of the matrix's own, times
  // tokens [first_token, first_token + num_tokens): out[token · stride + row]. REQUIRES: no more
  // rows than the matrix has.
  void multiply_given(const WeightMatrix& matrix, const std::uint8_t* bytes, std::size_t num_rows,
                      const kernels::ActivationBlock& activations, std::size_t first_token,
                      std::size_t num_tokens, float* out, std::size_t stride) const;
  // One weight row with the given bytes (in the file's layout) times tokens [first_token,
  // first_token + num_tokens): out[token · stride].
  void multiply_row(const WeightMatrix& matrix, const std::uint8_t* bytes,
                    const kernels::ActivationBlock& activations, std::size_t first_token,
                    std::size_t num_tokens, float* out, std::size_t stride) const;

  // Logits (rows, vocabulary) of residual rows x (rows, embedding).
  void logits(std::size_t rows, const float* x, const Replacements& replacements, float* out);

 private:
  // Where a token's keys and values are: position j of its segment is position first_row + j of kv,
  // and first_row is a multiple of 16.
  struct TokenPlace {
    KvRows* kv = nullptr;
    std::size_t first_row = 0;
    std::size_t position = 0;
  };

  // Consecutive queries of consecutive tokens of one segment, which attend together.
  struct QueryRun {
    std::size_t first_query = 0;
    std::size_t num_queries = 0;
    TokenPlace first_place;
  };
  // Consecutive tokens of one segment whose keys share a block of 16 positions.
  struct KeyRun {
    std::size_t first_token = 0;
    std::size_t num_tokens = 0;
  };
  struct AttentionScratch {
    std::vector<float> queries, scores, sums, mixed;
  };
  struct Product {
    const WeightMatrix& matrix;
    float* out;  // (tokens, rows)
  };

  // What one element of a norm or an activation amounts to, in multiply-adds.
  static constexpr std::size_t kElementWork = 16;
  int threads_for(std::size_t elements, std::size_t work_per_element) const;
  void multiply(std::span<const Product> products, std::size_t tokens,
                const Replacements& replacements);
  void multiply_replaced(const Product& product, std::size_t tokens,
                         const Replacements& replacements) const;
  void place_tokens(std::size_t layer, std::span<const Segment> segments, std::size_t tokens);
  void collect_runs(std::span<const std::size_t> query_tokens);
  void norm_and_rotate(const std::vector<float>& norm, const std::vector<float>& bias,
                       std::size_t offset, std::size_t position, float* head) const;
  void store_key(std::size_t layer, std::size_t token, std::size_t kv_head,
                 AttentionProjections& projections) const;
  void store_keys(std::size_t layer, std::span<const Segment> segments,
                  AttentionProjections& projections);
  void rotate_queries(std::size_t layer, const QueryRun& run, std::size_t kv_head,
                      AttentionProjections& projections) const;
  void attend(std::size_t layer, std::span<const Segment> segments,
              AttentionProjections& projections);
  void attend_run(std::size_t layer, const QueryRun& run, std::size_t kv_head,
                  const AttentionProjections& projections, AttentionScratch& scratch);
  void add_to_residual(std::size_t tokens, const float* delta, float* x) const;

  const Model& model_;
  const kernels::KernelTable& table_;
  ForwardOptions options_;
  RopeTable rope_;
  std::vector<QueryKeyNorms> norms_;  // balanced, of each layer; empty: the model's
  KvRows scratch_kv_;                 // of segments without a cache, one layer at a time
  std::size_t scratch_rows_ = 0;      // that it has room for
  std::vector<TokenPlace> places_;    // of the block in attention
  std::vector<KeyRun> key_runs_;
  std::vector<QueryRun> runs_;
  kernels::ActivationBlock activations_;
  AttentionProjections attention_;
  FfnProjections ffn_;
  std::vector<float> mixed_;  // attention output (tokens, query_dim)
  std::vector<float> delta_;  // what a half-layer adds to the residual (tokens, embedding)
  StageTimes* stage_times_ = nullptr;
};

}  // namespace bankai::model
