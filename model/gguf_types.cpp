#include "model/gguf_types.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <string>
#include <string_view>

#include "core/format.h"

namespace bankai::model {
namespace {

using kernels::TensorType;

constexpr auto kSharedId = static_cast<std::uint32_t>(TensorType::kQ2_0);

struct ForeignType {
  std::uint32_t id;
  std::string_view name;
  std::uint64_t block_weights = 0;  // 0 where the id has one meaning only, so that nothing need
  std::uint64_t block_bytes = 0;    // be measured
  std::string_view advice = {};
};

constexpr std::string_view kConvertAgain =
    "; convert the original model again with a current llama.cpp, which writes Q1_0 as id 41 with "
    "128 weights in 18 bytes";

constexpr std::array<ForeignType, 35> kForeignTypes = {{
    {2, "Q4_0"},
    {3, "Q4_1"},
    {4, "Q4_2 (retired)"},
    {5, "Q4_3 (retired)"},
    {6, "Q5_0"},
    {7, "Q5_1"},
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {12, "Q4_K"},
    {13, "Q5_K"},
    {14, "Q6_K"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {37, "I8_S of BitNet"},
    {38, "TL1 of BitNet"},
    {39, "MXFP4 (or TL2 of BitNet)"},
    {40, "NVFP4", 64, 36},
    {40, "Q1_0 of the first Prism files (32 weights in 6 bytes)", 32, 6, kConvertAgain},
    {42, "Q2_0 (64 weights in 18 bytes)", 64, 18},
    {42, "PQ2_0, the Q2_0 of the first Prism files (128 weights in 34 bytes)", 128, 34},
    {143, "PTQ1_0 of Prism"},
}};

std::string readable_types() {
  std::string names;
  for (const kernels::TensorTypeInfo& info : kernels::kTensorTypes)
    names.append(names.empty() ? "" : ", ").append(info.name);
  return names;
}

// The names of all entries of the id that pass, with "or" between them, and their advice.
template <typename Accept>
std::string names_of(std::uint32_t id, Accept accept) {
  std::string names;
  std::string advice;
  for (const ForeignType& type : kForeignTypes) {
    if (type.id != id || !accept(type)) continue;
    names.append(names.empty() ? "" : " or ").append(type.name);
    advice.append(type.advice);
  }
  return names + advice;
}

// Of the layouts that an id can stand for, those that fit the extent.
std::string measured_names(std::uint32_t id, const TensorExtent& extent) {
  return names_of(id, [&extent](const ForeignType& type) {
    return type.block_weights == 0 || fits(extent, type.block_weights, type.block_bytes);
  });
}

// Why an id has no meaning here.
Error unsupported_type(std::uint32_t id, const TensorExtent& extent) {
  const std::string names = names_of(id, [](const ForeignType&) { return true; });
  const std::string measured = measured_names(id, extent);
  std::string found = format("type id %" PRIu32, id);
  if (names.empty())
    found += " is not known";
  else if (measured.empty())
    found += format(" with %" PRIu64 " weights in %" PRIu64 " bytes fits none of its layouts (",
                    extent.weights, extent.bytes) +
             names + ")";
  else
    found += " is " + measured;
  return make_error(ErrorCode::kUnsupported, "%s; this program reads %s", found.c_str(),
                    readable_types().c_str());
}

bool fits(const TensorExtent& extent, kernels::TensorType type) {
  return fits(extent, kernels::tensor_type_info(type));
}

}  // namespace

bool fits(const TensorExtent& extent, std::uint64_t block_weights, std::uint64_t block_bytes,
          std::uint64_t trailer_bytes) {
  std::uint64_t bytes = 0;
  if (extent.weights % block_weights != 0 ||
      __builtin_mul_overflow(extent.weights / block_weights, block_bytes, &bytes) ||
      __builtin_add_overflow(bytes, trailer_bytes, &bytes) || bytes > extent.bytes)
    return false;
  const std::uint64_t padding = extent.bytes - bytes;
  return padding < extent.alignment && (extent.is_last || extent.bytes % extent.alignment == 0);
}

void TypeIds::add(std::uint32_t id, const TensorExtent& extent) {
  if (id != kSharedId) return;
  all_fit_q2_0_ = all_fit_q2_0_ && fits(extent, TensorType::kQ2_0);
  all_fit_pq2_0_ = all_fit_pq2_0_ && fits(extent, TensorType::kPQ2_0);
}

Result<TensorType> TypeIds::resolve(std::uint32_t id, const TensorExtent& extent) const {
  if (id == kSharedId) {
    if (all_fit_q2_0_ != all_fit_pq2_0_)
      return all_fit_q2_0_ ? TensorType::kQ2_0 : TensorType::kPQ2_0;
    if (fits(extent, TensorType::kQ2_0) == fits(extent, TensorType::kPQ2_0))
      return unsupported_type(id, extent);
    return make_error(ErrorCode::kUnsupported,
                      "type id %" PRIu32
                      " is %s here, but not in all tensors of the file: two layouts under one id, "
                      "or a file cut short",
                      id, measured_names(id, extent).c_str());
  }
  const kernels::TensorTypeInfo* type = kernels::find_tensor_type(id);
  if (type == nullptr) return unsupported_type(id, extent);
  return type->type;
}

}  // namespace bankai::model
