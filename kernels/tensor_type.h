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
  kQ1_0 = 41,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;
  std::size_t block_weights;  // weights per block along a row
  std::size_t block_bytes;
};

inline constexpr std::array<TensorTypeInfo, 5> kTensorTypes = {{
    {TensorType::kF32, "F32", 1, 4},
    {TensorType::kF16, "F16", 1, 2},
    {TensorType::kQ8_0, "Q8_0", 32, 34},
    {TensorType::kBF16, "BF16", 1, 2},
    {TensorType::kQ1_0, "Q1_0", 128, 18},
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
