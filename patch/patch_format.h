// The constants of the patch formats; docs/formats/patch.md is the specification.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bankai::patch {

// "BKP" and the control character that stops a terminal from showing what follows.
inline constexpr std::array<std::byte, 4> kBinaryMagic = {std::byte{'B'}, std::byte{'K'},
                                                          std::byte{'P'}, std::byte{0x1a}};
inline constexpr std::uint8_t kBinaryVersion = 1;
inline constexpr std::uint8_t kBinaryStepVersion = 2;  // of patches with steps
inline constexpr std::size_t kMaxBinaryNameBytes = 32;
// magic, checksum, version, flags, base hash, length of the name, name
inline constexpr std::size_t kMaxBinaryHeaderBytes = 4 + 4 + 1 + 1 + 16 + 1 + kMaxBinaryNameBytes;
static_assert(kMaxBinaryHeaderBytes <= 64);

// The checksum covers every byte from here on.
inline constexpr std::size_t kChecksummedFrom = 8;

inline constexpr std::uint8_t kFlagBound = 1U << 0U;           // a base hash follows
inline constexpr std::uint8_t kFlagShapes = 1U << 1U;          // the shapes are the matrices' own
inline constexpr std::uint8_t kFlagRows = 1U << 2U;            // row flips are present
inline constexpr std::uint8_t kFlagGroups = 1U << 3U;          // group flips are present
inline constexpr std::uint8_t kFlagBits = 1U << 4U;            // bit flips are present
inline constexpr std::uint8_t kFlagShapePerTensor = 1U << 5U;  // else one shape per projection
inline constexpr std::uint8_t kFlagStepsUp = 1U << 6U;         // version 2: steps are present
inline constexpr std::uint8_t kFlagStepsDown = 1U << 7U;
inline constexpr std::uint8_t kStepFlags = kFlagStepsUp | kFlagStepsDown;

// Up to this many positions a set of more than half of them is coded as those that are left out.
inline constexpr std::uint64_t kMaxPositionsOfOthers = std::uint64_t{1} << 20U;

// JSON: "format" of a patch of row and group flips only, with bit flips, with steps; "type" in an
// older dialect.
inline constexpr char kRowFormat[] = "bankai_row_xor_v1";
inline constexpr char kBitFormat[] = "bankai_bit_xor_v1";
inline constexpr char kStepFormat[] = "bankai_trit_step_v1";
inline constexpr char kOlderType[] = "row_flip";

// No reader takes a larger patch file, binary or JSON.
inline constexpr std::size_t kMaxPatchFileBytes = std::size_t{64} << 20U;

}  // namespace bankai::patch
