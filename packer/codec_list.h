// Every codec once: its number in files and the function that gives it. codec_table.cpp lists them.
#pragma once

#include <cstdint>

#include "packer/codec.h"

namespace bankai::packer {

// Part of the format: never renumbered, never reused.
namespace codec_ids {
inline constexpr std::uint8_t kBitsRaw = 1;
inline constexpr std::uint8_t kBitsContext = 2;
inline constexpr std::uint8_t kTritsTwoBit = 3;
inline constexpr std::uint8_t kTritsBase3 = 4;
inline constexpr std::uint8_t kTritsBitmask = 5;
inline constexpr std::uint8_t kTritsOrder0 = 6;
inline constexpr std::uint8_t kTritsContext = 7;
inline constexpr std::uint8_t kScalesPredict = 8;
inline constexpr std::uint8_t kBytesRaw = 9;
inline constexpr std::uint8_t kBytesPlanes = 10;
inline constexpr std::uint8_t kZlib = 11;
inline constexpr std::uint8_t kZstdFast = 12;
inline constexpr std::uint8_t kZstdSmall = 13;
inline constexpr std::uint8_t kLzma = 14;
inline constexpr std::uint8_t kBitsLearned = 15;
inline constexpr std::uint8_t kTritsLearned = 16;
}  // namespace codec_ids

const Codec& bits_raw_codec();
const Codec& bits_context_codec();
const Codec& trits_two_bit_codec();
const Codec& trits_base3_codec();
const Codec& trits_bitmask_codec();
const Codec& trits_order0_codec();
const Codec& trits_context_codec();
const Codec& scales_predict_codec();
const Codec& bytes_raw_codec();
const Codec& bytes_planes_codec();
const Codec& zlib_codec();
const Codec& zstd_fast_codec();
const Codec& zstd_small_codec();
const Codec& lzma_codec();
const Codec& bits_learned_codec();
const Codec& trits_learned_codec();

}  // namespace bankai::packer
