#include "cli/bench_model.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/model_opening.h"
#include "core/clock.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

// A folder that is removed with all that is in it.
class ScratchFolder {
 public:
  static Result<std::unique_ptr<ScratchFolder>> create() {
    std::error_code problem;
    std::string pattern =
        (std::filesystem::temp_directory_path(problem) / "bankai-bench-XXXXXX").string();
    if (problem || mkdtemp(pattern.data()) == nullptr)
      return make_error(ErrorCode::kIo, "cannot create a temporary folder %s", pattern.c_str());
    return std::unique_ptr<ScratchFolder>(new ScratchFolder(pattern));
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

void for_each_matrix(const model::Model& model,
                     const std::function<void(const model::WeightMatrix&)>& visit) {
  for (std::size_t i = 0; i < model.parameters().num_layers; ++i) {
    const model::LayerWeights& layer = model.layer(i);
    for (const model::WeightMatrix* matrix : {&layer.query, &layer.key, &layer.value, &layer.output,
                                              &layer.gate, &layer.up, &layer.down})
      visit(*matrix);
  }
}

}  // namespace

Result<ModelKind> bench_model_kind(const BenchOptions& options) {
  if (options.binary_shape != nullptr) return ModelKind::kBit1;
  if (options.residual_shape != nullptr) return ModelKind::kBinaryResidual;
  if (options.shape != nullptr) return ModelKind::kGguf;
  return detect_model_kind(options.model);
}

std::string bench_name(const BenchOptions& options) {
  for (const model::BinaryShapeName* shape : {options.binary_shape, options.residual_shape})
    if (shape != nullptr) return "random " + std::string(shape->name);
  return options.model;
}

Status report_written(const std::string& name, const std::string& path, bool json) {
  std::error_code problem;
  const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(path, problem));
  if (problem) return make_error(ErrorCode::kIo, "%s: %s", path.c_str(), problem.message().c_str());
  if (json)
    print_json_line(nlohmann::ordered_json{{"model", path}, {"model_bytes", bytes}});
  else
    std::cout << format("wrote %s: %s, %zu bytes\n", path.c_str(), name.c_str(), bytes);
  return {};
}

Result<BenchModel> open_bench_model(const BenchOptions& options, const model::LoadOptions& load,
                                    Overwrite overwrite, Progress& progress) {
  BenchModel bench;
  bench.name = options.model;
  std::string path = options.model;
  std::unique_ptr<ScratchFolder> scratch;
  if (options.shape != nullptr) {
    bench.name = format("random-%s-%s", std::string(options.shape->name).c_str(),
                        std::string(kernels::tensor_type_info(options.weights).name).c_str());
    path = options.save;
    if (path.empty()) {
      BANKAI_ASSIGN_OR_RETURN(scratch, ScratchFolder::create());
      path = scratch->path() + "/" + bench.name + ".gguf";
    }
    const auto show = [&](std::uint64_t written, std::uint64_t total) {
      progress.update("writing " + bench.name,
                      static_cast<double>(written) / static_cast<double>(total));
    };
    BANKAI_RETURN_IF_ERROR(model::write_random_model(*options.shape, options.weights, options.seed,
                                                     path, overwrite, show));
  }
  progress.update("loading", -1.0);
  const Stopwatch clock;
  BANKAI_ASSIGN_OR_RETURN(model::GgufFile file, open_model_file(path, load.threads));
  BANKAI_ASSIGN_OR_RETURN(bench.model, model::Model::from_file(std::move(file), load));
  bench.load_seconds = clock.seconds();
  return bench;
}

std::uint64_t layer_weights(const model::Model& model) {
  std::uint64_t count = 0;
  for_each_matrix(model, [&](const model::WeightMatrix& matrix) {
    count += matrix.weights.rows * matrix.weights.cols;
  });
  return count;
}

std::uint64_t head_weights(const model::Model& model) {
  return model.head().weights.rows * model.head().weights.cols;
}

std::uint64_t weight_bytes_per_token(const model::Model& model) {
  std::uint64_t bytes = 0;
  const auto add = [&](const model::WeightMatrix& matrix) {
    bytes += matrix.panels.lines != nullptr ? kernels::panels_bytes(matrix.panels)
                                            : matrix.weights.rows * matrix.weights.row_bytes;
  };
  add(model.head());
  for_each_matrix(model, add);
  return bytes;
}

}  // namespace bankai::cli
