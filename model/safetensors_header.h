// The header of a safetensors file: a length, then JSON that lists tensors and their places.
// https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/safetensors_type.h"

namespace bankai::model {

inline constexpr std::uint64_t kSafetensorsMaxHeader = 100'000'000;  // bytes, the format's limit
inline constexpr std::size_t kSafetensorsMaxDims = 8;

struct SafetensorsTensor {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::uint64_t> shape;  // slowest first; empty for a single number
  std::uint64_t offset = 0;          // of the data in the file
  std::span<const std::byte> data;

  std::uint64_t elements() const;  // the product of the shape
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;  // "__metadata__"
  std::vector<SafetensorsTensor> tensors;       // in the order of their data
};

// Reads and checks all that can be checked without looking at the data: the tensors follow each
// other without holes or overlaps to the end of the file, and each has the size of its shape.
// Memory is a small multiple of the header. Errors, unnamed (offset, tensor and rule are in the
// message): kBadInput, kUnsupported for an element type that is not in the list.
Result<SafetensorsHeader> read_safetensors_header(std::span<const std::byte> file);

}  // namespace bankai::model
