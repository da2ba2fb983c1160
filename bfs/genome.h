// Patches as individuals of an evolution (bfs/evolve.cpp), and the operators that breed them. Pure
// functions: all chance comes from Draws, all knowledge from GenePool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "bfs/proposal.h"
#include "bfs/search_state.h"
#include "core/counter_rng.h"

namespace bankai::bfs {

// A patch as its candidates: ascending, none twice.
using Genome = std::vector<CandidateId>;

// The random numbers of one individual: a function of (seed, generation, individual), so that it
// does not matter where it is bred.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t generation, std::uint32_t individual)
      : rng_(seed, generation << 32U | individual) {}

  // REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound) { return rng_.below(next_++, bound); }
  bool coin() { return below(2) == 1; }

 private:
  CounterRng rng_;
  std::uint64_t next_ = 0;
};

// What first order says of single candidates.
class GenePool {
 public:
  // `proposals`: best first, relative to `accepted`. The `inverse` of an accepted candidate
  // proposes its removal. Other proposals are additions, but for accepted ones: steps that would go
  // on.
  GenePool(
      std::span<const Proposal> proposals, std::span<const CandidateId> accepted,
      const std::function<CandidateId(CandidateId)>& inverse = [](CandidateId id) { return id; });

  // Candidates that are not accepted and promise an improvement, best first.
  std::span<const CandidateId> additions() const { return additions_; }
  // What it promises to have the candidate in a patch: of an accepted one that nothing speaks
  // against infinity, of an unknown one 0.
  double worth(CandidateId id) const;
  // The better ones are likelier: index ⌊n · u²⌋ for u evenly spread. REQUIRES: there are
  // additions.
  CandidateId draw(Draws& draws) const;

 private:
  std::vector<CandidateId> additions_;
  std::map<CandidateId, double> worth_;
};

// Exclusive or: the flips of either patch, but not of both. Its size is the Hamming distance.
Genome exclusive_or(const Genome& a, const Genome& b);

// a ⊕ (mask ∧ (a ⊕ b)) with a random mask: what both parents have is in the child, and what one of
// them has is so by the toss of a coin.
Genome cross_over(const Genome& a, const Genome& b, Draws& draws);

// Adds a candidate of the pool, drops one, or both; of two drawn, the one of less worth is dropped.
// Never makes a patch empty. The genome itself if there is nothing to add or to spare.
Genome mutate(Genome genome, const GenePool& pool, Draws& draws);

// Drops candidates of least worth (of equals the one with the highest id) until `fits`, or until
// none is left.
Genome repair(Genome genome, const GenePool& pool, const std::function<bool(const Genome&)>& fits);

// Fitness less `flip_penalty` for every flip.
double score_of(const Individual& individual, double flip_penalty);

// Best first: by score, then fewer flips, then by candidates.
void rank_population(std::vector<Individual>& population, double flip_penalty);

// The best of a few drawn. REQUIRES: the population is ranked and not empty.
const Individual& draw_parent(std::span<const Individual> population, Draws& draws);

}  // namespace bankai::bfs
