#include "packer/golf_codes.h"

#include <cstring>

#include "core/format.h"
#include "kernels/half.h"
#include "model/safetensors_type.h"
#include "packer/trit_packing.h"

namespace bankai::packer {
namespace {

constexpr std::byte kMinus{0xff};
constexpr std::byte kPlus{1};

bool bit_from_top(std::span<const std::byte> bytes, std::uint64_t index) {
  const auto byte = std::to_integer<unsigned>(bytes[static_cast<std::size_t>(index / 8)]);
  return (byte >> (7U - index % 8U) & 1U) != 0;
}
bool bit_from_bottom(std::span<const std::byte> bytes, std::uint64_t index) {
  const auto byte = std::to_integer<unsigned>(bytes[static_cast<std::size_t>(index / 8)]);
  return (byte >> (index % 8U) & 1U) != 0;
}

Error wrong_size(GolfCodes codes, std::size_t found, std::uint64_t expected) {
  return make_error(ErrorCode::kBadInput, "%zu bytes of %s codes; expected %llu", found,
                    std::string(golf_codes_name(codes)).c_str(),
                    static_cast<unsigned long long>(expected));
}
Error wrong_fill(GolfCodes codes) {
  return make_error(ErrorCode::kBadInput, "a bit that fills up the %s codes is 1",
                    std::string(golf_codes_name(codes)).c_str());
}

Status unpack_bitmask(std::span<const std::byte> packed, std::span<std::byte> weights) {
  const std::size_t map_bytes = (weights.size() + 7) / 8;
  if (packed.size() < map_bytes) return wrong_size(GolfCodes::kBitmask, packed.size(), map_bytes);
  const auto map = packed.first(map_bytes);
  const auto signs = packed.subspan(map_bytes);
  std::uint64_t num_signs = 0;
  for (std::size_t i = 0; i < map_bytes * 8; ++i) {
    if (!bit_from_top(map, i)) continue;
    if (i >= weights.size()) return wrong_fill(GolfCodes::kBitmask);
    weights[i] = kPlus;
    ++num_signs;
  }
  if (signs.size() != (num_signs + 7) / 8)
    return wrong_size(GolfCodes::kBitmask, packed.size(), map_bytes + (num_signs + 7) / 8);
  std::uint64_t next = 0;
  for (std::byte& weight : weights)
    if (weight == kPlus && !bit_from_top(signs, next++)) weight = kMinus;
  for (; next < signs.size() * 8; ++next)
    if (bit_from_top(signs, next)) return wrong_fill(GolfCodes::kBitmask);
  return {};
}

Status unpack_signs(std::span<const std::byte> packed, std::span<std::byte> weights) {
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = bit_from_bottom(packed, i) ? kPlus : kMinus;
  for (std::size_t i = weights.size(); i < packed.size() * 8; ++i)
    if (bit_from_bottom(packed, i)) return wrong_fill(GolfCodes::kSigns);
  return {};
}

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float load_as_float(TorchType type, const std::byte* bytes) {
  switch (type) {
    case TorchType::kF64: return static_cast<float>(load<double>(bytes));
    case TorchType::kF32: return load<float>(bytes);
    case TorchType::kF16: return kernels::f16_to_float(load<std::uint16_t>(bytes));
    case TorchType::kBf16: return kernels::bf16_to_float(load<std::uint16_t>(bytes));
    case TorchType::kF8E4M3: return model::f8_e4m3_to_float(load<std::uint8_t>(bytes));
    case TorchType::kI64: return static_cast<float>(load<std::int64_t>(bytes));
    case TorchType::kI32: return static_cast<float>(load<std::int32_t>(bytes));
    case TorchType::kI16: return static_cast<float>(load<std::int16_t>(bytes));
    case TorchType::kI8: return static_cast<float>(load<std::int8_t>(bytes));
    case TorchType::kU8:
    case TorchType::kBool: return static_cast<float>(load<std::uint8_t>(bytes));
  }
  return 0.0F;
}

}  // namespace

std::string_view golf_codes_name(GolfCodes codes) {
  switch (codes) {
    case GolfCodes::kTwoBit: return "two-bit";
    case GolfCodes::kBase3: return "base-3";
    case GolfCodes::kBitmask: return "bitmask";
    default: return "sign";
  }
}

Result<std::vector<std::byte>> unpack_golf_codes(GolfCodes codes, std::span<const std::byte> packed,
                                                 std::uint64_t count) {
  const std::uint64_t per_byte = codes == GolfCodes::kTwoBit  ? 4
                                 : codes == GolfCodes::kBase3 ? 5
                                                              : 8;
  // Where it is not the exact size, it bounds the memory.
  const std::uint64_t bytes = count / per_byte + (count % per_byte == 0 ? 0 : 1);
  if (codes == GolfCodes::kBitmask ? packed.size() < bytes : packed.size() != bytes)
    return wrong_size(codes, packed.size(), bytes);
  std::vector<std::byte> weights(static_cast<std::size_t>(count));
  switch (codes) {
    case GolfCodes::kTwoBit:
      BANKAI_RETURN_IF_ERROR(unpack_two_bit(weights.size(), packed.data(), weights.data()));
      break;
    case GolfCodes::kBase3:
      BANKAI_RETURN_IF_ERROR(unpack_base3(weights.size(), packed.data(), weights.data()));
      break;
    case GolfCodes::kBitmask: BANKAI_RETURN_IF_ERROR(unpack_bitmask(packed, weights)); break;
    case GolfCodes::kSigns: BANKAI_RETURN_IF_ERROR(unpack_signs(packed, weights)); break;
  }
  return weights;
}

std::vector<float> to_floats(const TorchTensor& tensor) {
  const std::size_t size = torch_type_bytes(tensor.type);
  std::vector<float> numbers(static_cast<std::size_t>(tensor.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = load_as_float(tensor.type, tensor.bytes.data() + i * size);
  return numbers;
}

}  // namespace bankai::packer
