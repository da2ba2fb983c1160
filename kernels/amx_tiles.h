// The tile registers of AMX behind the few operations that the products need, so that the tests can
// run the same products on tiles written in plain C++ (tests/kernels/emulated_tiles.h).
//
// Tile t holds rows[t] rows of row_bytes[t] bytes. add_dots<C, A, B> adds to each 32-bit integer
// (i, j) of C the sum over the 4 · (rows of B) bytes of row i of A times the same bytes of column j
// of B, where a column's bytes lie four by four: byte k of column j is byte 4 j + k mod 4 of row k
// / 4.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileRowBytes = 64;

// What LDTILECFG reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;  // eight tiles of up to 16 rows of 64 bytes
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Tiles 0 to 3 are sums of 16 × 16 integers, 4 and 5 left factors of 16 rows × depth bytes, 6 and 7
// right factors of depth bytes × 16 columns. depth: a multiple of 4 up to 64.
inline TileConfig product_tiles(std::size_t depth) {
  TileConfig config;
  for (std::size_t tile = 0; tile < 8; ++tile) {
    const bool is_left = tile == 4 || tile == 5;
    config.row_bytes[tile] = static_cast<std::uint16_t>(is_left ? depth : kTileRowBytes);
    config.rows[tile] = static_cast<std::uint8_t>(tile >= 6 ? depth / 4 : kTileRows);
  }
  return config;
}

// Assembler text, as GCC's intrinsics take literal tile numbers alone and do not say which memory a
// tile is loaded from.
struct HardwareTiles {
  static void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  static void release() { asm volatile("tilerelease"); }

  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "n"(kTile));
  }
  // Rows are `stride` bytes apart.
  template <int kTile>
  static void load(const void* from, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "n"(kTile) : "memory");
  }
  template <int kTile>
  static void store(void* to, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "n"(kTile) : "memory");
  }
  template <int kSums, int kLeft, int kRight>
  static void add_dots() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "n"(kSums), "n"(kLeft), "n"(kRight));
  }
};

}  // namespace
}  // namespace bankai::kernels
