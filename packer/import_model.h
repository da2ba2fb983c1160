// A model on its way into a GGUF file: its metadata, and tensors that know how to produce their
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"
#include "packer/block_encoder.h"
#include "packer/import.h"

namespace bankai::packer {

struct ImportTensor {
  model::GgufTensorSpec spec;
  std::uint64_t input_bytes = 0;
  // Bytes of the output come from the first of these that is set.
  std::span<const std::byte> copy;                                 // as they are
  std::function<void(std::size_t row, std::uint8_t* out)> blocks;  // row by row
  RowSource floats;                                                // to be encoded
  BlockEncoding encoding;
  // Rows [first, first + count) will not be read again soon.
  std::function<void(std::size_t first, std::size_t count)> release;

  std::size_t cols() const { return static_cast<std::size_t>(spec.dims[0]); }
  std::size_t rows() const {
    return spec.dims.size() < 2 ? 1 : static_cast<std::size_t>(spec.dims[1]);
  }
};

struct ImportModel {
  std::string architecture;
  model::GgufBuilder builder;  // the metadata; tensors are added when it is written
  std::vector<ImportTensor> tensors;
  std::shared_ptr<const void> files;  // that the tensors read from
};

// How a matrix is encoded. `is_embedding`: it is the token embedding or the head; `is_float`: it is
// not quantised yet.
BlockEncoding encoding_of(const ImportOptions& options, bool is_embedding, bool is_float);

// kUsage, naming `input` and tensor, unless every row is a whole number of its type's blocks: known
// before the first byte is written.
Status check_blocks(const ImportModel& model, const std::string& input);

// general.file_type and, for quantised types, general.quantization_version, as llama.cpp numbers
// them.
void add_file_type(model::GgufBuilder& builder, kernels::TensorType type);

Result<ImportModel> import_checkpoint(const std::string& folder, const ImportOptions& options);
Result<ImportModel> import_gguf(const std::string& path, const ImportOptions& options);

}  // namespace bankai::packer
