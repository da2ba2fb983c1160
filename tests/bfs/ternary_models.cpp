#include "tests/bfs/ternary_models.h"

#include "bfs/flippable.h"
#include "kernels/ternary_blocks.h"
#include "model/trit_tensor.h"
#include "patch/apply.h"
#include "tests/support/small_model.h"

namespace bankai::bfs {
namespace {

using kernels::TensorType;

std::shared_ptr<const model::Model> model_of_trits(const testing::SmallShape& shape) {
  std::vector<std::byte> bytes = testing::small_model_bytes(shape);
  const auto raw = testing::model_of_bytes(bytes);
  for (const model::GgufTensor& tensor : raw->file().tensors()) {
    const TritLayout* layout = kernels::find_trit_layout(tensor.type);
    if (layout == nullptr) continue;
    std::byte* block = bytes.data() + tensor.offset;
    const std::size_t num_blocks = tensor.rows() * tensor.cols() / layout->block_cols;
    for (std::size_t i = 0; i < num_blocks; ++i, block += layout->block_bytes) {
      std::vector<std::uint8_t> codes(layout->block_cols);
      decode_trits(*layout, block, codes.data());
      for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(code % 3);
      encode_trits(*layout, codes.data(), block);
    }
  }
  return testing::model_of_bytes(std::move(bytes));
}

}  // namespace

std::shared_ptr<const model::Model> ternary_model(TensorType type) {
  testing::SmallShape shape;
  shape.embedding = 256;
  shape.feed_forward = 512;
  shape.num_heads = 4;
  shape.types = {type};
  return model_of_trits(shape);
}

const model::Model& tiny_ternary_model() {
  static const auto model = [] {
    testing::SmallShape shape;
    shape.architecture = "bitnet-b1.58";
    shape.has_scales = true;
    shape.num_layers = 3;
    shape.embedding = 256;
    shape.feed_forward = 512;
    shape.num_heads = 4;
    shape.num_kv_heads = 2;
    shape.vocabulary = 600;
    shape.context = 256;
    shape.tied = true;
    shape.types = {TensorType::kTQ2_0};
    return model_of_trits(shape);
  }();
  return *model;
}

std::shared_ptr<const model::Model> edited_model(const model::Model& model,
                                                 const patch::FlipSet& flips) {
  std::vector<std::byte> bytes(model.file().bytes().begin(), model.file().bytes().end());
  const std::vector<patch::FileEdit> edits =
      patch::collect_edits(flips, flippable_weights(model), model.file().bytes()).value();
  for (const patch::FileEdit& edit : edits) patch::apply_edit(edit, bytes.data() + edit.offset);
  return testing::model_of_bytes(std::move(bytes));
}

}  // namespace bankai::bfs
