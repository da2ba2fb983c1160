#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {

std::vector<std::byte> bytes_of_rank(int rank, std::size_t length) {
  std::vector<std::byte> bytes(length);
  // Period 251: a shifted copy is seen, also at multiples of powers of two.
  for (std::size_t i = 0; i < length; ++i)
    bytes[i] = static_cast<std::byte>((i + 31 * static_cast<std::size_t>(rank)) % 251);
  return bytes;
}

}  // namespace bankai::mpi
