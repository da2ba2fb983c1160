#include "tests/bfs/demo_data.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/dispatch.h"
#include "tests/support/temp_dir.h"

namespace bankai::bfs {
namespace {

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

testing::SmallShape tiny_shape() {
  return {.name = "tiny",
          .num_layers = 3,
          .embedding = 256,
          .feed_forward = 384,
          .num_heads = 4,
          .num_kv_heads = 2,
          .vocabulary = 600,
          .context = 256,
          .tied = true};
}

}  // namespace

const model::Model& tiny_model() {
  static const auto model = testing::make_small_model(tiny_shape());
  return *model;
}

const model::Model& tiny_bitnet_model() {
  static const auto model = [] {
    testing::SmallShape shape = tiny_shape();
    shape.architecture = "bitnet-b1.58";
    shape.has_scales = true;
    return testing::make_small_model(shape);
  }();
  return *model;
}

std::vector<Probe> demo_probes(const std::string& name, std::size_t first, std::size_t count) {
  const DataSet data =
      value_or_throw(read_data_set(testing::data_path("demo/probes/" + name + ".json")));
  const auto begin = data.probes.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

WeightedData demo_data(const std::string& name, std::size_t first, std::size_t count,
                       double weight) {
  return {{name, demo_probes(name, first, count), {}}, weight};
}

std::vector<TensorAddress> layer_tensors(const std::vector<std::uint32_t>& layers,
                                         const std::vector<Projection>& projections) {
  std::vector<TensorAddress> tensors;
  for (const std::uint32_t layer : layers) {
    for (const ProjectionNames& entry : kProjections) {
      const bool wanted = projections.empty() ? entry.projection < Projection::kEmbedding
                                              : std::find(projections.begin(), projections.end(),
                                                          entry.projection) != projections.end();
      if (wanted) tensors.push_back({layer, entry.projection});
    }
  }
  return tensors;
}

const kernels::KernelTable& best_kernels() { return *value_or_throw(kernels::select_kernel("")); }

model::Transformer make_transformer(const model::Model& model, kernels::ActivationMode mode,
                                    int threads, const kernels::KernelTable& table) {
  return {model, table, model::forward_options(mode, threads)};
}

}  // namespace bankai::bfs
