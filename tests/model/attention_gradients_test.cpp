#include "model/attention_gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/counter_rng.h"
#include "tests/model/forward_checks.h"

namespace bankai::model {
namespace {

struct Problem {
  Hyperparameters parameters;
  std::vector<Segment> segments;
  std::size_t tokens = 0;
  AttentionProjections projections;
  std::vector<float> mixed_gradient;
};

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(static_cast<float>(4.0 * rng.uniform(i) - 2.0));
  return values;
}

Problem make_problem(std::size_t num_heads, std::size_t num_kv_heads, std::size_t head_dim,
                     std::vector<std::size_t> lengths) {
  Problem p;
  p.parameters.num_heads = num_heads;
  p.parameters.num_kv_heads = num_kv_heads;
  p.parameters.head_dim = head_dim;
  for (const std::size_t length : lengths) {
    p.segments.push_back({p.tokens, length, nullptr, 0});
    p.tokens += length;
  }
  p.projections.query = random_floats(p.tokens * p.parameters.query_dim(), 1);
  p.projections.key = random_floats(p.tokens * p.parameters.kv_dim(), 2);
  p.projections.value = random_floats(p.tokens * p.parameters.kv_dim(), 3);
  p.mixed_gradient = random_floats(p.tokens * p.parameters.query_dim(), 4);
  return p;
}

AttentionProjections gradients(const kernels::KernelTable& table, int threads, const Problem& p) {
  AttentionProjections out = p.projections;
  attention_gradients(table, threads, p.parameters, p.segments, p.projections,
                      p.mixed_gradient.data(),
                      {out.query.data(), out.key.data(), out.value.data()});
  return out;
}

struct Reference {
  std::vector<double> query, key, value;
};

// By the definition, one query after the other.
Reference reference(const Problem& p) {
  const Hyperparameters& h = p.parameters;
  Reference out;
  out.query.resize(p.projections.query.size());
  out.key.resize(p.projections.key.size());
  out.value.resize(p.projections.value.size());
  const double scale = 1.0 / std::sqrt(static_cast<double>(h.head_dim));
  for (const Segment& segment : p.segments) {
    for (std::size_t t = 0; t < segment.num_tokens; ++t) {
      for (std::size_t head = 0; head < h.num_heads; ++head) {
        const std::size_t q = (segment.first_token + t) * h.query_dim() + head * h.head_dim;
        const auto kv = [&](std::size_t position) {
          return (segment.first_token + position) * h.kv_dim() +
                 head / (h.num_heads / h.num_kv_heads) * h.head_dim;
        };
        const auto dot = [&](const std::vector<float>& a, std::size_t at,
                             const std::vector<float>& b, std::size_t bt) {
          double sum = 0.0;
          for (std::size_t d = 0; d < h.head_dim; ++d)
            sum += static_cast<double>(a[at + d]) * static_cast<double>(b[bt + d]);
          return sum;
        };
        std::vector<double> weights;
        double total = 0.0;
        for (std::size_t j = 0; j <= t; ++j) {
          weights.push_back(
              std::exp(scale * dot(p.projections.query, q, p.projections.key, kv(j))));
          total += weights.back();
        }
        double mean = 0.0;
        for (std::size_t j = 0; j <= t; ++j) {
          weights[j] /= total;
          mean += weights[j] * dot(p.mixed_gradient, q, p.projections.value, kv(j));
        }
        for (std::size_t j = 0; j <= t; ++j) {
          const double ds =
              scale * weights[j] * (dot(p.mixed_gradient, q, p.projections.value, kv(j)) - mean);
          for (std::size_t d = 0; d < h.head_dim; ++d) {
            out.query[q + d] += ds * static_cast<double>(p.projections.key[kv(j) + d]);
            out.key[kv(j) + d] += ds * static_cast<double>(p.projections.query[q + d]);
            out.value[kv(j) + d] += weights[j] * static_cast<double>(p.mixed_gradient[q + d]);
          }
        }
      }
    }
  }
  return out;
}

void expect_near(const std::vector<float>& ours, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < ours.size(); ++i)
    ASSERT_NEAR(static_cast<double>(ours[i]), expected[i], 2e-5 * (1.0 + std::fabs(expected[i])));
}

TEST(AttentionGradients, FollowTheDefinitionOnEveryTable) {
  for (const Problem& p : {make_problem(1, 1, 16, {1, 2, 17}), make_problem(6, 2, 20, {40, 1, 9}),
                           make_problem(4, 4, 64, {25, 24}), make_problem(32, 1, 8, {5, 33})}) {
    const AttentionProjections ours = gradients(best_kernels(), 1, p);
    const Reference expected = reference(p);
    expect_near(ours.query, expected.query);
    expect_near(ours.key, expected.key);
    expect_near(ours.value, expected.value);
    for (const kernels::KernelTable* table : runnable_kernels()) {
      for (const int threads : {1, 3}) {
        const AttentionProjections other = gradients(*table, threads, p);
        EXPECT_EQ(other.query, ours.query) << table->name;
        EXPECT_EQ(other.key, ours.key) << table->name;
        EXPECT_EQ(other.value, ours.value) << table->name;
      }
    }
  }
}

}  // namespace
}  // namespace bankai::model
