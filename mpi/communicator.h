// The ranks of one run, and the few ways in which they speak to each other.
//
// Unless a comment says "local", a method is collective: every rank calls it, in the same order and
// with arguments that fit together. A failure of the transport ends the program; it is not
// reported. Errors of the work itself travel as data (mpi/agreement.h). A Communicator belongs to
// the thread that started its rank. There is no floating-point reduction: the order of a sum over
// ranks is not defined, so gather the terms and add them in the order of the items, or add
// integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bankai::mpi {

enum class ReduceOp : std::uint8_t { kSum, kMin, kMax };

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // Local. 0 <= rank() < size().
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Returns when every rank has called it. About log2(size) messages per rank.
  virtual void barrier() = 0;

  // Copies `data` of rank `root` into `data` of all others. REQUIRES: the same length on all ranks.
  // Sends data.size() bytes about log2(size) times.
  virtual void broadcast(std::span<std::byte> data, int root) = 0;

  // What each rank contributed, by rank. Lengths may differ and may be 0.
  // Every rank receives and holds the sum of all lengths.
  virtual std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) = 0;

  // REQUIRES: a sum must fit into 64 bits.
  virtual std::int64_t all_reduce(std::int64_t value, ReduceOp op) = 0;

  // The same for each element, in place. REQUIRES: the same length on all ranks. Each rank sends
  // and receives about twice the length, whatever the number of ranks.
  virtual void all_reduce(std::span<std::int64_t> values, ReduceOp op) = 0;

  // The ranks that give the same colour among themselves, in the same order; with tickets of their
  // own for each part of a team. Costs several collectives: do it once. Destroying the result is a
  // collective of its ranks and must come before this communicator is destroyed.
  // REQUIRES: colour is not negative.
  virtual std::unique_ptr<Communicator> split(int colour) = 0;

  // Local. The team of each rank, shape (size): the ranks of a team share memory (one node), and
  // with it a ticket counter. Teams are numbered 0, 1, … in the order of their lowest rank.
  virtual std::span<const int> team_of_rank() const = 0;

  // Sets the ticket counter of every team to 0. REQUIRES: a collective lies between the last
  // next_ticket() of any rank and this call. Costs a barrier.
  virtual void restart_tickets() = 0;

  // Local, and quick whatever the other ranks are doing. Within a team each number 0, 1, 2, … is
  // given once; who gets which depends on timing, so results must not depend on it.
  virtual std::uint64_t next_ticket() = 0;

 protected:
  Communicator() = default;
};

}  // namespace bankai::mpi
