// KernelTable::int8_peak on tiles (amx_tiles.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/amx_tiles.h"

namespace bankai::kernels {
namespace {

// Each round is four products of 16 × 64 with 64 × 16.
template <typename Tiles>
std::uint64_t amx_int8_peak(std::size_t rounds) {
  std::int8_t factor[kTileRows][kTileRowBytes];
  __builtin_memset(factor, 1, sizeof factor);
  Tiles::configure(product_tiles(kTileRowBytes));
  Tiles::template zero<0>();
  Tiles::template zero<1>();
  Tiles::template zero<2>();
  Tiles::template zero<3>();
  Tiles::template load<4>(factor, kTileRowBytes);
  Tiles::template load<5>(factor, kTileRowBytes);
  Tiles::template load<6>(factor, kTileRowBytes);
  Tiles::template load<7>(factor, kTileRowBytes);
  for (std::size_t i = 0; i < rounds; ++i) {
    Tiles::template add_dots<0, 4, 6>();
    Tiles::template add_dots<1, 4, 7>();
    Tiles::template add_dots<2, 5, 6>();
    Tiles::template add_dots<3, 5, 7>();
  }
  Tiles::release();
  return std::uint64_t{rounds} * 4 * kTileRows * kTileRows * kTileRowBytes;
}

}  // namespace
}  // namespace bankai::kernels
