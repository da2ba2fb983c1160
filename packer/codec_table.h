// The one list of codecs, which help, tests, fuzzing and benchmarks walk, and the choice among
// them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/codec.h"

namespace bankai::packer {

// In the order of their ids.
std::span<const Codec* const> all_codecs();
// nullptr if there is none.
const Codec* find_codec(std::uint8_t id);
const Codec* find_codec(std::string_view name);

struct ChoiceOptions {
  std::uint32_t min_decode_rate = 0;  // elements per microsecond and core
  int threads = 1;
  bool with_payload = false;  // keep the chosen codec's payload: cheaper than encoding it again
  // Measure also the codecs that are too slow, and those whose encoder would be (for tables; one
  // of them is chosen only if it is eligible).
  bool measure_all = false;
};

struct CodecSize {
  const Codec* codec = nullptr;
  std::uint64_t bytes = 0;   // of the payload, if is_measured
  bool is_measured = false;  // not if it was hopeless before it was encoded
  bool is_eligible = false;  // fast enough, and not too slow to encode
};

struct CodecChoice {
  const Codec* codec = nullptr;
  std::uint64_t bytes = 0;
  std::vector<std::byte> payload;  // if asked for
  std::vector<CodecSize> sizes;    // of every codec that takes the content, in the table's order
};

// The codec with the smallest payload among those that decode fast enough; of equal ones the
// faster, then the one with the smaller id. Where none is fast enough, the fastest codec.
// Errors: those of encode().
Result<CodecChoice> choose_codec(const ContentSource& source, const ChoiceOptions& options);

}  // namespace bankai::packer
