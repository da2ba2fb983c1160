// How parameter-golf files pack the weights of a matrix, and their tensors as floats. Unpacked
// weights are one byte each: 0xff, 0, 1 for −1, 0, +1. The bit orders: docs/formats/golf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/torch_archive.h"

namespace bankai::packer {

enum class GolfCodes : std::uint8_t {
  kTwoBit,   // four trits in a byte, the first lowest; digit 0 fills up
  kBase3,    // five trits in a byte, the first least significant; digit 0 fills up
  kBitmask,  // a bit per trit: not 0; then a bit per trit that is not 0: +1; highest bit first
  kSigns,    // a bit per weight, 1 is +1 and 0 is −1; lowest bit first
};
std::string_view golf_codes_name(GolfCodes codes);

// The weights of `packed`, `count` of them. kBadInput for a wrong number of bytes, a code that
// stands for nothing, or a fill that is not 0.
Result<std::vector<std::byte>> unpack_golf_codes(GolfCodes codes, std::span<const std::byte> packed,
                                                 std::uint64_t count);

// All numbers of a tensor as floats; whole numbers beyond 2^24 and doubles are rounded.
std::vector<float> to_floats(const TorchTensor& tensor);

}  // namespace bankai::packer
