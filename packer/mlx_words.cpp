#include "packer/mlx_words.h"

#include <cstring>

#include "core/format.h"
#include "kernels/half.h"

namespace bankai::packer {
namespace {

using model::SafetensorsTensor;
using model::SafetensorsType;

constexpr std::size_t kWordBits = 32;
constexpr std::size_t kGroupBytes = MlxMatrix::kGroup / 8;

Result<const SafetensorsTensor*> find_halves(const model::SafetensorsSet& set,
                                             const std::string& name, std::uint64_t rows,
                                             std::uint64_t groups) {
  const SafetensorsTensor* tensor = set.find(name);
  if (tensor == nullptr)
    return make_error(ErrorCode::kBadInput, "tensor %s is missing", bankai::quoted(name).c_str());
  const bool is_half =
      tensor->type == SafetensorsType::kF16 || tensor->type == SafetensorsType::kBF16;
  if (!is_half || tensor->shape != std::vector<std::uint64_t>{rows, groups})
    return make_error(ErrorCode::kBadInput, "tensor %s: expected F16 or BF16 of %llu × %llu",
                      bankai::quoted(name).c_str(), static_cast<unsigned long long>(rows),
                      static_cast<unsigned long long>(groups));
  return tensor;
}

float half_at(const SafetensorsTensor& tensor, std::size_t index) {
  float value = 0.0F;
  model::widen_elements(tensor.type, tensor.data.data() + 2 * index, 1, &value);
  return value;
}

bool is_symmetric(float scale, float bias) {
  // Minus the bias must also be a half, which a bfloat16 need not be. NaN is unequal to itself.
  return scale == -2.0F * bias && kernels::f16_to_float(kernels::float_to_f16(bias)) == bias;
}

}  // namespace

Result<std::optional<MlxMatrix>> MlxMatrix::find(const model::SafetensorsSet& set,
                                                 const std::string& name) {
  if (set.find(name + ".scales") == nullptr) return std::optional<MlxMatrix>();
  const std::string words_name = name + ".weight";
  const SafetensorsTensor* words = set.find(words_name);
  constexpr std::size_t kWordsOfGroup = kGroup / kWordBits;
  if (words == nullptr || words->type != SafetensorsType::kU32 || words->shape.size() != 2 ||
      words->shape[1] % kWordsOfGroup != 0)
    return make_error(ErrorCode::kBadInput,
                      "tensor %s: expected U32 words in whole groups of %zu bits, as %s.scales "
                      "tells",
                      bankai::quoted(words_name).c_str(), kGroup, name.c_str());
  MlxMatrix matrix;
  matrix.words_ = words;
  matrix.rows_ = static_cast<std::size_t>(words->shape[0]);
  matrix.groups_ = static_cast<std::size_t>(words->shape[1]) / kWordsOfGroup;
  BANKAI_ASSIGN_OR_RETURN(matrix.scales_,
                          find_halves(set, name + ".scales", matrix.rows_, matrix.groups_));
  BANKAI_ASSIGN_OR_RETURN(matrix.biases_,
                          find_halves(set, name + ".biases", matrix.rows_, matrix.groups_));
  return std::optional<MlxMatrix>(matrix);
}

std::uint64_t MlxMatrix::bytes() const {
  return words_->data.size() + scales_->data.size() + biases_->data.size();
}

float MlxMatrix::scale(std::size_t row, std::size_t group) const {
  return half_at(*scales_, row * groups_ + group);
}
float MlxMatrix::bias(std::size_t row, std::size_t group) const {
  return half_at(*biases_, row * groups_ + group);
}
const std::byte* MlxMatrix::words(std::size_t row, std::size_t group) const {
  return words_->data.data() + (row * groups_ + group) * kGroupBytes;
}

MlxMatrix::Asymmetry MlxMatrix::asymmetry() const {
  Asymmetry found;
  for (std::size_t row = 0; row < rows_; ++row)
    for (std::size_t group = 0; group < groups_; ++group) {
      const float s = scale(row, group);
      const float b = bias(row, group);
      if (is_symmetric(s, b)) continue;
      if (found.groups++ == 0) found = {1, row, group, s, b};
    }
  return found;
}

// Words are little-endian, so their bytes are Q1_0's.
void MlxMatrix::encode_q1_0(std::size_t row, std::uint8_t* blocks) const {
  for (std::size_t group = 0; group < groups_; ++group) {
    const std::uint16_t scale_half = kernels::float_to_f16(-bias(row, group));
    std::memcpy(blocks, &scale_half, sizeof scale_half);
    std::memcpy(blocks + sizeof scale_half, words(row, group), kGroupBytes);
    blocks += sizeof scale_half + kGroupBytes;
  }
}

void MlxMatrix::widen(std::size_t row, float* out) const {
  for (std::size_t group = 0; group < groups_; ++group) {
    const float low = bias(row, group);
    const float high = scale(row, group) + low;
    const std::byte* bytes = words(row, group);
    for (std::size_t j = 0; j < kGroup; ++j)
      *out++ = (std::to_integer<unsigned>(bytes[j / 8]) >> (j % 8) & 1U) != 0 ? high : low;
  }
}

}  // namespace bankai::packer
