#include "mpi/group_scheduling.h"

#include <optional>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/check.h"
#include "mpi/agreement.h"

namespace bankai::mpi {
namespace {

constexpr std::uint64_t kNoMoreBatches = UINT64_MAX;

using Bytes = std::vector<std::byte>;

// `value` of rank 0.
std::uint64_t announce(Communicator& communicator, std::uint64_t value) {
  communicator.broadcast(std::as_writable_bytes(std::span(&value, 1)), 0);
  return value;
}

// Format: status; if it is ok, the rest is the part.
Bytes encode(const Result<Bytes>& part) {
  ByteWriter writer;
  write_status(writer, part.ok() ? Status() : Status(part.error()));
  if (part.ok()) writer.write_bytes(*part);
  return std::move(writer).bytes();
}

Result<Bytes> decode(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  BANKAI_RETURN_IF_ERROR(read_status(reader));
  const auto rest = bytes.subspan(reader.offset());
  return Bytes(rest.begin(), rest.end());
}

// All ranks of the group call it; every one gets the parts of all, or the error of the lowest shard
// that failed.
Result<std::vector<Bytes>> evaluate_together(Communicator& group,
                                             const EvaluateBatch& evaluate_part,
                                             std::size_t batch) {
  const Bytes mine = encode(evaluate_guarded(evaluate_part, batch));
  std::vector<Bytes> parts;
  for (const Bytes& bytes : group.all_gather(mine)) {
    BANKAI_ASSIGN_OR_RETURN(Bytes part, decode(bytes));
    parts.push_back(std::move(part));
  }
  return parts;
}

// The leader's results, or its error, for the rest of the group.
// Format: status; if it is ok, (length, bytes) of each result.
Result<std::vector<Bytes>> share_results(Communicator& group, Result<std::vector<Bytes>> results) {
  ByteWriter writer;
  if (group.rank() == 0) {
    write_status(writer, results.ok() ? Status() : Status(results.error()));
    for (std::size_t i = 0; results.ok() && i < results->size(); ++i) {
      writer.write(std::uint64_t{(*results)[i].size()});
      writer.write_bytes((*results)[i]);
    }
  }
  Bytes bytes = std::move(writer).bytes();
  bytes.resize(announce(group, bytes.size()));
  group.broadcast(bytes, 0);
  if (group.rank() == 0) return results;
  ByteReader reader(bytes);
  BANKAI_RETURN_IF_ERROR(read_status(reader));
  std::vector<Bytes> received;
  while (reader.remaining() > 0) {
    BANKAI_ASSIGN_OR_RETURN(const auto length, reader.read<std::uint64_t>("result length"));
    BANKAI_ASSIGN_OR_RETURN(const auto result, reader.read_bytes(length, "result"));
    received.emplace_back(result.begin(), result.end());
  }
  return received;
}

}  // namespace

RankGroups::RankGroups(Communicator& all, const GroupLayout& layout) : all_(all) {
  BANKAI_CHECK(layout.num_ranks() == all.size(), "the layout is of another number of ranks");
  group_ = all.split(layout.group_of(all.rank()));
  same_shard_ = all.split(layout.shard_of(all.rank()));
}

Result<std::vector<Bytes>> evaluate_batches_by_group(RankGroups& groups,
                                                     std::span<const std::uint64_t> batch_costs,
                                                     const EvaluateBatch& evaluate_part,
                                                     const JoinParts& join) {
  Communicator& group = groups.group();
  if (group.rank() != 0) {
    for (;;) {
      const std::uint64_t batch = announce(group, 0);
      if (batch == kNoMoreBatches) break;
      // What became of it the leader knows.
      static_cast<void>(evaluate_together(group, evaluate_part, static_cast<std::size_t>(batch)));
    }
    return share_results(group, std::vector<Bytes>());
  }
  auto results =
      evaluate_batches(groups.same_shard(), batch_costs, [&](std::size_t batch) -> Result<Bytes> {
        announce(group, batch);
        BANKAI_ASSIGN_OR_RETURN(const std::vector<Bytes> parts,
                                evaluate_together(group, evaluate_part, batch));
        return join(batch, parts);
      });
  announce(group, kNoMoreBatches);
  return share_results(group, std::move(results));
}

}  // namespace bankai::mpi
