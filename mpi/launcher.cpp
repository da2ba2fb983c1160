#include "mpi/launcher.h"

#include <charconv>
#include <climits>
#include <cstring>

namespace bankai::mpi {
namespace {

// Those that also say the number of processes come first.
struct LauncherMark {
  const char* variable;
  bool is_count;
};
constexpr LauncherMark kMarks[] = {
    {"OMPI_COMM_WORLD_SIZE", true},  // Open MPI's mpirun
    {"PMI_SIZE", true},              // MPICH, Intel MPI, Cray
    {"MV2_COMM_WORLD_SIZE", true},   // MVAPICH2
    {"SLURM_STEP_NUM_TASKS", true},  // srun
    {"PMIX_RANK", false},            // any launcher that speaks PMIx
    {"PMI_RANK", false},
};

int parse_count(const char* text) {
  int count = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, count);
  return error == std::errc() && stop == end && count > 0 ? count : 0;
}

}  // namespace

std::optional<Launch> find_launch(const std::function<const char*(const char*)>& get_environment) {
  for (const LauncherMark& mark : kMarks) {
    if (const char* value = get_environment(mark.variable))
      return Launch{mark.variable, mark.is_count ? parse_count(value) : 0};
  }
  return std::nullopt;
}

}  // namespace bankai::mpi
