// Small random models of any architecture, any shape and any mixture of tensor types, as GGUF files
// in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/tensor_type.h"
#include "model/gguf_writer.h"
#include "model/model.h"

namespace bankai::testing {

struct SmallShape {
  std::string name = "small";
  std::string architecture = "qwen3";
  std::uint32_t num_layers = 2;
  std::uint32_t embedding = 128;
  std::uint32_t feed_forward = 256;
  std::uint32_t num_heads = 2;
  std::uint32_t num_kv_heads = 1;
  std::uint32_t head_dim = 64;
  std::uint32_t vocabulary = 299;
  std::uint32_t tokenizer_tokens = 0;  // 0: as many as the vocabulary
  std::uint32_t context = 64;
  bool tied = false;
  bool fused_qkv = false;
  bool has_scales = false;  // a tensor "….scale" for every matrix
  // Of the matrices, in the order of the file, again from the start when it ends.
  std::vector<kernels::TensorType> types = {kernels::TensorType::kQ1_0};
  // More metadata, before the tensors.
  std::function<void(model::GgufBuilder&)> add_metadata = [](model::GgufBuilder&) {};
  // Changes the list of tensors before they are written; their data follow their specs.
  std::function<void(std::vector<model::GgufTensorSpec>&)> change_tensors =
      [](std::vector<model::GgufTensorSpec>&) {};
  std::uint64_t seed = 1;
};

// The file.
std::vector<std::byte> small_model_bytes(const SmallShape& shape);

// A model over bytes in memory, which it keeps. Throws std::runtime_error if it does not load.
std::shared_ptr<const model::Model> model_of_bytes(std::vector<std::byte> bytes,
                                                   const model::LoadOptions& options = {});
std::shared_ptr<const model::Model> make_small_model(const SmallShape& shape,
                                                     const model::LoadOptions& options = {});

// `count` token ids below the vocabulary, a function of the seed.
std::vector<model::TokenId> random_tokens(std::size_t count, std::size_t vocabulary,
                                          std::uint64_t seed);

// data/demo/bankai-demo-5m.gguf, loaded once.
const model::Model& demo_model();

}  // namespace bankai::testing
