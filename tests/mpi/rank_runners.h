// The same tests run on every kind of ranks: each test is a function of a Communicator, and a
// runner calls it on all ranks of one kind. One binary has the ranks of this process (alone, and as
// threads), the other, started by mpirun, has the ranks of MPI.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "mpi/communicator.h"

namespace bankai::mpi {

struct RankRunner {
  std::string name;
  int size = 0;
  std::function<void(const std::function<void(Communicator&)>&)> run;
};

// Defined once per binary: local_runners.cpp, mpi_runner.cpp.
std::vector<RankRunner> rank_runners();

inline void PrintTo(const RankRunner& runner, std::ostream* out) { *out << runner.name; }

class OnRanks : public ::testing::TestWithParam<RankRunner> {
 protected:
  void run(const std::function<void(Communicator&)>& test) { GetParam().run(test); }
};

// `length` bytes that tell which rank made them.
std::vector<std::byte> bytes_of_rank(int rank, std::size_t length);

inline std::string name_of(const ::testing::TestParamInfo<RankRunner>& test) {
  return test.param.name;
}

}  // namespace bankai::mpi

#define BANKAI_ON_ALL_KINDS_OF_RANKS(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(rank_runners()), name_of)
