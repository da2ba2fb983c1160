// The operations of KernelTable that judge changes of many candidates at once, for any vector type
// V of 16 float lanes; see elementwise_body.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/elementwise_body.h"
#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

template <typename V>
void add_products(const float* a, const float* b, std::size_t n, float* sums) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    V::fma(V::load(a + i, lanes), V::load(b + i, lanes), V::load(sums + i, lanes))
        .store(sums + i, lanes);
  });
}

template <typename V>
void add_silu_changes(const float* gate, const float* shares, const float* before,
                      const float* factors, std::size_t n, float* sums) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V g = V::fma(V::broadcast(-2.0F), V::load(shares + i, lanes), V::load(gate + i, lanes));
    const V silu = g / (V::broadcast(1.0F) + exp_lanes(-g));
    V::fma(V::load(factors + i, lanes), silu - V::load(before + i, lanes), V::load(sums + i, lanes))
        .store(sums + i, lanes);
  });
}

template <typename V>
void add_relu2_changes(const float* gate, const float* shares, const float* before,
                       const float* factors, std::size_t n, float* sums) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V g =
        V::max(V::fma(V::broadcast(-2.0F), V::load(shares + i, lanes), V::load(gate + i, lanes)),
               V::zero());
    V::fma(V::load(factors + i, lanes), g * g - V::load(before + i, lanes),
           V::load(sums + i, lanes))
        .store(sums + i, lanes);
  });
}

template <typename V>
void add_shortfalls(const float* a, const float* b, std::size_t n, float slack, float weight,
                    float* sums) {
  const V before = V::max(-V::broadcast(slack), V::zero());
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V left = V::fma(V::load(a + i, lanes), V::load(b + i, lanes), V::broadcast(slack));
    const V change = V::max(-left, V::zero()) - before;
    V::fma(V::broadcast(weight), change, V::load(sums + i, lanes)).store(sums + i, lanes);
  });
}

template <typename V>
void add_fixed(const float* a, const float* b, std::size_t n, float limit, std::int64_t* sums) {
  for_each_block(n, [&](std::size_t i, auto lanes) {
    const V product = V::load(a + i, lanes) * V::load(b + i, lanes);
    V::clamp(V::at_least(product, -limit), -limit, limit).add_fixed(sums + i, lanes);
  });
}

}  // namespace
}  // namespace bankai::kernels
