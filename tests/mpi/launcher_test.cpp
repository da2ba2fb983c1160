#include "mpi/launcher.h"

#include <gtest/gtest.h>

#include <map>

namespace bankai::mpi {
namespace {

std::optional<Launch> find_in(const std::map<std::string, std::string>& environment) {
  return find_launch([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(FindLaunch, a_plain_start_has_no_launcher) {
  EXPECT_FALSE(find_in({}));
  EXPECT_FALSE(find_in({{"OMP_NUM_THREADS", "4"}, {"OMPI_MCA_mpi_yield_when_idle", "1"}}));
}

TEST(FindLaunch, a_slurm_batch_script_runs_once) {
  EXPECT_FALSE(find_in({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}, {"SLURM_JOB_ID", "7"}}));
}

TEST(FindLaunch, launchers_tell_the_number_of_processes) {
  for (const char* variable :
       {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const auto launch = find_in({{variable, "12"}});
    ASSERT_TRUE(launch) << variable;
    EXPECT_EQ(launch->variable, variable);
    EXPECT_EQ(launch->num_processes, 12);
  }
}

TEST(FindLaunch, mpirun_inside_a_job_step_counts_as_mpirun) {
  const auto launch = find_in({{"SLURM_STEP_NUM_TASKS", "1"}, {"OMPI_COMM_WORLD_SIZE", "3"}});
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->num_processes, 3);
}

TEST(FindLaunch, a_rank_without_a_count_is_a_launcher_too) {
  for (const char* variable : {"PMIX_RANK", "PMI_RANK"}) {
    for (const char* rank : {"0", "1", "3"}) {
      const auto launch = find_in({{variable, rank}});
      ASSERT_TRUE(launch) << variable;
      EXPECT_EQ(launch->num_processes, 0);
    }
  }
}

TEST(FindLaunch, a_count_that_is_no_number_is_unknown) {
  for (const char* text : {"", "x", "2x", "-2", "0", "99999999999999999999"}) {
    const auto launch = find_in({{"PMI_SIZE", text}});
    ASSERT_TRUE(launch);
    EXPECT_EQ(launch->num_processes, 0) << text;
  }
}

}  // namespace
}  // namespace bankai::mpi
