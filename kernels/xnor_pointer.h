// Pointer attention over bits (KernelTable::xnor_pointer) for x86, written once for a register V of
// xnor_body.h. Eight positions lie side by side, so a lane is a position and nothing is added up
// across lanes; each lane remembers the least cost that it saw and where, and the lanes are
// compared at the end. V also gives:
//   bit_and(a, b)
//   scaled(counts, factor)                  a product in 64-bit lanes, both below 2^32
//   keep_least(cost, position, existing, latest, least, where)   existing lanes that beat `least`
//                                           replace it and their lane of `where`
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace {

// The bits that count and differ, for the positions [first, first + kWords).
template <typename V>
typename V::Vector pointer_differences(const PointerQuery& p, std::size_t first) {
  using Vector = typename V::Vector;
  const std::uint64_t* keys =
      p.keys + first / kBitPanelRows * p.panel_stride + first % kBitPanelRows;
  Vector sum = V::zero();
  for (std::size_t word = 0; word < p.words; ++word) {
    const Vector different =
        V::exclusive_or(V::load(keys + word * kBitPanelRows), V::broadcast(p.query[word]));
    const Vector counted = V::bit_and(different, V::broadcast(p.mask[word]));
    sum = V::add(sum, V::widened(V::add_count(V::zero(), counted)));
  }
  return sum;
}

template <typename V>
std::size_t xnor_pointer(const PointerQuery& p) {
  using Vector = typename V::Vector;
  const auto last = static_cast<std::int64_t>(p.num_positions) - 1;
  alignas(64) std::int64_t distances[V::kWords];
  for (std::size_t lane = 0; lane < V::kWords; ++lane)
    distances[lane] = p.position_cost * (last - static_cast<std::int64_t>(lane));
  Vector far = V::load(reinterpret_cast<const std::uint64_t*>(distances));
  const Vector nearer = V::broadcast(
      static_cast<std::uint64_t>(-p.position_cost * static_cast<std::int64_t>(V::kWords)));
  Vector least = V::broadcast(static_cast<std::uint64_t>(INT64_MAX));
  Vector where = V::zero();  // of lane 0 at the time
  for (std::size_t first = 0; first < p.num_positions; first += V::kWords) {
    const Vector cost = V::add(
        V::scaled(pointer_differences<V>(p, first), static_cast<std::uint32_t>(p.bit_cost)), far);
    V::keep_least(cost, V::broadcast(first), V::first_words(p.num_positions - first), p.latest,
                  least, where);
    far = V::add(far, nearer);
  }
  alignas(64) std::int64_t costs[V::kWords];
  alignas(64) std::uint64_t positions[V::kWords];
  __builtin_memcpy(costs, &least, sizeof costs);
  __builtin_memcpy(positions, &where, sizeof positions);
  std::size_t best = 0;
  std::int64_t best_cost = INT64_MAX;
  for (std::size_t lane = 0; lane < V::kWords; ++lane) {
    const std::size_t position = positions[lane] + lane;
    const bool is_wanted = p.latest ? position > best : position < best;
    if (costs[lane] < best_cost || (costs[lane] == best_cost && is_wanted)) {
      best_cost = costs[lane];
      best = position;
    }
  }
  return best;
}

}  // namespace
}  // namespace bankai::kernels
