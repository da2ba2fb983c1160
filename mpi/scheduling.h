// Independent batches of work, spread over the ranks, with results in the order of the batches.
//
// The batches are first divided between teams (nodes) in contiguous shares of about equal cost per
// rank; within a team each rank takes the next batch when it is free, so that ranks of different
// speed, or batches whose cost was guessed wrongly, do not make others wait. Which rank evaluated a
// batch leaves no trace in the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <type_traits>
#include <vector>

#include "core/partition.h"
#include "core/result.h"
#include "mpi/communicator.h"

namespace bankai::mpi {

// Local and pure. Divides the batches into one contiguous share per weight, in order, so that the
// cost of share i is at most total × weights[i] / sum(weights) + the largest cost.
// A cost of 0 counts as 1. REQUIRES: weights are positive; the sum of the costs fits into 64 bits,
// and the sum of the weights into 32.
std::vector<IndexRange> share_by_cost(std::span<const std::uint64_t> batch_costs,
                                      std::span<const std::uint32_t> weights);

// The result of one batch as bytes, of any length. Must depend on `batch` alone and must not
// communicate. An exception from it counts as a kInternal error.
using EvaluateBatch = std::function<Result<std::vector<std::byte>>(std::size_t batch)>;

// Local. evaluate(batch), with exceptions as kInternal errors: none may keep a rank from the next
// collective.
Result<std::vector<std::byte>> evaluate_guarded(const EvaluateBatch& evaluate, std::size_t batch);

// Local. Values as bytes, and back.
template <typename T>
std::vector<std::byte> to_bytes(std::span<const T> values) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto bytes = std::as_bytes(values);
  return {bytes.begin(), bytes.end()};
}
template <typename T>
void append_from_bytes(std::span<const std::byte> bytes, std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t num_before = values.size();
  values.resize(num_before + bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data() + num_before, bytes.data(), bytes.size());
}

// Collective. Evaluates batches 0 … batch_costs.size() - 1, each on one rank, and gives the results
// of all of them, by batch, to every rank. Costs are relative, and the same on all ranks.
// If batches fail, all ranks return the error of the lowest batch that fails, in the words of
// error_of_rank() (mpi/agreement.h); a team does not start batches above one that has failed.
// Costs two collectives; every rank receives and holds all results.
Result<std::vector<std::vector<std::byte>>> evaluate_batches(
    Communicator& communicator, std::span<const std::uint64_t> batch_costs,
    const EvaluateBatch& evaluate);

// Collective. The same for batches that yield any number of R each; the result is their
// concatenation in batch order. All ranks must run the same build of the program.
template <typename R>
Result<std::vector<R>> evaluate_in_order(
    Communicator& communicator, std::span<const std::uint64_t> batch_costs,
    const std::function<Result<std::vector<R>>(std::size_t batch)>& evaluate) {
  const auto evaluate_to_bytes = [&](std::size_t batch) -> Result<std::vector<std::byte>> {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<R> results, evaluate(batch));
    return to_bytes<R>(results);
  };
  BANKAI_ASSIGN_OR_RETURN(const auto results_of_batch,
                          evaluate_batches(communicator, batch_costs, evaluate_to_bytes));
  std::vector<R> results;
  for (const std::vector<std::byte>& bytes : results_of_batch) append_from_bytes(bytes, results);
  return results;
}

}  // namespace bankai::mpi
