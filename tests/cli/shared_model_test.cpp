#include "cli/shared_model.h"

#include <gtest/gtest.h>

#include <array>

#include "mpi/thread_communicator.h"
#include "tests/support/temp_dir.h"

namespace bankai::cli {
namespace {

using bankai::testing::data_path;

TEST(SharedModel, OneRankOfANodeOwnsThePackedWeights) {
  constexpr int kRanks = 5;
  constexpr int kPerNode = 2;  // nodes of ranks 0-1, 2-3 and 4
  std::array<std::string, kRanks> names;
  mpi::run_ranks(
      kRanks,
      [&](mpi::Communicator& communicator) {
        const auto model =
            load_shared_model(data_path("demo/bankai-demo-5m.gguf"), {}, communicator);
        ASSERT_TRUE(model.ok()) << model.error().message;
        names[static_cast<std::size_t>(communicator.rank())] = (*model)->panels_name();
        communicator.barrier();  // owners stay until all have mapped
      },
      kPerNode);
  EXPECT_FALSE(names[0].empty());
  EXPECT_TRUE(names[1].empty());
  EXPECT_FALSE(names[2].empty());
  EXPECT_NE(names[2], names[0]);
  EXPECT_TRUE(names[4].empty()) << "nothing to share on a node of one rank";
}

TEST(SharedModel, EveryRankHasTheErrorOfAModelThatDoesNotLoad) {
  mpi::run_ranks(3, [&](mpi::Communicator& communicator) {
    const auto model = load_shared_model("/nowhere/model.gguf", {}, communicator);
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().code, ErrorCode::kIo);
  });
}

}  // namespace
}  // namespace bankai::cli
