// A model as a search sees it, whatever kind it is: matrices to flip, tokens, exact scores. What
// needs gradients or generated answers asks for the transformer, which other kinds do not have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bfs/candidate_space.h"
#include "bfs/flip_evaluator.h"
#include "bfs/objective.h"
#include "bfs/predictor.h"
#include "bfs/responder.h"
#include "core/result.h"
#include "model/tokenizer.h"
#include "model/transformer.h"
#include "patch/weight_view.h"

namespace bankai::bfs {

class SearchModel {
 public:
  virtual ~SearchModel() = default;
  SearchModel(const SearchModel&) = delete;
  SearchModel& operator=(const SearchModel&) = delete;

  virtual std::size_t num_layers() const = 0;
  virtual std::size_t context() const = 0;
  virtual const model::Tokenizer& tokenizer() const = 0;
  // The matrices that flips act on; valid as long as the model.
  virtual patch::MatrixLookup weights() const = 0;

  // Work of one layer on one token, in multiply-adds or what takes as long.
  virtual std::uint64_t layer_work() const = 0;
  // Memory of activations that an evaluator keeps for a token, at most.
  virtual std::uint64_t bytes_per_token(std::span<const TensorAddress> searched) const = 0;
  // The model and the objective must outlive it. `searched`: where flips will be.
  virtual std::unique_ptr<FlipEvaluator> make_evaluator(
      const Objective& objective, std::span<const TensorAddress> searched) = 0;

  // Predictions for all candidates of the space; nullptr where none are made, and candidates are
  // proposed by exact scores of a sample. A transformer's come from Sensitivity. References must
  // outlive it.
  virtual std::unique_ptr<Predictor> make_predictor(const Objective&, const CandidateSpace&) {
    return nullptr;
  }
  // A plain pass over all sequences and the logits that terms look at, to tell times by.
  virtual void run_forward(const Objective&) {}
  // Whether flips of embedding and head may be searched.
  virtual bool searches_tables() const { return false; }

  // The model with these flips, as something that answers. The model must outlive it.
  virtual std::unique_ptr<Responder> make_responder(std::span<const patch::Flip> flips) = 0;

  // nullptr for a model of another kind.
  virtual model::Transformer* transformer() = 0;

  // For reports: the model's name, the precision of its activations, and how it runs.
  virtual Result<std::string> name() const = 0;
  virtual std::string_view precision() const = 0;
  virtual int threads() const = 0;
  virtual const kernels::KernelTable& table() const = 0;

 protected:
  SearchModel() = default;
};

// A model that a Transformer runs, which must outlive it.
std::unique_ptr<SearchModel> make_search_model(model::Transformer& transformer);

}  // namespace bankai::bfs
