// The binary patch format (.bkp): docs/formats/patch.md.
//
// Each kind of flip as sorted positions, Rice-coded: within a few percent of the information that a
// set of k out of N positions carries. Equal patches give equal bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "patch/patch.h"

namespace bankai::patch {

// The part of a name that the format keeps: whole printable characters, at most 32 bytes of UTF-8.
std::string_view binary_name(std::string_view name);

// Stores flips, shapes and base hash (if the shapes of all touched matrices are known) and
// binary_name(name); not description, base label, metadata and the contents of single matrices.
std::vector<std::byte> encode_binary(const Patch& patch);

// encode_binary(patch).size() without encoding. Cost: a few passes over the flips, 30 µs for
// 1,000.
std::size_t binary_size_bytes(const Patch& patch);

// Errors (kBadInput, kUnsupported for another version): anything but what encode_binary writes. The
// message has no file name. Memory: 128 MiB and at most a few hundred times the file, whatever it
// declares.
Result<Patch> decode_binary(std::span<const std::byte> bytes);

bool is_binary_patch(std::span<const std::byte> bytes);

// log2 C(n, k): what it takes to name k of n places. REQUIRES: k <= n.
double log2_choose(std::uint64_t n, std::uint64_t k);

// The information of the flips of `patch`: log2 C(N, k) for each kind, N being all rows (groups,
// bits) of the touched layers × touched projections; for steps those of both directions together,
// and which ones go up.
double bound_bits(const Patch& patch);

}  // namespace bankai::patch
