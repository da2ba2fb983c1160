// Predicted changes of all candidates at once, for models that no transformer runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "bfs/change_sink.h"
#include "core/result.h"
#include "mpi/communicator.h"
#include "patch/flip.h"

namespace bankai::bfs {

class Predictor {
 public:
  virtual ~Predictor() = default;
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  // Collective. Predicted changes of all candidates on top of the unpatched model with `state`, to
  // `sink`: every rank's sink gets all of them, and they depend neither on ranks nor on threads.
  // `used`: the items that count, ascending. base, scores: item scores of the unpatched model and
  // of the state. Returns the work in tokens × half-layers. Errors: kStopped when `should_stop`,
  // asked between items, says so.
  virtual Result<std::uint64_t> run(mpi::Communicator& communicator,
                                    std::span<const patch::Flip> state,
                                    std::span<const std::size_t> used, std::span<const double> base,
                                    std::span<const double> scores,
                                    const std::function<bool()>& should_stop, ChangeSink& sink) = 0;

 protected:
  Predictor() = default;
};

}  // namespace bankai::bfs
