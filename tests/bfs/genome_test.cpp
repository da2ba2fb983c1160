#include "bfs/genome.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

namespace bankai::bfs {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Genome genome_of(std::uint64_t bits) {
  Genome genome;
  for (CandidateId id = 0; id < 64; ++id)
    if (((bits >> id) & 1U) != 0) genome.push_back(id);
  return genome;
}
std::uint64_t bits_of(const Genome& genome) {
  std::uint64_t bits = 0;
  for (const CandidateId id : genome) bits |= std::uint64_t{1} << id;
  return bits;
}
bool is_valid(const Genome& genome) {
  return std::adjacent_find(genome.begin(), genome.end(), std::greater_equal<CandidateId>()) ==
         genome.end();
}

// 40 … 31 promise ever less; 3 is accepted and proposed for removal, 5 accepted and not.
GenePool make_pool() {
  std::vector<Proposal> proposals;
  for (CandidateId id = 40; id > 30; --id)
    proposals.push_back({id, 0.0, 0.0, 0.0, static_cast<double>(id) / 10.0});
  proposals.push_back({3, 0.0, 0.0, 0.0, 0.5});
  const std::array<CandidateId, 2> accepted = {3, 5};
  return {proposals, accepted};
}

TEST(Draws, depend_on_seed_generation_and_individual_alone) {
  std::set<std::vector<std::uint64_t>> seen;
  for (const std::uint64_t seed : {1U, 2U})
    for (const std::uint64_t generation : {0U, 1U, 2U})
      for (const std::uint32_t individual : {0U, 1U, 2U}) {
        std::vector<std::uint64_t> numbers;
        std::vector<std::uint64_t> again;
        Draws draws(seed, generation, individual);
        Draws same(seed, generation, individual);
        for (int i = 0; i < 8; ++i) {
          numbers.push_back(draws.below(1000));
          again.push_back(same.below(1000));
        }
        EXPECT_EQ(numbers, again);
        EXPECT_TRUE(seen.insert(numbers).second);
      }
}

TEST(GenePool, knows_what_a_candidate_is_worth) {
  const GenePool pool = make_pool();
  EXPECT_EQ(pool.additions().size(), 10U);
  EXPECT_EQ(pool.additions().front(), 40U);
  EXPECT_EQ(pool.worth(40), 4.0);
  EXPECT_EQ(pool.worth(3), -0.5) << "better without";
  EXPECT_EQ(pool.worth(5), kInfinity) << "nothing speaks against it";
  EXPECT_EQ(pool.worth(7), 0.0) << "unknown";
}

TEST(GenePool, draws_all_additions_and_the_better_ones_more_often) {
  const GenePool pool = make_pool();
  std::array<int, 64> counts{};
  Draws draws(1, 2, 3);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(pool.draw(draws))];
  int total = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    const int count = counts[40 - i];
    // u² < x for u < √x.
    const double share =
        std::sqrt(static_cast<double>(i + 1) / 10.0) - std::sqrt(static_cast<double>(i) / 10.0);
    EXPECT_NEAR(count, share * kDraws, 5.0 * std::sqrt(share * kDraws));
    total += count;
  }
  EXPECT_EQ(total, kDraws) << "nothing else";
}

TEST(ExclusiveOr, is_that_of_bits) {
  for (std::uint64_t a = 0; a < 32; ++a)
    for (std::uint64_t b = 0; b < 32; ++b)
      EXPECT_EQ(exclusive_or(genome_of(a), genome_of(b)), genome_of(a ^ b));
}

TEST(CrossOver, keeps_what_both_have_and_draws_from_where_they_differ) {
  for (std::uint64_t a = 0; a < 16; ++a)
    for (std::uint64_t b = 0; b < 16; ++b) {
      std::set<std::uint64_t> children;
      for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Draws draws(seed, 0, 0);
        const Genome child = cross_over(genome_of(a), genome_of(b), draws);
        ASSERT_TRUE(is_valid(child));
        children.insert(bits_of(child));
      }
      // Exactly the patches between both: all of them come, and no other.
      std::set<std::uint64_t> between;
      for (std::uint64_t mask = 0; mask < 16; ++mask) between.insert(a ^ (mask & (a ^ b)));
      EXPECT_EQ(children, between) << a << " " << b;
    }
}

TEST(CrossOver, of_equals_is_the_parent) {
  const Genome parent = genome_of(0x5a5a);
  Draws draws(1, 1, 1);
  EXPECT_EQ(cross_over(parent, parent, draws), parent);
}

TEST(Mutate, adds_from_the_pool_drops_or_both) {
  const GenePool pool = make_pool();
  const Genome parent = {1, 3, 5, 9, 40};
  std::array<int, 3> seen{};  // by change of size: -1, 0, 1
  for (std::uint32_t i = 0; i < 600; ++i) {
    Draws draws(7, 0, i);
    const Genome child = mutate(parent, pool, draws);
    ASSERT_TRUE(is_valid(child));
    ASSERT_NE(child, Genome{});
    for (const CandidateId id : child) {
      const bool is_old = std::binary_search(parent.begin(), parent.end(), id);
      EXPECT_TRUE(is_old || (id > 30 && id < 40)) << id;
    }
    ASSERT_LE(exclusive_or(parent, child).size(), 2U);
    const std::size_t place = child.size() + 1 - parent.size();
    ASSERT_LT(place, seen.size());
    ++seen[place];
  }
  for (const int count : seen) EXPECT_GT(count, 100);
}

TEST(Mutate, drops_what_is_worth_little_more_often) {
  const GenePool pool = make_pool();
  std::array<int, 64> dropped{};
  for (std::uint32_t i = 0; i < 2000; ++i) {
    Draws draws(3, 0, i);
    const Genome child = mutate({3, 5, 7}, pool, draws);
    for (const CandidateId id : {3U, 5U, 7U})
      if (!std::binary_search(child.begin(), child.end(), id)) ++dropped[id];
  }
  EXPECT_GT(dropped[3], dropped[7]);
  EXPECT_GT(dropped[7], dropped[5]);
  EXPECT_GT(dropped[5], 0);
}

TEST(Mutate, does_what_it_can) {
  const GenePool nothing({}, {});
  for (std::uint32_t i = 0; i < 50; ++i) {
    Draws draws(5, 0, i);
    EXPECT_EQ(mutate({8}, nothing, draws), Genome{8}) << "never empty";
  }
}

TEST(Repair, drops_the_least_useful_until_it_fits) {
  const GenePool pool = make_pool();
  const Genome genome = {3, 5, 7, 8, 31, 40};
  const std::vector<Genome> by_size = {
      {}, {5}, {5, 40}, {5, 31, 40}, {5, 7, 31, 40}, {5, 7, 8, 31, 40}, genome};
  for (std::size_t size = 0; size < by_size.size(); ++size)
    EXPECT_EQ(repair(genome, pool, [&](const Genome& ids) { return ids.size() <= size; }),
              by_size[size]);
}

TEST(RankPopulation, goes_by_score_size_and_candidates) {
  std::vector<Individual> population = {{{2}, {1.0, 0, 0}},
                                        {{1, 2}, {1.0, 0, 0}},
                                        {{1}, {1.0, 0, 0}},
                                        {{1, 2, 3}, {1.5, 0, 0}},
                                        {{4}, {-kInfinity, 0, 0}}};
  const auto ranked = [&](double flip_penalty) {
    rank_population(population, flip_penalty);
    std::vector<Genome> genomes;
    for (const Individual& individual : population) genomes.push_back(individual.ids);
    return genomes;
  };
  EXPECT_EQ(ranked(0.0), (std::vector<Genome>{{1, 2, 3}, {1}, {2}, {1, 2}, {4}}));
  EXPECT_EQ(ranked(0.3), (std::vector<Genome>{{1}, {2}, {1, 2, 3}, {1, 2}, {4}}));
}

TEST(DrawParent, prefers_the_fit_and_spares_nobody) {
  std::vector<Individual> population(5);
  for (std::size_t i = 0; i < population.size(); ++i) population[i].ids = {i};
  std::array<int, 5> counts{};
  Draws draws(1, 1, 1);
  for (int i = 0; i < 5000; ++i) ++counts[draw_parent(population, draws).ids[0]];
  for (std::size_t i = 1; i < counts.size(); ++i) EXPECT_LT(counts[i], counts[i - 1]);
  EXPECT_GT(counts.back(), 0);
}

}  // namespace
}  // namespace bankai::bfs
