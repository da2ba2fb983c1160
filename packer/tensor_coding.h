// A tensor of a model file as coded parts, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "packer/codec_table.h"
#include "packer/tensor_parts.h"

namespace bankai::packer {

struct CodedPart {
  TensorPart part;
  const Codec* codec = nullptr;
  std::uint64_t bytes = 0;          // of the payload
  std::uint64_t entropy_bytes = 0;  // order-0 entropy of its elements, in bytes, rounded up
  std::vector<std::byte> payload;   // if asked for
};

struct CodedTensor {
  TensorSplit split;
  std::vector<CodedPart> parts;

  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const CodedPart& part : parts) sum += part.bytes;
    return sum;
  }
};

// The split and the codecs that take the fewest bytes; ChoiceOptions says how fast they must decode
// and whether payloads are kept. Memory beside the payloads: some blocks per thread. The entropy of
// numbers and scales is that of their bytes, position by position. REQUIRES: shape.bytes of data.
// Errors, unnamed: kBadInput beyond kMaxElements.
Result<CodedTensor> code_tensor(const TensorShape& shape, std::span<const std::byte> data,
                                const ChoiceOptions& options);

// The sizes alone, payloads are not built: what a plan is made of.
Result<CodedTensor> packed_tensor_size(kernels::TensorType type,
                                       std::span<const std::uint64_t> dims,
                                       std::span<const std::byte> data, int threads);

// The parts of a tensor with the entropies of each, but codecs and payloads.
Result<std::vector<CodedPart>> part_entropies(const TensorShape& shape, const TensorSplit& split,
                                              std::span<const std::byte> data, int threads);

struct StoredPart {
  const Codec* codec = nullptr;
  std::span<const std::byte> payload;
};

// Fills a tensor's bytes from its parts, which are as many as parts_of() says. Errors: kBadInput
// with part, block and offset in the payload. REQUIRES: shape.bytes of data.
Status decode_tensor(const TensorShape& shape, const TensorSplit& split,
                     std::span<const StoredPart> parts, std::span<std::byte> data, int threads);

}  // namespace bankai::packer
