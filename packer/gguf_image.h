// A model file without its tensor data: what a pack keeps of it beside the tensors, and how the
// file is laid out. GGUF (docs/formats/gguf.md), or a plain file: a head, then arrays without
// padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "kernels/tensor_type.h"
#include "model/gguf_file.h"
#include "packer/tensor_parts.h"

namespace bankai::packer {

struct ImageTensor {
  std::string name;
  std::vector<std::uint64_t> dims;  // fastest first
  kernels::TensorType type = kernels::TensorType::kF32;
  std::uint32_t type_id = 0;           // as the file has it
  ArrayType array = ArrayType::kNone;  // in plain files, in place of the two above

  bool operator==(const ImageTensor&) const = default;
};

inline constexpr std::uint32_t kPlainFile = 0;

struct GgufOutline {
  std::uint32_t version = 3;  // of GGUF, or kPlainFile: then the alignment is 1, without values
  std::uint64_t alignment = 32;
  std::uint64_t num_values = 0;
  std::vector<ImageTensor> tensors;

  bool is_plain() const { return version == kPlainFile; }
};

// The outline of an opened file.
GgufOutline outline_of(const model::GgufFile& file);
// Its encoded keys and values, in place.
std::span<const std::byte> encoded_values(const model::GgufFile& file);

// Where everything of a file lies. Gaps are the bytes that are neither header nor tensor: in front
// of each tensor, and behind the last one (or behind the header if there are no tensors).
class GgufLayout {
 public:
  // Errors (kBadInput, naming the tensor): a version, an alignment, a name or a shape that no file
  // has; sizes beyond 2^62.
  static Result<GgufLayout> make(const GgufOutline& outline, std::uint64_t value_bytes);

  std::uint64_t header_bytes() const { return header_bytes_; }
  const TensorShape& shape(std::size_t tensor) const { return shapes_[tensor]; }
  std::uint64_t offset(std::size_t tensor) const { return offsets_[tensor]; }
  // Behind the last tensor, or the header; and the same with padding, where a file ends at most.
  std::uint64_t end() const { return end_; }
  std::uint64_t padded_end() const { return padded_end_; }

  struct Gap {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  // In file order, for a file of `file_bytes`; may be empty. REQUIRES: end() <= file_bytes.
  std::vector<Gap> gaps(std::uint64_t file_bytes) const;

 private:
  std::uint64_t header_bytes_ = 0;
  std::vector<TensorShape> shapes_;
  std::vector<std::uint64_t> offsets_;
  std::uint64_t end_ = 0;
  std::uint64_t padded_end_ = 0;
};

// The header: magic, counts, values, tensor entries; without padding. Of a plain file its head,
// which stands for the values. REQUIRES: a layout of both.
std::vector<std::byte> gguf_header(const GgufOutline& outline, std::span<const std::byte> values,
                                   const GgufLayout& layout);

}  // namespace bankai::packer
