// What searches of binary models share, whichever kind these are (docs/binary_models.md): their
// tokens are characters, and their matrices bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bfs/search_model.h"
#include "bfs/search_options.h"
#include "core/result.h"
#include "kernels/kernel_table.h"
#include "model/binary_matrices.h"
#include "model/tokenizer.h"

namespace bankai::bfs {

// One token for each byte, and nothing to merge. Errors: kUnsupported for a vocabulary that is not
// one of characters.
Result<model::Tokenizer> character_tokenizer(std::size_t vocabulary);

// Errors: kBadInput for a text with other characters than the model's.
Status check_binary_data(const SearchData& data, std::size_t vocabulary);

// All but what runs the model. Model: one of those with a model::find_binary_matrix.
template <typename Model>
class CharacterSearchModel : public SearchModel {
 public:
  // References must outlive it. `name`: for reports. The tokenizer: character_tokenizer's.
  CharacterSearchModel(const Model& model, const kernels::KernelTable& table, int threads,
                       std::string name, model::Tokenizer tokenizer)
      : model_(model),
        table_(table),
        threads_(threads),
        name_(std::move(name)),
        tokenizer_(std::move(tokenizer)) {}

  std::size_t num_layers() const final { return model_.shape.num_layers; }
  std::size_t context() const final { return model_.shape.context; }
  const model::Tokenizer& tokenizer() const final { return tokenizer_; }
  patch::MatrixLookup weights() const final {
    return [this](TensorAddress address) -> std::optional<patch::WeightView> {
      return model::bit_view(model::find_binary_matrix(model_, address));
    };
  }

  std::uint64_t layer_work() const final {
    constexpr std::uint64_t kBitsPerStep = 64;  // a word operation takes as long as a multiply-add
    const model::BinaryShape& shape = model_.shape;
    return shape.width * (4 * shape.width + 3 * shape.feed_forward) / kBitsPerStep;
  }
  // A model without signs in its embedding has those of the head.
  bool searches_tables() const final { return true; }

  model::Transformer* transformer() final { return nullptr; }

  Result<std::string> name() const final { return name_; }
  std::string_view precision() const final { return "1 bit"; }
  int threads() const final { return threads_; }
  const kernels::KernelTable& table() const final { return table_; }

 protected:
  const Model& model() const { return model_; }

 private:
  const Model& model_;
  const kernels::KernelTable& table_;
  int threads_;
  std::string name_;
  model::Tokenizer tokenizer_;
};

}  // namespace bankai::bfs
