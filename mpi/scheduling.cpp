#include "mpi/scheduling.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <optional>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/check.h"
#include "core/format.h"
#include "mpi/agreement.h"

namespace bankai::mpi {
namespace {

// What one rank has to show at the end of its work: results, or the batch that failed.
struct Work {
  std::uint64_t num_batches = 0;  // as this rank was told
  struct Finished {
    std::uint64_t batch = 0;
    std::vector<std::byte> result;
  };
  std::vector<Finished> finished;
  Status status;
  std::uint64_t failed_batch = 0;
};

IndexRange share_of_my_team(const Communicator& communicator,
                            std::span<const std::uint64_t> batch_costs) {
  const std::span<const int> team_of_rank = communicator.team_of_rank();
  const int num_teams = 1 + *std::max_element(team_of_rank.begin(), team_of_rank.end());
  std::vector<std::uint32_t> ranks_in_team(static_cast<std::size_t>(num_teams));
  for (const int team : team_of_rank) ++ranks_in_team[static_cast<std::size_t>(team)];
  const int my_team = team_of_rank[static_cast<std::size_t>(communicator.rank())];
  return share_by_cost(batch_costs, ranks_in_team)[static_cast<std::size_t>(my_team)];
}

// Draws tickets for the batches of `share` in ascending order. After a failure the tickets that are
// left are used up: they stand for higher batches, all lower ones are in work already, and so the
// lowest failing batch of a share is found whatever the timing.
void work_through(Communicator& communicator, IndexRange share, const EvaluateBatch& evaluate,
                  Work& work) {
  for (;;) {
    const std::uint64_t ticket = communicator.next_ticket();
    if (ticket >= share.size()) return;
    if (!work.status.ok()) continue;
    const std::size_t batch = share.begin + static_cast<std::size_t>(ticket);
    Result<std::vector<std::byte>> result = evaluate_guarded(evaluate, batch);
    if (result.ok()) {
      work.finished.push_back({batch, std::move(result).value()});
    } else {
      work.status = std::move(result).error();
      work.failed_batch = batch;
    }
  }
}

// Format: number of batches; status; if it is an error, the failed batch; otherwise (batch, length,
// bytes) repeated.
std::vector<std::byte> encode(const Work& work) {
  ByteWriter writer;
  writer.write(work.num_batches);
  write_status(writer, work.status);
  if (!work.status.ok()) {
    writer.write(work.failed_batch);
    return std::move(writer).bytes();
  }
  for (const Work::Finished& finished : work.finished) {
    writer.write(finished.batch);
    writer.write(std::uint64_t{finished.result.size()});
    writer.write_bytes(finished.result);
  }
  return std::move(writer).bytes();
}

Result<Work> decode(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  Work work;
  BANKAI_ASSIGN_OR_RETURN(work.num_batches, reader.read<std::uint64_t>("number of batches"));
  work.status = read_status(reader);
  if (!work.status.ok()) {
    BANKAI_ASSIGN_OR_RETURN(work.failed_batch, reader.read<std::uint64_t>("failed batch"));
    return work;
  }
  while (reader.remaining() > 0) {
    BANKAI_ASSIGN_OR_RETURN(const auto batch, reader.read<std::uint64_t>("batch"));
    BANKAI_ASSIGN_OR_RETURN(const auto length, reader.read<std::uint64_t>("result length"));
    BANKAI_ASSIGN_OR_RETURN(const auto result, reader.read_bytes(length, "result"));
    work.finished.push_back({batch, {result.begin(), result.end()}});
  }
  return work;
}

Status check_same_batches(std::span<const Work> works) {
  for (std::size_t rank = 1; rank < works.size(); ++rank)
    if (works[rank].num_batches != works[0].num_batches)
      return make_error(ErrorCode::kInternal, "rank %zu was given %llu batches, but rank 0 %llu",
                        rank, static_cast<unsigned long long>(works[rank].num_batches),
                        static_cast<unsigned long long>(works[0].num_batches));
  return {};
}

// The error of the lowest failed batch, if any. Ranks that did not fail have an ok status.
Status lowest_failure(std::span<const Work> works) {
  std::vector<Status> statuses;
  std::optional<std::size_t> first;
  for (std::size_t rank = 0; rank < works.size(); ++rank) {
    statuses.push_back(works[rank].status);
    if (works[rank].status.ok()) continue;
    if (!first || works[rank].failed_batch < works[*first].failed_batch) first = rank;
  }
  if (!first) return {};
  return error_of_rank(statuses, *first);
}

}  // namespace

std::vector<IndexRange> share_by_cost(std::span<const std::uint64_t> batch_costs,
                                      std::span<const std::uint32_t> weights) {
  const auto cost_of = [&](std::size_t batch) {
    return std::max<std::uint64_t>(batch_costs[batch], 1);
  };
  std::uint64_t total_cost = 0;
  for (std::size_t batch = 0; batch < batch_costs.size(); ++batch)
    BANKAI_CHECK(!__builtin_add_overflow(total_cost, cost_of(batch), &total_cost),
                 "the costs are too large");
  const auto total_weight = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  BANKAI_CHECK(total_weight <= UINT32_MAX, "the weights are too large");

  // A share ends before the first batch whose middle lies beyond the share's part of the cost.
  std::vector<IndexRange> shares;
  std::size_t batch = 0;
  std::uint64_t cost_before = 0;
  std::uint64_t weight_so_far = 0;
  for (const std::uint32_t weight : weights) {
    BANKAI_CHECK(weight > 0, "a weight must be positive");
    weight_so_far += weight;
    const std::uint64_t end_cost = total_cost / total_weight * weight_so_far +
                                   total_cost % total_weight * weight_so_far / total_weight;
    const std::size_t begin = batch;
    for (; batch < batch_costs.size() && cost_before + cost_of(batch) / 2 < end_cost; ++batch)
      cost_before += cost_of(batch);
    shares.push_back({begin, batch});
  }
  return shares;
}

Result<std::vector<std::byte>> evaluate_guarded(const EvaluateBatch& evaluate, std::size_t batch) {
  try {
    return evaluate(batch);
  } catch (const std::exception& exception) {
    return make_error(ErrorCode::kInternal, "evaluation failed: %s", exception.what());
  }
}

Result<std::vector<std::vector<std::byte>>> evaluate_batches(
    Communicator& communicator, std::span<const std::uint64_t> batch_costs,
    const EvaluateBatch& evaluate) {
  communicator.restart_tickets();
  const IndexRange share = share_of_my_team(communicator, batch_costs);
  Work mine;
  mine.num_batches = batch_costs.size();
  work_through(communicator, share, evaluate, mine);

  std::vector<Work> works;
  for (const std::vector<std::byte>& bytes : communicator.all_gather(encode(mine))) {
    BANKAI_ASSIGN_OR_RETURN(Work work, decode(bytes));
    works.push_back(std::move(work));
  }
  BANKAI_RETURN_IF_ERROR(check_same_batches(works));
  BANKAI_RETURN_IF_ERROR(lowest_failure(works));

  std::vector<std::vector<std::byte>> results(batch_costs.size());
  std::vector<bool> is_known(batch_costs.size(), false);
  std::size_t num_known = 0;
  for (Work& work : works) {
    for (Work::Finished& finished : work.finished) {
      if (finished.batch >= results.size() || is_known[finished.batch]) continue;
      results[finished.batch] = std::move(finished.result);
      is_known[finished.batch] = true;
      ++num_known;
    }
  }
  if (num_known != results.size())
    return make_error(ErrorCode::kInternal, "the ranks evaluated %zu of %zu batches", num_known,
                      results.size());
  return results;
}

}  // namespace bankai::mpi
