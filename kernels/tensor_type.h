// The tensor types of GGUF that this program can read, as one list.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bankai::kernels {

enum class TensorType : std::uint32_t {  // the values are GGUF's type ids
  kF32 = 0,
  kF16 = 1,
  kQ8_0 = 8,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kI2_S = 36,
  kQ1_0 = 41,
  kQ2_0 = 42,
  kPQ2_0 = 142,  // also what files of the first Prism converter hold under id 42
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;
  std::size_t block_weights;  // weights per block along a row
  std::size_t block_bytes;
  std::size_t trailer_bytes = 0;  // behind the last row of a tensor
};

inline constexpr std::array<TensorTypeInfo, 10> kTensorTypes = {{
    {TensorType::kF32, "F32", 1, 4},
    {TensorType::kF16, "F16", 1, 2},
    {TensorType::kQ8_0, "Q8_0", 32, 34},
    {TensorType::kBF16, "BF16", 1, 2},
    {TensorType::kTQ1_0, "TQ1_0", 256, 54},
    {TensorType::kTQ2_0, "TQ2_0", 256, 66},
    {TensorType::kI2_S, "I2_S", 128, 32, 32},  // the trailer starts with the tensor's float scale
    {TensorType::kQ1_0, "Q1_0", 128, 18},
    {TensorType::kQ2_0, "Q2_0", 64, 18},
    {TensorType::kPQ2_0, "PQ2_0", 128, 34},
}};

// nullptr for an id that is not in the list.
constexpr const TensorTypeInfo* find_tensor_type(std::uint32_t id) {
  for (const TensorTypeInfo& info : kTensorTypes)
    if (static_cast<std::uint32_t>(info.type) == id) return &info;
  return nullptr;
}

constexpr const TensorTypeInfo& tensor_type_info(TensorType type) {
  return *find_tensor_type(static_cast<std::uint32_t>(type));
}

}  // namespace bankai::kernels
