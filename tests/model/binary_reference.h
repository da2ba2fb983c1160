// Strictly binary inference written from the documents alone: reads a BIT1 file's bytes into lists
// of ±1 and follows the formulas element by element. Shares no code with the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bankai::model {

class BinaryReference {
 public:
  struct Rules {
    bool latest_tie = false;
    bool popcount_score = false;
  };
  explicit BinaryReference(std::span<const std::byte> file);

  // The logits after each token.
  std::vector<std::vector<long long>> logits(const std::vector<int>& tokens, Rules rules) const;

 private:
  using Signs = std::vector<int>;
  struct Linear {
    std::vector<Signs> rows;
    std::vector<long long> thresholds;
  };
  struct Layer {
    std::vector<long long> slopes;
    Linear q, k, v, o, gate, up, down;
  };
  static Signs apply(const Linear& linear, const Signs& in);
  std::vector<Signs> attend(const Layer& layer, const std::vector<Signs>& x, Rules rules) const;

  std::size_t heads_ = 0;
  long long multiplier_ = 0;
  std::vector<Signs> embedding_;
  std::vector<Layer> layers_;
  std::vector<Signs> codebook_;
  std::vector<long long> biases_;
};

}  // namespace bankai::model
