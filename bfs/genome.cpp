#include "bfs/genome.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace bankai::bfs {
namespace {

constexpr std::uint64_t kTournament = 3;
constexpr int kTries = 8;  // to draw an addition that is not there yet
constexpr std::uint64_t kUnit = std::uint64_t{1} << 32U;

void add(Genome& genome, const GenePool& pool, Draws& draws) {
  if (pool.additions().empty()) return;
  for (int i = 0; i < kTries; ++i) {
    const CandidateId id = pool.draw(draws);
    const auto place = std::lower_bound(genome.begin(), genome.end(), id);
    if (place != genome.end() && *place == id) continue;
    genome.insert(place, id);
    return;
  }
}

void drop(Genome& genome, const GenePool& pool, Draws& draws) {
  if (genome.size() < 2) return;
  const auto first = static_cast<std::ptrdiff_t>(draws.below(genome.size()));
  const auto second = static_cast<std::ptrdiff_t>(draws.below(genome.size()));
  const auto place = genome.begin();
  genome.erase(pool.worth(place[second]) < pool.worth(place[first]) ? place + second
                                                                    : place + first);
}

}  // namespace

GenePool::GenePool(std::span<const Proposal> proposals, std::span<const CandidateId> accepted,
                   const std::function<CandidateId(CandidateId)>& inverse) {
  for (const CandidateId id : accepted) worth_[id] = std::numeric_limits<double>::infinity();
  for (const Proposal& proposal : proposals) {
    const CandidateId removed = inverse(proposal.id);
    if (std::find(accepted.begin(), accepted.end(), removed) != accepted.end())
      worth_[removed] = -proposal.worth;
    else if (worth_.try_emplace(proposal.id, proposal.worth).second)
      additions_.push_back(proposal.id);
  }
}

double GenePool::worth(CandidateId id) const {
  const auto entry = worth_.find(id);
  return entry == worth_.end() ? 0.0 : entry->second;
}

CandidateId GenePool::draw(Draws& draws) const {
  // u² as a product of whole numbers below 2^32, rounded down.
  const std::uint64_t u = draws.below(kUnit);
  const std::uint64_t square = (u * u) >> 32U;
  return additions_[static_cast<std::size_t>((square * additions_.size()) >> 32U)];
}

Genome exclusive_or(const Genome& a, const Genome& b) {
  Genome result;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

Genome cross_over(const Genome& a, const Genome& b, Draws& draws) {
  Genome masked;
  for (const CandidateId id : exclusive_or(a, b))
    if (draws.coin()) masked.push_back(id);
  return exclusive_or(a, masked);
}

Genome mutate(Genome genome, const GenePool& pool, Draws& draws) {
  enum { kAdd, kDrop, kSwap, kNumMutations };
  const std::uint64_t mutation = draws.below(kNumMutations);
  if (mutation != kDrop) add(genome, pool, draws);
  if (mutation != kAdd) drop(genome, pool, draws);
  return genome;
}

Genome repair(Genome genome, const GenePool& pool, const std::function<bool(const Genome&)>& fits) {
  while (!genome.empty() && !fits(genome)) {
    auto least = genome.begin();
    for (auto place = genome.begin(); place != genome.end(); ++place)
      if (pool.worth(*place) <= pool.worth(*least)) least = place;
    genome.erase(least);
  }
  return genome;
}

double score_of(const Individual& individual, double flip_penalty) {
  return individual.fitness.fitness - flip_penalty * static_cast<double>(individual.ids.size());
}

void rank_population(std::vector<Individual>& population, double flip_penalty) {
  std::sort(population.begin(), population.end(), [&](const Individual& a, const Individual& b) {
    const double score_a = score_of(a, flip_penalty);
    const double score_b = score_of(b, flip_penalty);
    if (score_a != score_b) return score_a > score_b;
    if (a.ids.size() != b.ids.size()) return a.ids.size() < b.ids.size();
    return a.ids < b.ids;
  });
}

const Individual& draw_parent(std::span<const Individual> population, Draws& draws) {
  std::uint64_t best = population.size() - 1;
  for (std::uint64_t i = 0; i < kTournament; ++i)
    best = std::min(best, draws.below(population.size()));
  return population[static_cast<std::size_t>(best)];
}

}  // namespace bankai::bfs
