// Writes safetensors files as other tools read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/safetensors_type.h"

namespace bankai::model {

struct SafetensorsSpec {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::uint64_t> shape;  // slowest first
};

// Appends the data of tensor `index`, in as many parts as it likes.
using SafetensorsPart = std::function<Status(std::span<const std::byte>)>;
using SafetensorsSource = std::function<Status(std::size_t index, const SafetensorsPart& write)>;

// The header for tensors that lie in this order, padded with spaces to a multiple of 8 bytes.
// Errors, unnamed: kBadInput for what a reader would refuse.
Result<std::string> safetensors_header(std::span<const SafetensorsSpec> tensors,
                                       const std::map<std::string, std::string>& metadata);

// The whole file. Errors: those above, AtomicFile's and the source's; kInternal if a tensor came
// out with another size.
Status write_safetensors(const std::string& path, Overwrite overwrite,
                         std::span<const SafetensorsSpec> tensors,
                         const std::map<std::string, std::string>& metadata,
                         const SafetensorsSource& source);

}  // namespace bankai::model
