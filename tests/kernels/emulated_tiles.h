// The tile operations of kernels/amx_tiles.h in plain C++, for machines without AMX. They do what a
// configuration's bytes say and count what the processor would not accept. One thread at a time.
// In an unnamed namespace for the reason told in kernels/lanes.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/amx_tiles.h"

namespace bankai::kernels {
namespace {

struct EmulatedTiles {
  struct Tile {
    std::size_t rows;
    std::size_t row_bytes;
    std::uint8_t bytes[kTileRows][kTileRowBytes];
  };
  static Tile tiles[8];
  static bool is_configured;
  static std::size_t faults;

  static void configure(const TileConfig& config) {
    std::uint8_t bytes[64];
    __builtin_memcpy(bytes, &config, sizeof bytes);
    check(!is_configured && bytes[0] == 1);
    for (std::size_t i = 1; i < 16; ++i) check(bytes[i] == 0);  // start row, reserved
    for (std::size_t t = 0; t < 8; ++t) {
      const std::size_t row_bytes = bytes[16 + 2 * t] + 256U * bytes[17 + 2 * t];
      const std::size_t rows = bytes[48 + t];
      check(row_bytes > 0 && row_bytes <= kTileRowBytes && rows > 0 && rows <= kTileRows);
      tiles[t].rows = rows;
      tiles[t].row_bytes = row_bytes;
    }
    for (std::size_t i = 32; i < 48; ++i) check(bytes[i] == 0);  // tiles that do not exist
    for (std::size_t i = 56; i < 64; ++i) check(bytes[i] == 0);
    is_configured = true;
  }
  static void release() {
    check(is_configured);
    is_configured = false;
  }

  template <int kTile>
  static void zero() {
    check(is_configured);
    __builtin_memset(tiles[kTile].bytes, 0, sizeof tiles[kTile].bytes);
  }
  template <int kTile>
  static void load(const void* from, std::size_t stride) {
    zero<kTile>();
    for (std::size_t i = 0; i < tiles[kTile].rows; ++i)
      __builtin_memcpy(tiles[kTile].bytes[i], static_cast<const std::uint8_t*>(from) + i * stride,
                       tiles[kTile].row_bytes);
  }
  template <int kTile>
  static void store(void* to, std::size_t stride) {
    check(is_configured);
    for (std::size_t i = 0; i < tiles[kTile].rows; ++i)
      __builtin_memcpy(static_cast<std::uint8_t*>(to) + i * stride, tiles[kTile].bytes[i],
                       tiles[kTile].row_bytes);
  }
  template <int kSums, int kLeft, int kRight>
  static void add_dots() {
    Tile& sums = tiles[kSums];
    const Tile& left = tiles[kLeft];
    const Tile& right = tiles[kRight];
    check(is_configured && kSums != kLeft && kSums != kRight && kLeft != kRight);
    check(sums.rows == left.rows && sums.row_bytes == right.row_bytes &&
          left.row_bytes == 4 * right.rows);
    for (std::size_t i = 0; i < sums.rows; ++i) {
      for (std::size_t j = 0; j < sums.row_bytes / 4; ++j) {
        std::uint32_t sum;
        __builtin_memcpy(&sum, sums.bytes[i] + 4 * j, sizeof sum);
        for (std::size_t k = 0; k < left.row_bytes; ++k) {
          const int a = static_cast<std::int8_t>(left.bytes[i][k]);
          const int b = static_cast<std::int8_t>(right.bytes[k / 4][4 * j + k % 4]);
          sum += static_cast<std::uint32_t>(a * b);
        }
        __builtin_memcpy(sums.bytes[i] + 4 * j, &sum, sizeof sum);
      }
    }
  }

 private:
  static void check(bool is_valid) { faults += is_valid ? 0 : 1; }
};

EmulatedTiles::Tile EmulatedTiles::tiles[8];
bool EmulatedTiles::is_configured = false;
std::size_t EmulatedTiles::faults = 0;

}  // namespace
}  // namespace bankai::kernels
