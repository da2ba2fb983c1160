// The index of a .bkpack file: all that its payloads are not, as values, and its bytes.
// docs/formats/bkpack.md specifies both.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/codec.h"
#include "packer/gguf_image.h"
#include "packer/tensor_parts.h"

namespace bankai::packer {

// The first eight bytes of the SHA-256 of the plain bytes: against damage, not against forgery.
using PackChecksum = std::array<std::byte, 8>;
PackChecksum checksum_of(std::span<const std::byte> bytes);

inline constexpr std::size_t kMaxPatchName = 64;

struct PackBlob {  // bytes stored by a general codec
  const Codec* codec = nullptr;
  std::uint64_t plain_bytes = 0;
  std::uint64_t stored_bytes = 0;
  PackChecksum checksum{};
};

struct PackTensor {
  TensorSplit split;
  struct Part {
    const Codec* codec = nullptr;
    std::uint64_t bytes = 0;
  };
  std::vector<Part> parts;  // one to three
  PackChecksum checksum{};  // of the tensor's bytes in the model file
};

struct PackPatch {  // a .bkp file
  std::string name;
  std::uint64_t bytes = 0;
  PackChecksum checksum{};
};

struct PackIndex {
  GgufOutline outline;
  std::uint64_t file_bytes = 0;  // of the model file
  PackBlob values;               // the encoded keys and values
  PackBlob gaps;                 // the bytes between; plain_bytes 0: they are zero and not stored
  std::vector<PackTensor> tensors;  // as many as in the outline
  std::vector<PackPatch> patches;   // names are unique
};

// kBadInput unless `name` is 1 to 64 bytes without control characters.
Status check_patch_name(std::string_view name);

std::vector<std::byte> encode_index(const PackIndex& index);
// Total; memory bounded by a small multiple of the bytes. Checks each value for itself; what they
// must be together is PackFile's. kBadInput with the offset in the index, kUnsupported for codecs
// or types that this version lacks.
Result<PackIndex> decode_index(std::span<const std::byte> bytes);

}  // namespace bankai::packer
