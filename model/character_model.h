// A binary model as something that reads characters and answers with logits, whichever kind it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/binary_residual_transformer.h"
#include "model/binary_transformer.h"

namespace bankai::model {

class CharacterModel {
 public:
  virtual ~CharacterModel() = default;
  virtual const BinaryShape& shape() const = 0;
  virtual const kernels::KernelTable& table() const = 0;
  virtual int threads() const = 0;
  // Forgets all positions.
  virtual void clear() = 0;
  // Feeds tokens behind those fed before; real logits after each of them (tokens, vocabulary), or
  // after the last one alone. REQUIRES: a token; tokens of the vocabulary.
  virtual void feed(std::span<const TokenId> tokens, bool only_last,
                    std::vector<float>& logits) = 0;
};

// Real logits are logit · scale / logit_multiplier. A BIT1 file does not hold the scale; training
// begins with this one.
double initial_logit_scale(const BinaryShape& shape);

// Strictly binary. The logits are given less the largest of their position if `from_largest`: then
// integers that differ stay different where it matters, next to the largest.
class StrictCharacterModel : public CharacterModel {
 public:
  // Keeps a reference.
  StrictCharacterModel(BinaryTransformer& transformer, double scale, bool from_largest)
      : transformer_(transformer),
        scale_(scale),
        from_largest_(from_largest),
        cache_(transformer.model().shape) {}
  const BinaryShape& shape() const override { return transformer_.model().shape; }
  const kernels::KernelTable& table() const override { return transformer_.table(); }
  int threads() const override { return transformer_.options().threads; }
  void clear() override { cache_.set_positions(0); }
  void feed(std::span<const TokenId> tokens, bool only_last, std::vector<float>& logits) override;

 private:
  BinaryTransformer& transformer_;
  double scale_;
  bool from_largest_;
  BinaryCache cache_;
};

// With a float residual.
class ResidualCharacterModel : public CharacterModel {
 public:
  // Keeps a reference.
  explicit ResidualCharacterModel(const BinaryResidualTransformer& transformer)
      : transformer_(transformer), cache_(transformer.model().shape) {}
  const BinaryShape& shape() const override { return transformer_.model().shape; }
  const kernels::KernelTable& table() const override { return transformer_.table(); }
  int threads() const override { return transformer_.threads(); }
  void clear() override { cache_.set_positions(0); }
  void feed(std::span<const TokenId> tokens, bool only_last, std::vector<float>& logits) override;

 private:
  const BinaryResidualTransformer& transformer_;
  BinaryCache cache_;
};

}  // namespace bankai::model
