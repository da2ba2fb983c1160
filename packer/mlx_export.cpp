#include "packer/mlx_export.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "core/format.h"
#include "kernels/half.h"
#include "model/gguf_file.h"
#include "model/safetensors_writer.h"
#include "model/tensor_names.h"
#include "model/tokenizer.h"
#include "packer/hf_config.h"
#include "packer/hf_names.h"
#include "packer/hf_write.h"
#include "packer/pack_model.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;
using model::GgufFile;
using model::GgufTensor;
using model::SafetensorsPart;
using model::SafetensorsSpec;
using model::SafetensorsType;

constexpr std::size_t kGroup = 128;
constexpr std::size_t kBlockBytes = 18;
constexpr std::size_t kRowsAtOnce = 64;

std::optional<SafetensorsType> float_type(TensorType type) {
  switch (type) {
    case TensorType::kF32: return SafetensorsType::kF32;
    case TensorType::kF16: return SafetensorsType::kF16;
    case TensorType::kBF16: return SafetensorsType::kBF16;
    default: return std::nullopt;
  }
}

enum class Part : std::uint8_t { kWhole, kWords, kScales, kBiases };

struct Output {
  const GgufTensor* tensor = nullptr;
  Part part = Part::kWhole;
  bool joins_halves = false;  // rows leave the order of rotated neighbours
};

class Exporter {
 public:
  Exporter(const GgufFile& file, const HfFamily& family, const model::Hyperparameters& parameters)
      : file_(file), family_(family), parameters_(parameters) {}

  // Decides on every tensor's name and parts.
  Status plan() {
    for (const GgufTensor& tensor : file_.tensors()) {
      const std::string name = hf_name(tensor.name);
      if (name.empty())
        return make_error(ErrorCode::kUnsupported, "tensor %s has no name among checkpoints",
                          bankai::quoted(tensor.name).c_str());
      const auto address = model::parse_gguf_tensor_name(tensor.name);
      const bool joins =
          family_.interleaves_rows && address &&
          (address->projection == Projection::kQuery || address->projection == Projection::kKey);
      const std::size_t head_dim = parameters_.head_dim;
      if (joins && (head_dim % 2 != 0 || tensor.rows() % head_dim != 0))
        return make_error(ErrorCode::kBadInput, "tensor %s has %zu rows, which are no heads of %zu",
                          bankai::quoted(tensor.name).c_str(), tensor.rows(), head_dim);
      const std::vector<std::uint64_t> shape(tensor.dims.rbegin(), tensor.dims.rend());
      if (const auto type = float_type(tensor.type)) {
        add({name + ".weight", *type, shape}, {&tensor, Part::kWhole, joins});
        continue;
      }
      if (tensor.type != TensorType::kQ1_0 || shape.size() != 2)
        return make_error(ErrorCode::kUnsupported,
                          "tensor %s is %s; only Q1_0 and floats can be written as MLX's words",
                          bankai::quoted(tensor.name).c_str(),
                          std::string(kernels::tensor_type_info(tensor.type).name).c_str());
      BANKAI_RETURN_IF_ERROR(check_scales(tensor));
      add({name + ".weight", SafetensorsType::kU32, {shape[0], shape[1] / 32}},
          {&tensor, Part::kWords, joins});
      const std::vector<std::uint64_t> groups = {shape[0], shape[1] / kGroup};
      add({name + ".scales", SafetensorsType::kF16, groups}, {&tensor, Part::kScales, joins});
      add({name + ".biases", SafetensorsType::kF16, groups}, {&tensor, Part::kBiases, joins});
    }
    return {};
  }

  Status write(const std::string& path, Overwrite overwrite) const {
    return model::write_safetensors(path, overwrite, specs_, {{"format", "mlx"}},
                                    [this](std::size_t index, const SafetensorsPart& part) {
                                      return write_output(outputs_[index], part);
                                    });
  }

  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const SafetensorsSpec& spec : specs_) {
      std::uint64_t count = model::safetensors_type_info(spec.type).bytes;
      for (const std::uint64_t dim : spec.shape) count *= dim;
      sum += count;
    }
    return sum;
  }

 private:
  void add(SafetensorsSpec spec, Output output) {
    specs_.push_back(std::move(spec));
    outputs_.push_back(output);
  }

  // Without ".weight"; empty if there is none.
  std::string hf_name(std::string_view name) const {
    const std::string prefix(family_.prefix);
    if (name == "output_norm.weight") return prefix + std::string(kHfNorm);
    const auto address = model::parse_gguf_tensor_name(name);
    if (address && address->projection == Projection::kEmbedding)
      return prefix + std::string(kHfEmbedding);
    if (address && address->projection == Projection::kHead) return std::string(kHfHead);
    for (std::size_t layer = 0; layer < parameters_.num_layers; ++layer) {
      const std::string hf = prefix + "layers." + std::to_string(layer) + ".";
      const std::string block = "blk." + std::to_string(layer) + ".";
      if (!name.starts_with(block)) continue;
      for (const HfMatrixName& matrix : kHfMatrices)
        if (address && address->projection == matrix.projection) return hf + std::string(matrix.hf);
      for (const HfVectorName& vector : kHfVectors)
        if (name == block + std::string(vector.gguf) + ".weight")
          return hf + std::string(vector.hf);
    }
    return {};
  }

  static std::uint16_t scale_at(const GgufTensor& tensor, std::size_t block) {
    std::uint16_t scale = 0;
    std::memcpy(&scale, tensor.data.data() + block * kBlockBytes, sizeof scale);
    return scale;
  }

  // MLX stores twice the scale, and a NaN would not be symmetric.
  static Status check_scales(const GgufTensor& tensor) {
    const std::size_t blocks = tensor.data.size() / kBlockBytes;
    for (std::size_t block = 0; block < blocks; ++block) {
      const float scale = kernels::f16_to_float(scale_at(tensor, block));
      if (std::fabs(scale) <= 32752.0F) continue;
      return make_error(ErrorCode::kUnsupported,
                        "tensor %s, row %zu: twice the scale %g is no half precision number",
                        bankai::quoted(tensor.name).c_str(), block * kGroup / tensor.cols(),
                        static_cast<double>(scale));
    }
    return {};
  }

  Status write_output(const Output& output, const SafetensorsPart& write) const {
    const GgufTensor& tensor = *output.tensor;
    const std::size_t rows = tensor.rows();
    const std::size_t row_bytes = tensor.data.size() / rows;
    std::vector<std::byte> portion;
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t from =
          output.joins_halves ? neighbours_row(row, parameters_.head_dim) : row;
      append(output.part, tensor.data.subspan(from * row_bytes, row_bytes), portion);
      if ((row + 1) % kRowsAtOnce != 0 && row + 1 != rows) continue;
      BANKAI_RETURN_IF_ERROR(write(portion));
      portion.clear();
    }
    file_.release(tensor.data);
    return {};
  }

  static void append(Part part, std::span<const std::byte> row, std::vector<std::byte>& out) {
    if (part == Part::kWhole) {
      out.insert(out.end(), row.begin(), row.end());
      return;
    }
    for (; !row.empty(); row = row.subspan(kBlockBytes)) {
      if (part == Part::kWords) {
        out.insert(out.end(), row.begin() + 2, row.begin() + kBlockBytes);
        continue;
      }
      std::uint16_t half = 0;
      std::memcpy(&half, row.data(), sizeof half);
      const float scale = kernels::f16_to_float(half);
      half = kernels::float_to_f16(part == Part::kScales ? 2.0F * scale : -scale);
      const auto bytes = std::as_bytes(std::span(&half, 1));
      out.insert(out.end(), bytes.begin(), bytes.end());
    }
  }

  const GgufFile& file_;
  const HfFamily& family_;
  const model::Hyperparameters& parameters_;
  std::vector<SafetensorsSpec> specs_;
  std::vector<Output> outputs_;
};

}  // namespace

Result<ImportReport> export_mlx(const std::string& input, const std::string& folder,
                                Overwrite overwrite, const ImportOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(const GgufFile file, open_gguf_or_pack(input, options.threads));
  BANKAI_ASSIGN_OR_RETURN(const model::Hyperparameters parameters,
                          model::read_hyperparameters(file));
  BANKAI_ASSIGN_OR_RETURN(const model::TokenizerMetadata tokenizer,
                          model::read_tokenizer_metadata(file));
  // Ids and types that belong together.
  if (const auto checked = model::Tokenizer::from_metadata(tokenizer); !checked.ok())
    return checked.error();
  const HfFamily* family = find_hf_family(parameters.architecture);
  if (family == nullptr)
    return make_error(ErrorCode::kUnsupported, "%s: the architecture %s has no checkpoints",
                      input.c_str(), parameters.architecture.c_str());
  BANKAI_ASSIGN_OR_RETURN(const std::string tokens, tokenizer_json(tokenizer));
  Exporter exporter(file, *family, parameters);
  if (const Status planned = exporter.plan(); !planned.ok())
    return with_context(planned.error(), input);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return make_error(ErrorCode::kIo, "%s: %s", folder.c_str(), error.message().c_str());
  const std::filesystem::path base(folder);
  if (options.progress) options.progress(0, exporter.bytes(), "model.safetensors");
  BANKAI_RETURN_IF_ERROR(exporter.write((base / "model.safetensors").string(), overwrite));
  const bool tied = file.find_tensor(model::gguf_tensor_name({0, Projection::kHead})) == nullptr;
  const std::pair<const char*, std::string> files[] = {
      {"config.json", config_json(*family, parameters, tied, tokenizer)},
      {"tokenizer.json", tokens},
      {"tokenizer_config.json", tokenizer_config_json(tokenizer)}};
  for (const auto& [name, text] : files)
    BANKAI_RETURN_IF_ERROR(write_file((base / name).string(), text, overwrite));
  ImportReport report;
  report.architecture = parameters.architecture;
  report.tensors = file.tensors().size();
  for (const GgufTensor& tensor : file.tensors()) report.input_bytes += tensor.data.size();
  report.output_bytes = exporter.bytes();
  return report;
}

}  // namespace bankai::packer
