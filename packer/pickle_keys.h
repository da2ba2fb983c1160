// The keys of a pickle's dictionaries, in order, so that a hostile file cannot make look-ups slow.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/result.h"
#include "packer/pickle_reader.h"

namespace bankai::packer {

inline constexpr std::size_t kMaxPickleKeyBytes = 1024;

// Fills PickleValue::text_keys of every dictionary. `input`: the pickle, into which the texts
// point. Errors: kBadInput, with the offset, for a text key that is there twice or longer than
// kMaxPickleKeyBytes.
Status sort_text_keys(std::vector<PickleValue>& values, std::span<const std::byte> input);

}  // namespace bankai::packer
