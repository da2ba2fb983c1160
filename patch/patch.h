// A patch: a canonical set of flips, what it is called, and which base it was made for.
// A value without a link to any model; thread-safe to read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "core/sha256.h"
#include "patch/flip_set.h"

namespace bankai::patch {

// The first 16 bytes of a SHA-256 over the contents of the touched matrices (patch/fingerprint.h).
using BaseHash = std::array<std::byte, 16>;
using ContentTable = std::map<TensorAddress, Sha256Digest>;

// What a patch knows of the model that it was made for. Everything may be missing: other programs'
// patches state no base, and the binary format keeps no hash of single matrices.
struct Base {
  ShapeTable shapes;
  ContentTable contents;         // of every touched matrix, or empty
  std::optional<BaseHash> hash;  // of `contents`, also where those are not kept

  bool operator==(const Base&) const = default;
};

struct Patch {
  std::string name;
  std::string description;
  std::string base_model;  // a label such as "prism-ml/Bonsai-8B"
  std::string metadata;    // a JSON object as compact text, or empty
  FlipSet flips;           // canonical for base.shapes
  Base base;

  bool operator==(const Patch&) const = default;
};

struct BitCount {
  std::uint64_t bits = 0;  // or trits
  bool exact = true;       // false: a row of unknown width was counted as 4,096 bits
};

// How many weights the flips touch: in a 1-bit matrix those that differ between base and patched
// model, in a ternary one also zeros that a negation leaves as they are. Rows of tensors without a
// known shape count as 4,096 bits, the width for which published patches state their figures.
BitCount count_flipped_bits(const FlipSet& flips, const ShapeTable& shapes);

// A shape that holds `flips` (all of one tensor) and is at least 4,096 columns wide: for counting
// where the true shape is not known.
TensorShape assumed_shape(std::span<const Flip> flips);

// True if the shape of every touched tensor is known.
bool shapes_known(const FlipSet& flips, const ShapeTable& shapes);

// Forgets shapes and contents of tensors that `flips` does not touch, and the hash with them.
void drop_untouched(Base& base, const FlipSet& flips);

}  // namespace bankai::patch
