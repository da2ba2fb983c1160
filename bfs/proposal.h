// A candidate that promises to improve the fitness, by first order.
#pragma once

#include "bfs/candidate_space.h"

namespace bankai::bfs {

struct Proposal {
  CandidateId id = 0;
  double gain = 0.0;          // predicted change of the fitness
  double target_gain = 0.0;   // its parts: of the targets' mean score,
  double control_loss = 0.0;  // and of the controls' mean loss
  double worth = 0.0;         // what proposals are ranked by: the gain, or the gain per byte

  // Best first; equal worth by id.
  static bool better(const Proposal& a, const Proposal& b) {
    return a.worth != b.worth ? a.worth > b.worth : a.id < b.id;
  }
};

}  // namespace bankai::bfs
