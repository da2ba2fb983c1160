// The evolutionary strategy: a population of patches, bred by exclusive or and by first-order
// proposals, scored exactly over all ranks; the fittest is the accepted one. Every rank breeds the
// same children, from random numbers of (seed, generation, individual).
#include <algorithm>
#include <set>

#include "bfs/candidate_sets.h"
#include "bfs/genome.h"
#include "bfs/strategy.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kChildrenPerElite = 8;
constexpr int kTries = 16;  // to breed a child that is not there yet
// Generations without a better patch after which nothing more is expected.
constexpr std::uint64_t kMostStalled = 8;

using Generation = std::vector<Genome>;

// A generation under construction: no two alike, none empty, all within the budget.
class Nursery {
 public:
  Nursery(const SearchContext& context, const GenePool& pool) : context_(context), pool_(pool) {}

  // False if it comes to nothing new.
  bool add(Genome genome) {
    genome = toggled(context_.space(), {}, genome);  // without opposite steps of one weight
    std::sort(genome.begin(), genome.end());
    genome = repair(std::move(genome), pool_,
                    [this](const Genome& ids) { return context_.within_budget(ids); });
    if (genome.empty() || !seen_.insert(genome).second) return false;
    generation_.push_back(std::move(genome));
    return true;
  }
  // The genome, or a mutant of it if it is there already.
  void add_variant(Genome genome, Draws& draws) {
    for (int i = 0; i < kTries && !add(genome); ++i)
      genome = mutate(std::move(genome), pool_, draws);
  }
  std::size_t size() const { return generation_.size(); }
  Generation finish() { return std::move(generation_); }

 private:
  const SearchContext& context_;
  const GenePool& pool_;
  Generation generation_;
  std::set<Genome> seen_;
};

// The first generation: of each size the best proposals together, and as many drawn from all.
Generation found(const SearchContext& context, const GenePool& pool, std::uint64_t generation) {
  Nursery nursery(context, pool);
  const std::span<const CandidateId> best = pool.additions();
  if (best.empty()) return {};
  for (std::uint32_t i = 0; i < context.options().population; ++i) {
    const std::size_t size = std::min<std::size_t>(1 + i / 2, best.size());
    std::set<CandidateId> chosen;
    Draws draws(context.options().seed, generation, i);
    if (i % 2 == 0) chosen.insert(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(size));
    for (std::size_t k = 0; i % 2 == 1 && k < size; ++k) chosen.insert(pool.draw(draws));
    nursery.add_variant({chosen.begin(), chosen.end()}, draws);
  }
  return nursery.finish();
}

// The accepted patch and the best others as they are; the rest are children of two parents.
Generation breed(const SearchContext& context, const GenePool& pool, const SearchState& state) {
  const std::span<const Individual> parents = state.population;
  const std::size_t size = context.options().population;
  Nursery nursery(context, pool);
  Genome accepted = state.accepted;
  std::sort(accepted.begin(), accepted.end());
  nursery.add(std::move(accepted));
  for (std::size_t i = 0; i < parents.size() && nursery.size() * kChildrenPerElite < size; ++i)
    nursery.add(parents[i].ids);
  for (auto i = static_cast<std::uint32_t>(nursery.size()); i < size; ++i) {
    Draws draws(context.options().seed, state.round, i);
    const Individual& mother = draw_parent(parents, draws);
    const Individual& father = draw_parent(parents, draws);
    Genome child = cross_over(mother.ids, father.ids, draws);
    nursery.add_variant(mutate(std::move(child), pool, draws), draws);
  }
  return nursery.finish();
}

// Exact fitness of each patch.
Result<std::vector<Individual>> evaluate(SearchContext& context, Generation generation,
                                         SearchState& state) {
  Genome accepted = state.accepted;
  std::sort(accepted.begin(), accepted.end());
  Generation others;
  for (const Genome& genome : generation)
    if (genome != accepted) others.push_back(genome);
  BANKAI_ASSIGN_OR_RETURN(const std::vector<Fitness> fitness, context.score_sets(others, state));
  std::vector<Individual> population;
  auto next = fitness.begin();
  for (Genome& genome : generation) {
    const bool is_accepted = genome == accepted;
    population.push_back({std::move(genome), is_accepted ? state.fitness : *next++});
  }
  return population;
}

class Evolve final : public Strategy {
 public:
  Status run_round(SearchContext& context, SearchState& state) override {
    SearchState next = state;  // a stop leaves the state as it was
    BANKAI_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals,
                            context.propose(context.options().shortlist, next));
    const GenePool pool(proposals, state.accepted,
                        [&](CandidateId id) { return inverse_of(context.space(), id); });
    Generation generation =
        state.population.empty() ? found(context, pool, state.round) : breed(context, pool, state);
    const bool generation_is_empty = generation.empty();
    if (!generation_is_empty) {
      BANKAI_ASSIGN_OR_RETURN(next.population, evaluate(context, std::move(generation), next));
      rank_population(next.population, context.options().flip_penalty);
    }
    accept_fittest(context, next);
    next.finished = generation_is_empty || next.stalled >= kMostStalled;
    state = std::move(next);
    return {};
  }

 private:
  // The fittest that is better than what is accepted and may be accepted. Better ones that may not
  // go behind all others: they are no longer carried over, and seldom parents.
  static void accept_fittest(SearchContext& context, SearchState& state) {
    const SearchOptions& options = context.options();
    const double needed =
        score_of({state.accepted, state.fitness}, options.flip_penalty) + options.min_gain;
    const auto is_better = [&](const Individual& individual) {
      return score_of(individual, options.flip_penalty) > needed;
    };
    std::vector<Individual>& population = state.population;
    auto place = population.begin();
    while (place != population.end() && is_better(*place) &&
           !context.is_acceptable(place->ids, state))
      ++place;
    ++state.stalled;
    if (place != population.end() && is_better(*place)) {
      state.accepted = place->ids;
      state.fitness = place->fitness;
      state.stalled = 0;
    }
    std::rotate(population.begin(), place, population.end());
  }
};

}  // namespace

std::unique_ptr<Strategy> make_evolve() { return std::make_unique<Evolve>(); }

}  // namespace bankai::bfs
