#include "model/backward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "core/format.h"
#include "model/tensor_names.h"
#include "tests/model/forward_checks.h"
#include "tests/model/gradient_checks.h"
#include "tests/support/reference_transformer.h"

namespace bankai::model {
namespace {

using bankai::testing::make_small_model;
using bankai::testing::ReferenceTransformer;
using bankai::testing::SmallShape;
using kernels::TensorType;

std::vector<SmallShape> shapes() {
  std::vector<SmallShape> shapes(10);
  shapes[0].name = "three heads per key, wider than the embedding";
  shapes[0].num_heads = 6;
  shapes[0].num_kv_heads = 2;
  shapes[1].name = "heads of 80, tied";
  shapes[1].tied = true;
  shapes[1].num_heads = 8;
  shapes[1].num_kv_heads = 2;
  shapes[1].head_dim = 80;
  shapes[2].name = "YaRN, sixteen heads per key";
  shapes[2].num_heads = 16;
  shapes[2].head_dim = 32;
  shapes[2].add_metadata = [](GgufBuilder& builder) {
    builder.add_string("qwen3.rope.scaling.type", "yarn");
    builder.add<float>("qwen3.rope.scaling.factor", 4.0F);
    builder.add<std::uint32_t>("qwen3.rope.scaling.original_context_length", 256);
  };
  shapes[3].name = "a mixture, rotation of half a head";
  shapes[3].types = {TensorType::kQ1_0, TensorType::kF16, TensorType::kQ8_0, TensorType::kBF16,
                     TensorType::kQ1_0, TensorType::kF32, TensorType::kPQ2_0};
  shapes[3].add_metadata = [](GgufBuilder& builder) {
    builder.add<std::uint32_t>("qwen3.rope.dimension_count", 32);
  };
  shapes[4].name = "bitnet";
  shapes[4].architecture = "bitnet";
  shapes[5].name = "bitnet-b1.58 with scales, tied to a float embedding";
  shapes[5].architecture = "bitnet-b1.58";
  shapes[5].tied = true;
  shapes[5].has_scales = true;
  shapes[5].types = {TensorType::kF16, TensorType::kI2_S, TensorType::kQ1_0};
  shapes[6].name = "Q8_0";
  shapes[6].types = {TensorType::kQ8_0};
  shapes[7].name = "one layer, wide";
  shapes[7].num_layers = 1;
  shapes[7].feed_forward = 640;
  shapes[8].name = "llama";
  shapes[8].architecture = "llama";
  shapes[9].name = "qwen2: biases, two keys and values";
  shapes[9].architecture = "qwen2";
  shapes[9].num_heads = 4;
  shapes[9].num_kv_heads = 2;
  for (std::size_t i = 0; i < shapes.size(); ++i) shapes[i].seed = i;
  return shapes;
}

// The objective of the reference, with `change` made to all segments together.
class ReferenceObjective {
 public:
  ReferenceObjective(const Model& model, const GradientProblem& problem)
      : reference_(model.file()), problem_(problem) {}

  // scaled · direction is added to the values at a point of a layer; direction is (tokens, width).
  double operator()(std::size_t layer, const std::string& point,
                    const std::vector<double>& direction, double scale) const {
    double objective = 0.0;
    for (const Segment& segment : problem_.segments) {
      const std::vector<double> logits = reference_.logits(
          std::span(problem_.tokens).subspan(segment.first_token, segment.num_tokens),
          [&](std::size_t at, const std::string& name, std::vector<double>& values) {
            if (at != layer || name != point) return;
            const std::size_t width = values.size() / segment.num_tokens;
            for (std::size_t i = 0; i < values.size(); ++i)
              values[i] += scale * direction[segment.first_token * width + i];
          });
      for (std::size_t i = 0; i < problem_.scored_rows.size(); ++i) {
        const std::size_t row = problem_.scored_rows[i] - segment.first_token;
        if (row >= segment.num_tokens) continue;
        const std::size_t vocabulary = reference_.vocabulary();
        const std::span<const double> some(logits.data() + row * vocabulary, vocabulary);
        objective += some[static_cast<std::size_t>(problem_.targets[i])] - log_total(some);
      }
    }
    return objective;
  }

 private:
  ReferenceTransformer reference_;
  const GradientProblem& problem_;
};

// Random signs for every element of the block, the same for a layer and a point.
std::vector<double> random_signs(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<double> signs;
  for (std::size_t i = 0; i < count; ++i) signs.push_back(rng.below(i, 2) == 0 ? -1.0 : 1.0);
  return signs;
}

TEST(Backward, GradientsAreTheSlopesOfTheReference) {
  const char* const points[] = {"query",  "key",  "value", "query_normed", "key_normed",
                                "output", "gate", "up",    "hidden",       "down"};
  double worst = 0.0;
  for (const SmallShape& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const auto model = make_small_model(shape);
    const GradientProblem problem = some_segments(shape.vocabulary, shape.seed);
    Transformer transformer(*model, best_kernels(), a16());
    const GradientRecorder recorder = record_gradients(transformer, problem);
    const ReferenceObjective objective(*model, problem);
    for (std::size_t layer = 0; layer < shape.num_layers; ++layer) {
      for (const char* point : points) {
        const RecordedArray& gradient = recorder.arrays.at({layer, point});
        const auto signs = random_signs(problem.tokens.size() * gradient.width, layer);
        double expected = 0.0;  // ⟨gradient, signs⟩
        double squares = 0.0;
        for (std::size_t i = 0; i < gradient.values.size(); ++i) {
          const auto g = static_cast<double>(gradient.values[i]);
          const std::size_t at =
              gradient.tokens[i / gradient.width] * gradient.width + i % gradient.width;
          expected += g * signs[at];
          squares += g * g;
        }
        // Central differences with this step are good to 1e-7. What remains is the rounding of
        // activations and gradients to 16 bits, 4e-4 at most. An error e of a gradient g shows
        // against random signs as about |e| beside |g|: a wrong component in a thousand fails.
        constexpr double kStep = 1e-4;
        const double slope =
            (objective(layer, point, signs, kStep) - objective(layer, point, signs, -kStep)) /
            (2.0 * kStep);
        EXPECT_GT(squares, 0.0);
        EXPECT_NEAR(slope, expected, 1e-3 * std::sqrt(squares))
            << "layer " << layer << ", " << point;
        worst = std::max(worst, std::fabs(slope - expected) / std::sqrt(squares));
      }
    }
  }
  RecordProperty("worst_relative_difference", format("%.3g", worst));
}

TEST(Backward, ThreadsAndTablesDoNotMatter) {
  for (const SmallShape& shape : {SmallShape{}, mixed_shape()}) {
    const auto model = make_small_model(shape);
    GradientProblem problem = some_segments(shape.vocabulary, 3);
    problem.add_segment(26, 24, shape.vocabulary, 6);  // attends in several runs
    for (const bool fine : {false, true}) {
      Transformer first(*model, best_kernels(), a16());
      const auto expected = record_gradients(first, problem, {}, {.fine = fine}).arrays;
      int threads = 0;
      for (const kernels::KernelTable* table : runnable_kernels()) {
        threads = threads % 3 + 1;
        Transformer transformer(*model, *table, forward_options(a16().activations, threads));
        EXPECT_EQ(record_gradients(transformer, problem, {}, {.fine = fine}).arrays, expected)
            << table->name << ", " << threads << " threads";
      }
      for (const int count : {2, 3, 8}) {
        Transformer transformer(*model, best_kernels(), forward_options(a16().activations, count));
        EXPECT_EQ(record_gradients(transformer, problem, {}, {.fine = fine}).arrays, expected)
            << count << " threads";
      }
    }
  }
}

TEST(Backward, MemoryDecidesOnlyWhatIsComputedAgain) {
  SmallShape shape;
  shape.num_layers = 5;
  const auto model = make_small_model(shape);
  const GradientProblem problem = some_segments(shape.vocabulary, 4);
  Transformer transformer(*model, best_kernels(), a16());
  const auto expected = record_gradients(transformer, problem).arrays;
  const std::size_t row_bytes = problem.tokens.size() * shape.embedding * sizeof(float);
  std::size_t limit = 0;
  for (int step = 0; step < 40; ++step, limit += row_bytes)
    EXPECT_EQ(record_gradients(transformer, problem, {}, {.memory_limit = limit}).arrays, expected);
}

TEST(Backward, SegmentsDoNotKnowOfEachOther) {
  for (const SmallShape& shape : {SmallShape{}, mixed_shape()}) {
    const auto model = make_small_model(shape);
    Transformer transformer(*model, best_kernels(), a16());
    GradientProblem together = some_segments(shape.vocabulary, 5);
    together.add_segment(50, 0, shape.vocabulary, 8);
    together.add_segment(600, 580, shape.vocabulary, 9);  // more than goes through at a time
    const auto all = record_gradients(transformer, together).arrays;
    const std::size_t lengths[] = {1, 9, 6, 50};
    const std::size_t first_scored[] = {0, 0, 4, 0};
    const std::uint64_t seeds[] = {5, 6, 7, 8};
    for (std::size_t i = 0; i < std::size(lengths); ++i) {
      GradientProblem alone;
      alone.add_segment(lengths[i], first_scored[i], shape.vocabulary, seeds[i]);
      for (const auto& [key, array] : record_gradients(transformer, alone).arrays)
        EXPECT_EQ(all.at(key).rows(together.segments[i].first_token, lengths[i]), array.values)
            << key.second << " of layer " << key.first;
    }
  }
}

// The same arrays, in parts that are told half-layer by half-layer.
TEST(Backward, SlicesDoNotMatter) {
  const auto model = make_small_model(mixed_shape());
  Transformer transformer(*model, best_kernels(), a16());
  const GradientProblem problem = some_segments(299, 14);  // of 1, 9 and 6 tokens
  const GradientRecorder whole = record_gradients(transformer, problem);
  const std::vector<std::vector<IndexRange>> cuts = {
      {{0, 16}}, {{0, 1}, {1, 16}}, {{0, 10}, {10, 16}}, {{0, 1}, {1, 10}, {10, 16}}};
  const std::size_t row_bytes = problem.tokens.size() * 1024;
  for (const std::vector<IndexRange>& slices : cuts)
    for (const std::size_t memory : {std::size_t{0}, 3 * row_bytes, std::size_t{1} << 30U}) {
      const GradientRecorder sliced =
          record_gradients(transformer, problem, {}, {.memory_limit = memory, .slices = slices});
      EXPECT_EQ(sliced.arrays, whole.arrays);
      EXPECT_EQ(sliced.finished, whole.places);
      EXPECT_EQ(sliced.places.size(), slices.size() * whole.places.size());
    }
}

TEST(Backward, ARepeatedRunGivesTheSame) {
  const auto model = make_small_model({});
  Transformer transformer(*model, best_kernels(), a16());
  BackwardPass pass(transformer, std::size_t{1} << 30U);
  const auto record = [&](const GradientProblem& problem) {
    GradientRecorder recorder(model->parameters());
    pass.run(problem.tokens, problem.segments, {}, problem.scored_rows, objective_gradient(problem),
             {}, recorder);
    return recorder.arrays;
  };
  const GradientProblem small = some_segments(299, 1);
  GradientProblem large = some_segments(299, 2);
  large.add_segment(60, 0, 299, 3);
  const auto expected = record(small);
  record(large);
  EXPECT_EQ(record(small), expected);
}

TEST(Backward, VisitsHalfLayersFromTheTopToTheLowest) {
  SmallShape shape;
  shape.num_layers = 3;
  const auto model = make_small_model(shape);
  const GradientProblem problem = some_segments(shape.vocabulary, 2);
  Transformer transformer(*model, best_kernels(), a16());
  const auto all = record_gradients(transformer, problem);
  std::vector<HalfLayerPlace> expected;
  for (std::size_t i = 6; i-- > 0;) {
    expected.push_back({i / 2, i % 2 == 1});
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1} << 30U}) {
      const auto some = record_gradients(transformer, problem, {},
                                         {.memory_limit = limit, .lowest = {i / 2, i % 2 == 1}});
      EXPECT_EQ(some.places, expected);
      for (const auto& [key, array] : some.arrays) EXPECT_EQ(array, all.arrays.at(key));
    }
  }
  EXPECT_EQ(all.places, expected);
}

TEST(Backward, InputsAndOutputsAreThoseOfTheForwardPass) {
  const SmallShape shape = mixed_shape();
  const auto model = make_small_model(shape);
  GradientProblem problem;
  problem.add_segment(12, 0, shape.vocabulary, 1);
  Transformer transformer(*model, best_kernels(), a16());
  const auto arrays = record_gradients(transformer, problem).arrays;
  std::vector<float> x(problem.tokens.size() * shape.embedding);
  transformer.embed(problem.tokens, {}, x.data());
  AttentionProjections attention;
  FfnProjections ffn;
  for (std::size_t layer = 0; layer < shape.num_layers; ++layer) {
    const auto check_added = [&](const char* name, const std::vector<float>& before) {
      const std::vector<float>& added = arrays.at({layer, name}).values;
      for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(added[i], x[i] - before[i]);
    };
    std::vector<float> before = x;
    transformer.project_attention(layer, problem.tokens.size(), x.data(), {}, attention);
    EXPECT_EQ(arrays.at({layer, "query output"}).values, attention.query);
    EXPECT_EQ(arrays.at({layer, "key output"}).values, attention.key);
    EXPECT_EQ(arrays.at({layer, "value output"}).values, attention.value);
    transformer.finish_attention(layer, problem.segments, attention, {}, x.data());
    check_added("output output", before);
    before = x;
    transformer.project_ffn(layer, problem.tokens.size(), x.data(), {}, ffn);
    EXPECT_EQ(arrays.at({layer, "gate output"}).values, ffn.gate);
    EXPECT_EQ(arrays.at({layer, "up output"}).values, ffn.up);
    transformer.activate_ffn(ffn);
    transformer.finish_ffn(layer, problem.tokens.size(), ffn.gate.data(), {}, x.data());
    check_added("down output", before);
    // The inputs, as the products read them: each output is the product with its row of weights.
    for (const char* name : {"query", "output", "gate", "down"}) {
      const RecordedArray& input = arrays.at({layer, std::string(name) + " input"});
      const RecordedArray& output = arrays.at({layer, std::string(name) + " output"});
      const Projection projection = std::string(name) == "query"    ? Projection::kQuery
                                    : std::string(name) == "output" ? Projection::kOutput
                                    : std::string(name) == "gate"   ? Projection::kGate
                                                                    : Projection::kDown;
      const WeightMatrix& matrix =
          *model->find_matrix({static_cast<std::uint32_t>(layer), projection});
      std::vector<float> weights(matrix.weights.cols);
      kernels::widen_row(matrix.weights, 5, weights.data());
      for (std::size_t t = 0; t < input.tokens.size(); ++t) {
        double sum = 0.0;
        for (std::size_t i = 0; i < weights.size(); ++i)
          sum += static_cast<double>(weights[i]) *
                 static_cast<double>(input.values[t * input.width + i]);
        EXPECT_NEAR(static_cast<double>(output.values[t * output.width + 5]), sum, 2e-4) << name;
      }
    }
  }
}

TEST(Backward, CoarseGradientsAreNearFineOnes) {
  const auto model = make_small_model({});
  const GradientProblem problem = some_segments(299, 12);
  Transformer transformer(*model, best_kernels(), a16());
  const auto fine = record_gradients(transformer, problem, {}, {.fine = true}).arrays;
  const auto coarse = record_gradients(transformer, problem, {}, {.fine = false}).arrays;
  EXPECT_EQ(record_gradients(transformer, problem).arrays, fine);
  for (const auto& [key, array] : fine) {
    const std::vector<float>& other = coarse.at(key).values;
    double difference = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < other.size(); ++i) {
      difference += std::pow(static_cast<double>(other[i] - array.values[i]), 2);
      squares += std::pow(static_cast<double>(array.values[i]), 2);
    }
    EXPECT_LE(std::sqrt(difference), 0.03 * std::sqrt(squares)) << key.second;
  }
}

// The gradient of an objective that looks nowhere.
TEST(Backward, WithoutScoredRowsGradientsAreZero) {
  const auto model = make_small_model({});
  GradientProblem problem;
  problem.add_segment(5, 5, 299, 1);
  Transformer transformer(*model, best_kernels(), a16());
  const auto arrays = record_gradients(transformer, problem).arrays;
  for (const char* name : {"query", "value", "gate"})
    for (const float value : arrays.at({0, name}).values) EXPECT_EQ(value, 0.0F);
}

}  // namespace
}  // namespace bankai::model
