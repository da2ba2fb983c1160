// Safetensors files of any content, sound or not, as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace bankai::testing {

inline std::vector<std::byte> safetensors_bytes(const std::string& json, std::size_t data_bytes,
                                                std::uint64_t declared_length) {
  std::vector<std::byte> bytes(sizeof declared_length + json.size() + data_bytes);
  std::memcpy(bytes.data(), &declared_length, sizeof declared_length);
  std::memcpy(bytes.data() + sizeof declared_length, json.data(), json.size());
  for (std::size_t i = 0; i < data_bytes; ++i)
    bytes[sizeof declared_length + json.size() + i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}
inline std::vector<std::byte> safetensors_bytes(const std::string& json, std::size_t data_bytes) {
  return safetensors_bytes(json, data_bytes, json.size());
}

// Two tensors, an empty one, a number without dimensions and metadata.
inline std::vector<std::byte> small_safetensors() {
  return safetensors_bytes(R"({"__metadata__":{"format":"pt"},)"
                           R"("b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},)"
                           R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                           R"("n":{"dtype":"U8","shape":[],"data_offsets":[20,21]},)"
                           R"("e":{"dtype":"BF16","shape":[0,5],"data_offsets":[8,8]}}  )",
                           21);
}

}  // namespace bankai::testing
