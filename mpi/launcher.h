// Was this process started by an MPI launcher? Answered from the environment alone, so that a plain
// start of a program never waits for MPI.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace bankai::mpi {

struct Launch {
  std::string variable;   // the environment variable that tells
  int num_processes = 0;  // 0: a launcher was found, but it does not say how many
};

// `get_environment` behaves as std::getenv. Nothing if no launcher is found.
//
// In a Slurm batch script SLURM_NTASKS and SLURM_PROCID are set although the program there runs
// once, so only the variables of a job step count.
std::optional<Launch> find_launch(const std::function<const char*(const char*)>& get_environment);

}  // namespace bankai::mpi
