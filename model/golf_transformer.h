// The forward pass of parameter-golf models (docs/formats/golf.md has the formulas).
//
// Products are float sums of up to 128 terms that are added up in double precision (golf_matrix.h);
// everything else is double precision in a fixed order, but for attention over keys and values that
// have a format. Trits times 8-bit activations are whole numbers below 2^24, so their products are
// exact; with the activations' scale taken in double precision a rounding step does not depend on
// noise. The same bytes for any number of threads and every table.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "core/result.h"
#include "kernels/kernel_table.h"
#include "model/golf_attention.h"
#include "model/golf_kv.h"
#include "model/golf_model.h"
#include "model/vocabulary.h"

namespace bankai::model {

// A sequence so far: what each pass remembers. A token's logits do not depend on how many of them
// come in one call.
struct GolfCache {
  std::vector<GolfPast> passes;
  std::size_t positions = 0;
};

class GolfTransformer {
 public:
  // `model` outlives the transformer. `kv`: how keys and values are kept, those of a sequence
  // without a cache included.
  GolfTransformer(const GolfModel& model, const kernels::KernelTable& table, int threads,
                  GolfKvFormat kv = std::nullopt);

  const GolfModel& model() const { return model_; }
  const GolfParameters& parameters() const { return model_.parameters; }
  const GolfKvFormat& kv_format() const { return kv_; }
  int threads() const { return threads_; }

  // Writes the logits after each token, soft-cap included, some rows (count, vocabulary) at a
  // time. REQUIRES: at least one token; tokens of the vocabulary. Errors: those of `write`.
  Status stream_logits(std::span<const TokenId> tokens,
                       const std::function<Status(std::span<const float> rows)>& write) const;
  // A cache of so many positions whose keys and values are zeros: for measurements.
  GolfCache zero_cache(std::size_t positions) const;
  // Appends tokens to the sequence of the cache; the logits after the last, (vocabulary).
  // REQUIRES: as above.
  std::vector<float> advance(std::span<const TokenId> tokens, GolfCache& cache) const;
  // out[i] = log-probability in nats of targets[i] after token first + i; targets of the
  // vocabulary, one for each token from `first` on.
  void log_probabilities(std::span<const TokenId> tokens, std::size_t first,
                         std::span<const TokenId> targets, std::span<double> out) const;

 private:
  using Rows = std::vector<double>;  // (tokens, width)
  using RowVisitor = std::function<void(std::size_t row, std::span<const double> logits)>;
  using PartVisitor = std::function<Status(std::size_t first_row, std::size_t count)>;

  void multiply(const GolfMatrix& matrix, const Rows& in, std::size_t rows, bool quantize,
                Rows& out) const;
  void normalize_rows(std::size_t rows, std::size_t width, Rows& values) const;
  void add(const Rows& change, const std::vector<float>& scale, Rows& x) const;
  void run_attention(const GolfBlock& block, std::size_t first_position, std::size_t rows,
                     GolfPast& past, Rows& x) const;
  void run_mlp(const GolfBlock& block, std::size_t rows, Rows& x) const;
  void smear(const GolfBlock& block, std::size_t first_position, std::size_t rows, GolfPast& past,
             Rows& x) const;
  void run_block(const GolfBlock& block, const Rows& start, std::size_t first_position,
                 std::size_t rows, GolfPast& past, Rows& x) const;
  Rows embed(std::span<const TokenId> tokens) const;
  Rows run_passes(std::span<const TokenId> tokens, GolfCache* cache) const;
  // Rows of a part may be visited from several threads; finish_part, if there is one, follows.
  Status visit_logits(std::span<const TokenId> tokens, std::size_t first, GolfCache* cache,
                      const RowVisitor& visit, const PartVisitor& finish_part) const;

  const GolfModel& model_;
  const kernels::KernelTable& table_;
  int threads_;
  GolfKvFormat kv_;
  std::vector<double> frequencies_;  // of RoPE, radians per position
};

}  // namespace bankai::model
