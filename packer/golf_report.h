// What the tensors of a parameter-golf checkpoint take with our codecs, part by part, beside the
// published way (two bits per trit, then zlib at level 9) and the order-0 bound.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/golf_checkpoint.h"

namespace bankai::packer {

struct GolfPart {
  std::string name;        // of the tensor
  std::string_view kind;   // "trits", "signs", "scales", "numbers", "directory"
  std::string_view codec;  // the one chosen
  std::uint64_t elements = 0;
  std::uint64_t zlib_bytes = 0;     // trits as two bits, signs as bits, the rest as it is; zlib-9
  std::uint64_t entropy_bytes = 0;  // order-0 bound of trits, signs and bytes, rounded up
  std::uint64_t bytes = 0;          // of the chosen codec's payload
};

// Every tensor once, matrices of codes as two parts, and the directory that names them all (names,
// shapes, group sizes, alphas), so that the sum is what a file of ours takes but for its header.
// The payloads are decoded again and compared: kVerification if one differs.
Result<std::vector<GolfPart>> repack_golf(const GolfCheckpoint& checkpoint, int threads);

}  // namespace bankai::packer
