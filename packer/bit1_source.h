// BIT1 files (docs/formats/bit1.md) as arrays to be packed: the header, then rows of bits, slopes,
// thresholds and biases, each coded on its own.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/result.h"
#include "packer/pack_writer.h"

namespace bankai::packer {

// The whole file. `bytes` must outlive the source; `name` is put in front of errors, which are
// those of model::parse_bit1.
Result<PackSource> bit1_source(std::span<const std::byte> bytes, const std::string& name);

}  // namespace bankai::packer
