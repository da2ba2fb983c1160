#include "mpi/agreement.h"

#include <string>

#include "core/format.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

using AgreementTest = OnRanks;

TEST_P(AgreementTest, all_ok_is_ok) {
  run([](Communicator& communicator) { EXPECT_TRUE(agree(communicator, {}).ok()); });
}

// Every set of failing ranks, each with a message of its own.
TEST_P(AgreementTest, all_ranks_return_the_error_of_the_lowest_that_failed) {
  run([](Communicator& communicator) {
    const int size = communicator.size();
    for (unsigned failing = 1; failing < 1U << size; ++failing) {
      const auto error_of = [](int rank) {
        return make_error(ErrorCode::kBadInput, "shard %d: cut short\xC3\xA9", rank);
      };
      const bool fails = (failing >> communicator.rank() & 1U) != 0;
      const Status status =
          agree(communicator, fails ? Status(error_of(communicator.rank())) : Status());
      ASSERT_FALSE(status.ok());
      const int lowest = __builtin_ctz(failing);
      const std::string message = error_of(lowest).message;
      EXPECT_EQ(status.error().code, ErrorCode::kBadInput);
      EXPECT_EQ(status.error().message,
                size == 1 ? message : format("rank %d: %s", lowest, message.c_str()));
    }
  });
}

TEST_P(AgreementTest, an_error_that_all_ranks_share_reads_as_that_of_one_process) {
  run([](Communicator& communicator) {
    const Status status = agree(communicator, Error{ErrorCode::kIo, "m.gguf: no such file"});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
    EXPECT_EQ(status.error().message, "m.gguf: no such file");
  });
}

TEST_P(AgreementTest, the_same_message_with_another_code_is_another_error) {
  run([](Communicator& communicator) {
    const auto code = communicator.rank() == 0 ? ErrorCode::kIo : ErrorCode::kStopped;
    const Status status = agree(communicator, Error{code, ""});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
    EXPECT_EQ(status.error().message, communicator.size() == 1 ? "" : "rank 0: ");
  });
}

TEST_P(AgreementTest, equal_values_are_equal) {
  run([](Communicator& communicator) {
    EXPECT_TRUE(all_equal(communicator, bytes_of_rank(7, 32), "model").ok());
    EXPECT_TRUE(all_equal(communicator, {}, "nothing").ok());
  });
}

TEST_P(AgreementTest, all_ranks_name_the_first_rank_whose_value_differs) {
  run([](Communicator& communicator) {
    const int size = communicator.size();
    for (int first = 1; first < size; ++first) {
      for (const bool is_longer : {false, true}) {
        auto value = bytes_of_rank(0, 32);
        if (communicator.rank() >= first) {
          if (is_longer)
            value.push_back(std::byte{0});
          else
            value.back() ^= std::byte{0x80};
        }
        const Status status = all_equal(communicator, value, "model");
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().code, ErrorCode::kMismatch);
        EXPECT_EQ(status.error().message, format("rank %d has another model than rank 0", first));
      }
    }
  });
}

BANKAI_ON_ALL_KINDS_OF_RANKS(AgreementTest);

}  // namespace
}  // namespace bankai::mpi
