// Hard attention of strictly binary models: every head points to one position, the one whose key
// costs its query least, and takes that position's value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/binary_cache.h"

namespace bankai::model {

// Which position a head points to when several have the best score.
enum class TieRule : std::uint8_t { kEarliest, kLatest };

class PointerAttention {
 public:
  // REQUIRES: heads divide the width.
  PointerAttention(std::size_t width, std::size_t heads);

  // query, out: (ceil(width / 64)). Over the positions up to and including `position`, with a cost
  // of bit_cost for each bit that differs and slopes[head] for each position of distance.
  void attend(const kernels::KernelTable& table, const std::uint64_t* query,
              const BinaryCache& cache, std::size_t layer, std::size_t position,
              std::int64_t bit_cost, std::span<const std::int32_t> slopes, TieRule tie,
              std::uint64_t* out) const;

 private:
  // The bits of a head: in some words of a state, all of them or a part.
  struct Head {
    std::size_t first_word;
    std::vector<std::uint64_t> masks;
  };

  std::size_t words_;
  std::vector<Head> heads_;
};

}  // namespace bankai::model
