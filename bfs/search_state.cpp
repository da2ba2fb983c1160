#include "bfs/search_state.h"

#include <algorithm>

namespace bankai::bfs {

std::vector<CandidateId> toggled(std::vector<CandidateId> accepted,
                                 std::span<const CandidateId> ids) {
  for (const CandidateId id : ids) {
    const auto found = std::find(accepted.begin(), accepted.end(), id);
    if (found == accepted.end()) {
      accepted.push_back(id);
    } else {
      accepted.erase(found);
    }
  }
  return accepted;
}

}  // namespace bankai::bfs
