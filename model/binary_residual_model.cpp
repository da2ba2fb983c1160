#include "model/binary_residual_model.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "core/counter_rng.h"
#include "model/binary_residual_parts.h"
#include "model/gguf_writer.h"

namespace bankai::model {
namespace {

constexpr std::size_t kBlockCols =
    128;  // of a Q1_0 block: a half-precision scale, 16 bytes of bits
constexpr std::size_t kBlockBytes = 18;
constexpr std::uint16_t kHalfOne = 0x3C00;
constexpr std::uint64_t kMostSize = 1U << 24U;

std::string key(const char* name) { return std::string(kBinaryResidualArchitecture) + "." + name; }

Status read_size(const GgufFile& file, const char* name, std::uint64_t most, std::size_t multiple,
                 std::size_t& size) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t value, file.get_unsigned(key(name)));
  if (value < 1 || value > most || value % multiple != 0)
    return make_error(
        ErrorCode::kBadInput, "%s: key '%s' is %llu, expected 1 to %llu and a multiple of %zu",
        file.path().c_str(), key(name).c_str(), static_cast<unsigned long long>(value),
        static_cast<unsigned long long>(most), multiple);
  size = static_cast<std::size_t>(value);
  return {};
}

// One of two words; absent: the first.
Status read_choice(const GgufFile& file, const char* name, const char* first, const char* second,
                   bool& is_second) {
  BANKAI_ASSIGN_OR_RETURN(const std::string word, file.get_string(key(name), std::string(first)));
  if (word != first && word != second)
    return make_error(ErrorCode::kUnsupported, "%s: key '%s' is %s, expected %s or %s",
                      file.path().c_str(), key(name).c_str(), quoted(word).c_str(), first, second);
  is_second = word == second;
  return {};
}

Status read_rules(const GgufFile& file, BinaryResidualRules& rules) {
  BANKAI_RETURN_IF_ERROR(
      read_choice(file, "block", "sequential", "parallel", rules.parallel_block));
  BANKAI_RETURN_IF_ERROR(read_choice(file, "affine", "scale-then-offset", "offset-then-scale",
                                     rules.offset_before_scale));
  BANKAI_RETURN_IF_ERROR(
      read_choice(file, "sum_scale", "none", "inverse-root", rules.divide_by_root));
  bool is_latest = false;
  BANKAI_RETURN_IF_ERROR(read_choice(file, "attention.tie", "earliest", "latest", is_latest));
  rules.tie = is_latest ? TieRule::kLatest : TieRule::kEarliest;
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t denominator,
                          file.get_unsigned(key("attention.slope_denominator"), 1));
  BANKAI_ASSIGN_OR_RETURN(const double epsilon,
                          file.get_float(key("attention.layer_norm_rms_epsilon"), 1e-5));
  if (denominator < 1 || denominator > (1U << 20U) || !(epsilon >= 0.0 && epsilon <= 1.0))
    return make_error(ErrorCode::kBadInput,
                      "%s: slope denominator %llu, epsilon %g; expected 1 to 1048576, and 0 to 1",
                      file.path().c_str(), static_cast<unsigned long long>(denominator), epsilon);
  rules.slope_denominator = static_cast<std::uint32_t>(denominator);
  rules.epsilon = static_cast<float>(epsilon);
  return {};
}

Status read_slopes(const GgufFile& file, BinaryResidualModel& model) {
  const std::string name = key("attention.slopes");
  const GgufValue* value = file.find_value(name);
  if (value == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: key '%s' is missing", file.path().c_str(),
                      name.c_str());
  Result<std::vector<std::int64_t>> slopes = value->as_integers();
  if (!slopes.ok()) return with_context(std::move(slopes).error(), file.path());
  if (slopes->size() != model.shape.num_heads)
    return make_error(ErrorCode::kBadInput,
                      "%s: key '%s' has %zu values, expected one per head: %zu",
                      file.path().c_str(), name.c_str(), slopes->size(), model.shape.num_heads);
  for (const std::int64_t slope : *slopes) {
    if (slope != static_cast<std::int32_t>(slope))
      return make_error(ErrorCode::kBadInput, "%s: key '%s' has %lld, expected 32 bits",
                        file.path().c_str(), name.c_str(), static_cast<long long>(slope));
    model.slopes.push_back(static_cast<std::int32_t>(slope));
  }
  return {};
}

Result<const GgufTensor*> find_tensor(const GgufFile& file, const std::string& name,
                                      kernels::TensorType type, std::size_t rows,
                                      std::size_t cols) {
  const GgufTensor* tensor = file.find_tensor(name);
  if (tensor == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: tensor '%s' is missing", file.path().c_str(),
                      name.c_str());
  if (tensor->type != type || tensor->cols() != cols || tensor->rows() != rows)
    return make_error(ErrorCode::kBadInput,
                      "%s: tensor '%s' at offset %llu is %zu x %zu of %s, expected %zu x %zu of %s",
                      file.path().c_str(), name.c_str(),
                      static_cast<unsigned long long>(tensor->offset), tensor->rows(),
                      tensor->cols(),
                      std::string(kernels::tensor_type_info(tensor->type).name).c_str(), rows, cols,
                      std::string(kernels::tensor_type_info(type).name).c_str());
  return tensor;
}

Status read_floats(const GgufFile& file, const std::string& name, std::size_t rows,
                   std::size_t cols, std::vector<float>& values) {
  BANKAI_ASSIGN_OR_RETURN(const GgufTensor* tensor,
                          find_tensor(file, name, kernels::TensorType::kF32, rows, cols));
  values.resize(rows * cols);
  std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return {};
}

Status read_channels(const GgufFile& file, const std::string& name, std::size_t rows,
                     std::size_t cols, BinaryChannels& channels) {
  BANKAI_ASSIGN_OR_RETURN(
      const GgufTensor* tensor,
      find_tensor(file, name + ".weight", kernels::TensorType::kQ1_0, rows, cols));
  channels.weights = {rows, cols, std::vector<std::uint64_t>(rows * cols / 64)};
  for (std::size_t block = 0; block < rows * cols / kBlockCols; ++block) {
    const std::byte* from = tensor->data.data() + block * kBlockBytes;
    std::uint16_t scale = 0;
    std::memcpy(&scale, from, sizeof scale);
    if (scale != kHalfOne)
      return make_error(ErrorCode::kBadInput,
                        "%s: tensor '%s.weight': scale at offset %llu is 0x%04x, expected 0x3c00 "
                        "(1): scales are per channel here",
                        file.path().c_str(), name.c_str(),
                        static_cast<unsigned long long>(tensor->offset + block * kBlockBytes),
                        static_cast<unsigned int>(scale));
    std::memcpy(channels.weights.bits.data() + block * 2, from + 2, kBlockCols / 8);
  }
  BANKAI_RETURN_IF_ERROR(read_floats(file, name + ".scale", 1, rows, channels.scale));
  return read_floats(file, name + ".bias", 1, rows, channels.offset);
}

std::vector<std::byte> encode_blocks(const BinaryMatrix& weights) {
  std::vector<std::byte> blocks(weights.bits.size() / 2 * kBlockBytes);
  for (std::size_t block = 0; block < weights.bits.size() / 2; ++block) {
    std::memcpy(blocks.data() + block * kBlockBytes, &kHalfOne, 2);
    std::memcpy(blocks.data() + block * kBlockBytes + 2, weights.bits.data() + 2 * block, 16);
  }
  return blocks;
}

void add_keys(const BinaryResidualModel& model, GgufBuilder& builder) {
  const BinaryShape& shape = model.shape;
  const BinaryResidualRules& rules = model.rules;
  builder.add_string("general.architecture", kBinaryResidualArchitecture);
  const std::pair<const char*, std::size_t> sizes[] = {{"vocab_size", shape.vocabulary},
                                                       {"embedding_length", shape.width},
                                                       {"block_count", shape.num_layers},
                                                       {"attention.head_count", shape.num_heads},
                                                       {"feed_forward_length", shape.feed_forward},
                                                       {"context_length", shape.context}};
  for (const auto& [name, size] : sizes)
    builder.add<std::uint32_t>(key(name), static_cast<std::uint32_t>(size));
  builder.add_string(key("block"), rules.parallel_block ? "parallel" : "sequential");
  builder.add_string(key("affine"),
                     rules.offset_before_scale ? "offset-then-scale" : "scale-then-offset");
  builder.add_string(key("sum_scale"), rules.divide_by_root ? "inverse-root" : "none");
  builder.add_string(key("attention.tie"), rules.tie == TieRule::kLatest ? "latest" : "earliest");
  builder.add_array<std::int32_t>(key("attention.slopes"), model.slopes);
  builder.add<std::uint32_t>(key("attention.slope_denominator"), rules.slope_denominator);
  builder.add<float>(key("attention.layer_norm_rms_epsilon"), rules.epsilon);
}

}  // namespace

Result<BinaryResidualModel> read_binary_residual(const GgufFile& file) {
  BinaryResidualModel model;
  BinaryShape& shape = model.shape;
  BANKAI_ASSIGN_OR_RETURN(const std::string architecture, file.get_string("general.architecture"));
  if (architecture != kBinaryResidualArchitecture)
    return make_error(ErrorCode::kUnsupported, "%s: architecture %s, expected %s",
                      file.path().c_str(), quoted(architecture).c_str(),
                      kBinaryResidualArchitecture);
  BANKAI_RETURN_IF_ERROR(read_size(file, "vocab_size", kMostSize, 1, shape.vocabulary));
  BANKAI_RETURN_IF_ERROR(read_size(file, "embedding_length", kMostSize, kBlockCols, shape.width));
  BANKAI_RETURN_IF_ERROR(
      read_size(file, "block_count", file.tensors().size() + 1, 1, shape.num_layers));
  BANKAI_RETURN_IF_ERROR(read_size(file, "attention.head_count", shape.width, 1, shape.num_heads));
  if (shape.width % shape.num_heads != 0)
    return make_error(ErrorCode::kBadInput, "%s: %zu heads, expected a divisor of the width %zu",
                      file.path().c_str(), shape.num_heads, shape.width);
  BANKAI_RETURN_IF_ERROR(
      read_size(file, "feed_forward_length", kMostSize, kBlockCols, shape.feed_forward));
  BANKAI_RETURN_IF_ERROR(read_size(file, "context_length", UINT32_MAX, 1, shape.context));
  BANKAI_RETURN_IF_ERROR(read_rules(file, model.rules));
  BANKAI_RETURN_IF_ERROR(read_slopes(file, model));
  model.layers.resize(shape.num_layers);
  Status status;
  for_each_part(
      model,
      [&](const std::string& name, std::vector<float>& values, std::size_t rows, std::size_t cols) {
        if (status.ok()) status = read_floats(file, name, rows, cols, values);
      },
      [&](const std::string& name, BinaryChannels& channels, std::size_t rows, std::size_t cols) {
        if (status.ok()) status = read_channels(file, name, rows, cols, channels);
      });
  BANKAI_RETURN_IF_ERROR(status);
  return model;
}

Status write_binary_residual(const BinaryResidualModel& model, const std::string& path,
                             Overwrite overwrite) {
  GgufBuilder builder;
  add_keys(model, builder);
  std::vector<std::function<std::vector<std::byte>()>> contents;
  const auto add_floats = [&](const std::string& name, const std::vector<float>& values,
                              std::size_t rows, std::size_t cols) {
    std::vector<std::uint64_t> dims{cols};
    if (rows > 1) dims.push_back(rows);
    builder.add_tensor({name, kernels::TensorType::kF32, dims, {}});
    contents.emplace_back([&values] {
      const auto bytes = std::as_bytes(std::span(values));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    });
  };
  for_each_part(
      model, add_floats,
      [&](const std::string& name, const BinaryChannels& channels, std::size_t rows,
          std::size_t cols) {
        builder.add_tensor({name + ".weight", kernels::TensorType::kQ1_0, {cols, rows}, {}});
        contents.emplace_back([&channels] { return encode_blocks(channels.weights); });
        add_floats(name + ".scale", channels.scale, 1, rows);
        add_floats(name + ".bias", channels.offset, 1, rows);
      });
  return builder.write(path, overwrite, [&](std::size_t index, GgufTensorSink& sink) {
    return sink.write(contents[index]());
  });
}

BinaryResidualModel random_binary_residual(const BinaryShape& shape,
                                           const BinaryResidualRules& rules, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::uint64_t next = 0;
  BinaryResidualModel model;
  model.shape = shape;
  model.rules = rules;
  for (std::size_t h = 0; h < shape.num_heads; ++h)
    model.slopes.push_back(std::int32_t{1} << h % 4);
  model.layers.resize(shape.num_layers);
  // In [middle − spread, middle + spread).
  const auto draw = [&](std::size_t count, double middle, double spread) {
    std::vector<float> values(count);
    for (float& value : values)
      value = static_cast<float>(middle + spread * (2.0 * rng.uniform(next++) - 1.0));
    return values;
  };
  for_each_part(
      model,
      [&](const std::string& name, std::vector<float>& values, std::size_t rows, std::size_t cols) {
        const bool is_norm = name.find("norm") != std::string::npos;
        values = draw(rows * cols, is_norm ? 1.0 : 0.0, is_norm ? 0.1 : 1.0);
      },
      [&](const std::string&, BinaryChannels& channels, std::size_t rows, std::size_t cols) {
        channels.weights = {rows, cols, std::vector<std::uint64_t>(rows * cols / 64)};
        for (std::uint64_t& word : channels.weights.bits) word = rng.bits(next++);
        channels.scale = draw(rows, 0.05, 0.02);
        channels.offset = draw(rows, 0.0, 0.3);
      });
  return model;
}

}  // namespace bankai::model
