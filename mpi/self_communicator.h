// One rank, alone: every collective returns at once.
#pragma once

#include "mpi/communicator.h"

namespace bankai::mpi {

class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void barrier() override {}
  void broadcast(std::span<std::byte> data, int root) override;
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override;
  std::int64_t all_reduce(std::int64_t value, ReduceOp op) override;
  void all_reduce(std::span<std::int64_t> /*values*/, ReduceOp /*op*/) override {}
  std::unique_ptr<Communicator> split(int colour) override;
  std::span<const int> team_of_rank() const override;
  void restart_tickets() override { next_ticket_ = 0; }
  std::uint64_t next_ticket() override { return next_ticket_++; }

 private:
  std::uint64_t next_ticket_ = 0;
};

}  // namespace bankai::mpi
