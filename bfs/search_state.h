// Everything that a search knows between two steps. Written to checkpoints; resuming from it gives
// the same patch as never having stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bfs/candidate_space.h"
#include "bfs/fitness.h"
#include "bfs/pareto_front.h"

namespace bankai::bfs {

struct ScoredCandidate {
  CandidateId id = 0;
  Fitness fitness;  // of the state with the candidate flipped

  // Best first; equal fitness by id.
  static bool better(const ScoredCandidate& a, const ScoredCandidate& b) {
    return a.fitness.fitness != b.fitness.fitness ? a.fitness.fitness > b.fitness.fitness
                                                  : a.id < b.id;
  }
};

// A patch of the evolutionary strategy: its candidates, ascending.
struct Individual {
  std::vector<CandidateId> ids;
  Fitness fitness;
};

struct SearchState {
  std::uint64_t round = 0;            // completed rounds (greedy) or draws (hill-climb)
  std::vector<CandidateId> accepted;  // a set (bfs/candidate_sets.h), in the order of acceptance
  Fitness fitness;                    // of the accepted flips together
  bool finished = false;

  // Candidates that were given up because they do not help have the fitness -infinity.
  std::vector<ScoredCandidate> scored;   // of the round under way, in the order of its proposals
  std::vector<ScoredCandidate> ranking;  // exact scores of the last round, by id
  std::uint64_t draws = 0;               // hill-climb: random numbers used
  std::uint64_t screened_out = 0;        // hill-climb
  std::vector<Individual> population;    // evolve: best first, then what may not be taken
  std::uint64_t stalled = 0;             // evolve: generations since the best one was bred
  ParetoFront front;                     // of the accepted flips of all rounds

  std::uint64_t work = 0;  // tokens × half-layers evaluated, counted once for all ranks
  double seconds = 0.0;    // spent before this run

  // Held-out early stopping.
  double held_out_gain = 0.0;  // of the flips accepted last
  double best_held_out = 0.0;  // gain of the mean held-out score over the unpatched model
  std::vector<CandidateId> best_accepted;
  std::size_t rounds_without_gain = 0;
};

}  // namespace bankai::bfs
