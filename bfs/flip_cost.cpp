#include "bfs/flip_cost.h"

#include <algorithm>

namespace bankai::bfs {
namespace {

constexpr double kShiftBits = 6.0;       // of a set (patch/rice_set.h)
constexpr double kFirstCountBits = 8.0;  // the count is a varint
constexpr unsigned kMaxShift = 63;

// Expected bits of one gap of mean (N − k) / (k + 1), geometrically distributed, with the best
// shift s: s low bits, the zero that ends the quotient, and the mean quotient. Of gaps with
// P(gap >= j) = r^j the latter is ρ / (1 − ρ) with ρ = r^(2^s), by squaring: no logarithm, hence
// the same bits everywhere.
double gap_bits(double places, double count) {
  double survival = (places - count) / (places + 1.0);
  double best = 1.0 + survival / (1.0 - survival);
  for (unsigned shift = 1; shift <= kMaxShift && survival > 0.0; ++shift) {
    survival *= survival;
    best = std::min(best, 1.0 + shift + survival / (1.0 - survival));
  }
  return best;
}

}  // namespace

FlipCost::FlipCost(std::span<const patch::TensorShape> shapes) {
  for (const patch::TensorShape& shape : shapes) {
    const std::uint64_t groups = std::uint64_t{shape.rows} * shape.groups_per_row();
    places_[static_cast<std::size_t>(patch::FlipKind::kRow)] += shape.rows;
    places_[static_cast<std::size_t>(patch::FlipKind::kGroup)] += groups;
    for (const patch::FlipKind kind :
         {patch::FlipKind::kBit, patch::FlipKind::kStepUp, patch::FlipKind::kStepDown})
      places_[static_cast<std::size_t>(kind)] += groups * kGroupCols;
  }
}

std::uint64_t FlipCost::num_places(patch::FlipKind kind) const {
  return places_[static_cast<std::size_t>(kind)];
}

double FlipCost::set_bits(patch::FlipKind kind, std::uint64_t count) const {
  BANKAI_CHECK(count <= num_places(kind), "more flips than places");
  if (count == 0) return 0.0;
  const auto flips = static_cast<double>(count);
  return kFirstCountBits + kShiftBits +
         flips * gap_bits(static_cast<double>(num_places(kind)), flips);
}

}  // namespace bankai::bfs
