// Every float operation of every table against the scalar one, bit for bit, with each buffer ending
// at a page without access; and the scalar one against plain double arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

std::vector<std::size_t> awkward_sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 40; ++n) sizes.push_back(n);
  for (std::size_t n : {47U, 48U, 49U, 63U, 64U, 65U, 127U, 128U, 129U, 255U, 256U, 257U, 1000U})
    sizes.push_back(n);
  return sizes;
}

using Floats = std::vector<float>;

// What one call of an op leaves behind; ops that return a number put it into `number`.
struct Outcome {
  Floats out;
  std::vector<std::uint16_t> half_out;
  double number = 0.0;
};

struct Inputs {
  Floats a;
  Floats b;
  Floats c;
  std::vector<std::uint16_t> half;
  float factor = 0.0F;
};

struct Op {
  std::string name;
  std::function<Outcome(const KernelTable&, const Inputs&)> run;
};

Outcome number(double value) { return {.out = {}, .half_out = {}, .number = value}; }
Outcome floats(const GuardedBuffer<float>& buffer) {
  return {.out = buffer.values(), .half_out = {}, .number = 0.0};
}

// One entry per op of the table; x, y, z below are its operands, n long.
std::vector<Op> all_ops() {
  using Table = const KernelTable&;
  using In = const Inputs&;
  using Buffer = GuardedBuffer<float>;
  using HalfBuffer = GuardedBuffer<std::uint16_t>;
  return {
      {"dot_f32",
       [](Table t, In in) {
         Buffer x(in.a), y(in.b);
         return number(static_cast<double>(t.dot_f32(x.data(), y.data(), in.a.size())));
       }},
      {"add_f32",
       [](Table t, In in) {
         Buffer x(in.a), y(in.b);
         t.add_f32(x.data(), y.data(), in.a.size());
         return floats(y);
       }},
      {"f32_to_f16",
       [](Table t, In in) {
         Buffer x(in.a);
         HalfBuffer y(in.a.size());
         t.f32_to_f16(x.data(), y.data(), in.a.size());
         return Outcome{.out = {}, .half_out = y.values(), .number = 0.0};
       }},
      {"f16_to_f32",
       [](Table t, In in) {
         HalfBuffer x(in.half);
         Buffer y(in.half.size());
         t.f16_to_f32(x.data(), y.data(), in.half.size());
         return floats(y);
       }},
      {"rms_norm",
       [](Table t, In in) {
         Buffer x(in.a), w(in.b), y(in.a.size());
         t.rms_norm(x.data(), w.data(), in.a.size(), 1e-6F, y.data());
         return floats(y);
       }},
      {"rms_norm in place",
       [](Table t, In in) {
         Buffer x(in.a), w(in.b);
         t.rms_norm(x.data(), w.data(), in.a.size(), 1e-6F, x.data());
         return floats(x);
       }},
      {"rope_neox",
       [](Table t, In in) {
         Floats pair = in.c;
         pair.insert(pair.end(), in.factor < 0.0F ? in.a.begin() : in.b.begin(),
                     in.factor < 0.0F ? in.a.end() : in.b.end());
         Buffer x(pair), cos(in.a), sin(in.b);
         t.rope_neox(x.data(), cos.data(), sin.data(), in.a.size());
         return floats(x);
       }},
      {"silu_mul",
       [](Table t, In in) {
         Buffer x(in.a), y(in.b), z(in.a.size());
         t.silu_mul(x.data(), y.data(), in.a.size(), z.data());
         return floats(z);
       }},
      {"silu_mul in place of up",
       [](Table t, In in) {
         Buffer x(in.a), y(in.b);
         t.silu_mul(x.data(), y.data(), in.a.size(), y.data());
         return floats(y);
       }},
      {"relu2_mul",
       [](Table t, In in) {
         Buffer x(in.a), y(in.b), z(in.a.size());
         t.relu2_mul(x.data(), y.data(), in.a.size(), z.data());
         return floats(z);
       }},
      {"relu2_mul in place of gate",
       [](Table t, In in) {
         Buffer x(in.a), y(in.b);
         t.relu2_mul(x.data(), y.data(), in.a.size(), x.data());
         return floats(x);
       }},
      {"max_f32",
       [](Table t, In in) {
         Buffer x(in.a);
         return number(static_cast<double>(t.max_f32(x.data(), in.a.size())));
       }},
      {"exponentials",
       [](Table t, In in) {
         Buffer x(in.a);
         t.exponentials(x.data(), in.a.size());
         return floats(x);
       }},
      {"sum of exponentials",
       [](Table t, In in) {
         Buffer x(in.a);
         return number(static_cast<double>(t.exponentials(x.data(), in.a.size())));
       }},
      {"sum_exp",
       [](Table t, In in) {
         Buffer x(in.a);
         return number(t.sum_exp(x.data(), in.a.size(), in.factor));
       }},
  };
}

Inputs make_inputs(Draws& draws, std::size_t n, bool awkward) {
  const auto draw = [&] { return awkward ? draws.awkward(n) : draws.ordinary(n); };
  Inputs in{.a = draw(), .b = draw(), .c = draw(), .half = {}, .factor = draws.symmetric(3.0F)};
  in.half.resize(n);
  for (std::uint16_t& half : in.half) {
    half = static_cast<std::uint16_t>(draws.bits());
    if (!awkward) half = static_cast<std::uint16_t>(half & 0xBFFFU);  // finite, below 2
  }
  return in;
}

TEST(Elementwise, EveryTableGivesTheScalarBits) {
  const std::vector<Op> ops = all_ops();
  Draws draws(1);
  for (const std::size_t n : awkward_sizes()) {
    for (int round = 0; round < 6; ++round) {
      const Inputs in = make_inputs(draws, n, round % 2 == 1);
      for (const Op& op : ops) {
        const Outcome expected = op.run(*all_kernels().front(), in);
        const std::string what = op.name + ", n = " + std::to_string(n);
        for_each_supported_table([&](const KernelTable& table) {
          const Outcome actual = op.run(table, in);
          expect_same_bits(actual.out, expected.out, what);
          expect_same_bits(actual.half_out, expected.half_out, what);
          ASSERT_TRUE(same_bits(actual.number, expected.number))
              << what << ": " << actual.number << ", expected " << expected.number;
        });
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Starts that are not aligned to a vector, a cache line or even 8 bytes.
TEST(Elementwise, AnyStartGivesTheSameBits) {
  constexpr std::size_t kCount = 77;
  Draws draws(2);
  const Floats x = draws.ordinary(kCount);
  const Floats y = draws.ordinary(kCount);
  for_each_supported_table([&](const KernelTable& table) {
    const float expected = table.dot_f32(x.data(), y.data(), kCount);
    for (std::size_t start = 0; start < 16; ++start) {
      Floats moved(kCount + start);
      std::copy(x.begin(), x.end(), moved.begin() + static_cast<std::ptrdiff_t>(start));
      EXPECT_TRUE(same_bits(table.dot_f32(moved.data() + start, y.data(), kCount), expected));
      EXPECT_TRUE(same_bits(table.dot_f32(y.data(), moved.data() + start, kCount),
                            table.dot_f32(y.data(), x.data(), kCount)));
    }
  });
}

// The order of summation that kernel_table.h states, written out.
TEST(Elementwise, DotProductSumsInSixteenLanes) {
  Draws draws(3);
  for (std::size_t n = 0; n < 70; ++n) {
    const Floats a = draws.ordinary(n);
    const Floats b = draws.ordinary(n);
    float lane[16] = {};
    for (std::size_t i = 0; i < n; ++i) lane[i % 16] = std::fma(a[i], b[i], lane[i % 16]);
    for (std::size_t width = 8; width >= 1; width /= 2)
      for (std::size_t j = 0; j < width; ++j) lane[j] += lane[j + width];
    EXPECT_EQ(all_kernels().front()->dot_f32(a.data(), b.data(), n), lane[0]) << n;
  }
}

TEST(Elementwise, MaximumSeesEveryPositionAndEveryNan) {
  for_each_supported_table([](const KernelTable& table) {
    EXPECT_EQ(table.max_f32(nullptr, 0), -std::numeric_limits<float>::infinity());
    for (std::size_t n = 1; n <= 40; ++n) {
      for (std::size_t at = 0; at < n; ++at) {
        Floats x(n, -3.0F);
        x[at] = -2.0F;
        EXPECT_EQ(table.max_f32(x.data(), n), -2.0F);
        x[at] = std::numeric_limits<float>::quiet_NaN();
        EXPECT_TRUE(std::isnan(table.max_f32(x.data(), n)));
      }
    }
  });
}

// Which of two zeros is the maximum is part of the bits.
TEST(Elementwise, TablesAgreeOnTheMaximumOfZeros) {
  Draws draws(5);
  for (std::size_t n = 1; n <= 40; ++n) {
    for (int round = 0; round < 8; ++round) {
      Floats x(n);
      for (float& value : x) value = draws.below(2) == 0 ? 0.0F : -0.0F;
      const float expected = all_kernels().front()->max_f32(x.data(), n);
      for_each_supported_table([&](const KernelTable& table) {
        EXPECT_TRUE(same_bits(table.max_f32(x.data(), n), expected)) << n;
      });
    }
  }
}

double exact_silu(double x) { return x / (1.0 + std::exp(-x)); }

TEST(Elementwise, ResultsAreCloseToExactOnes) {
  const KernelTable& table = *all_kernels().front();
  Draws draws(4);
  constexpr std::size_t kCount = 200;
  const Floats x = draws.ordinary(kCount);
  const Floats w = draws.ordinary(kCount);
  Floats out(kCount);

  double square_sum = 0.0;
  for (float value : x) square_sum += static_cast<double>(value) * static_cast<double>(value);
  table.rms_norm(x.data(), w.data(), kCount, 1e-5F, out.data());
  for (std::size_t i = 0; i < kCount; ++i) {
    const double exact = static_cast<double>(x[i]) / std::sqrt(square_sum / kCount + 1e-5) *
                         static_cast<double>(w[i]);
    EXPECT_NEAR(static_cast<double>(out[i]), exact, 1e-6 * std::fabs(exact) + 1e-9);
  }

  table.silu_mul(x.data(), w.data(), kCount, out.data());
  for (std::size_t i = 0; i < kCount; ++i) {
    const double exact = exact_silu(static_cast<double>(x[i])) * static_cast<double>(w[i]);
    EXPECT_NEAR(static_cast<double>(out[i]), exact, 4e-7 * std::fabs(exact));
  }

  table.relu2_mul(x.data(), w.data(), kCount, out.data());
  for (std::size_t i = 0; i < kCount; ++i) {
    const double gate = std::max(static_cast<double>(x[i]), 0.0);
    const double exact = gate * gate * static_cast<double>(w[i]);
    EXPECT_NEAR(static_cast<double>(out[i]), exact, 2e-7 * std::fabs(exact));
  }

  out = x;
  const auto sum = static_cast<double>(table.exponentials(out.data(), kCount));
  double total = 0.0;
  for (float value : x) total += std::exp(static_cast<double>(value));
  EXPECT_NEAR(table.sum_exp(x.data(), kCount, 0.0F), total, 1e-7 * total);
  for (std::size_t i = 0; i < kCount; ++i) {
    const double exact = std::exp(static_cast<double>(x[i])) / total;
    EXPECT_NEAR(static_cast<double>(out[i]) / sum, exact, 1e-6 * exact);
  }

  // Rotating by an angle and back.
  Floats pair = x;
  Floats cos(kCount / 2), sin(kCount / 2), minus_sin(kCount / 2);
  for (std::size_t i = 0; i < kCount / 2; ++i) {
    cos[i] = std::cos(0.1F * static_cast<float>(i));
    sin[i] = std::sin(0.1F * static_cast<float>(i));
    minus_sin[i] = -sin[i];
  }
  table.rope_neox(pair.data(), cos.data(), sin.data(), kCount / 2);
  const double first = static_cast<double>(x[3]) * std::cos(0.3) -
                       static_cast<double>(x[3 + kCount / 2]) * std::sin(0.3);
  EXPECT_NEAR(static_cast<double>(pair[3]), first, 1e-6);
  table.rope_neox(pair.data(), cos.data(), minus_sin.data(), kCount / 2);
  for (std::size_t i = 0; i < kCount; ++i) EXPECT_NEAR(pair[i], x[i], 2e-6F);
}

// exp() of one float, by the op that shows it bare.
double kernel_exp(const KernelTable& table, float x) { return table.sum_exp(&x, 1, 0.0F); }

// In units of the last place of a float of the exact result's size.
double exp_error_ulp(const KernelTable& table, float x) {
  const double exact = std::exp(static_cast<double>(x));
  const int exponent = std::max(std::ilogb(exact), -126);
  return std::fabs(kernel_exp(table, x) - exact) / std::ldexp(1.0, exponent - 23);
}

TEST(Elementwise, ExpIsWithinItsErrorBound) {
  const KernelTable& table = **select_kernel("");
  double largest = 0.0;
  const auto sweep = [&](float first, float last, int steps) {
    const double step = (static_cast<double>(last) - static_cast<double>(first)) / steps;
    for (int i = 0; i <= steps; ++i) {
      const float x = static_cast<float>(static_cast<double>(first) + step * i);
      largest = std::max(largest, exp_error_ulp(table, x));
    }
  };
  sweep(-87.4F, 88.72F, 1000000);
  sweep(-2.0F, 2.0F, 1000000);
  EXPECT_LE(largest, 1.1) << "the bound of docs/kernels.md";
  largest = 0.0;
  sweep(-104.0F, -87.3F, 200000);  // subnormal results
  EXPECT_LE(largest, 1.0);
}

TEST(Elementwise, ExpOfTheEndsOfTheRange) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for_each_supported_table([](const KernelTable& table) {
    EXPECT_EQ(kernel_exp(table, 0.0F), 1.0);
    EXPECT_EQ(kernel_exp(table, -0.0F), 1.0);
    EXPECT_EQ(kernel_exp(table, -kInf), 0.0);
    EXPECT_EQ(kernel_exp(table, -1e30F), 0.0);
    EXPECT_EQ(kernel_exp(table, -104.0F), 0.0);
    EXPECT_EQ(kernel_exp(table, kInf), static_cast<double>(kInf));
    EXPECT_EQ(kernel_exp(table, 1e30F), static_cast<double>(kInf));
    EXPECT_EQ(kernel_exp(table, 89.0F), static_cast<double>(kInf));
    EXPECT_TRUE(std::isfinite(kernel_exp(table, 88.72F)));
    EXPECT_TRUE(std::isnan(kernel_exp(table, std::numeric_limits<float>::quiet_NaN())));
    // Monotone over the step between two exponents.
    float x = std::nextafter(0.34657F, 0.0F);
    for (int i = 0; i < 1000; ++i) {
      const float next = std::nextafter(x, 1.0F);
      EXPECT_LE(kernel_exp(table, x), kernel_exp(table, next));
      x = next;
    }
  });
}

}  // namespace
}  // namespace bankai::kernels
