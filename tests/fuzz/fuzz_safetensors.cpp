// Fuzz target: any bytes as a safetensors file. What is accepted is widened completely and, with
// its header written again, must be accepted again with the same tensors.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"
#include "model/safetensors.h"
#include "model/safetensors_writer.h"

namespace {

using bankai::model::SafetensorsFile;
using bankai::model::SafetensorsSpec;

void check_round_trip(const SafetensorsFile& file) {
  std::vector<SafetensorsSpec> specs;
  std::vector<std::byte> data;
  for (const auto& tensor : file.tensors()) {
    specs.push_back({tensor.name, tensor.type, tensor.shape});
    data.insert(data.end(), tensor.data.begin(), tensor.data.end());
    if (tensor.type == bankai::model::SafetensorsType::kU32) continue;
    std::vector<float> floats(static_cast<std::size_t>(tensor.elements()));
    widen_elements(tensor.type, tensor.data.data(), floats.size(), floats.data());
  }
  const auto header = bankai::model::safetensors_header(specs, file.metadata());
  BANKAI_CHECK(header.ok(), "a file that was read cannot be written");
  const std::uint64_t length = header->size();
  const auto prefix = std::as_bytes(std::span(&length, 1));
  const auto text = std::as_bytes(std::span(header->data(), header->size()));
  std::vector<std::byte> again(prefix.begin(), prefix.end());
  again.insert(again.end(), text.begin(), text.end());
  again.insert(again.end(), data.begin(), data.end());
  const auto copy = SafetensorsFile::parse(again, "copy");
  BANKAI_CHECK(copy.ok() && copy->tensors().size() == file.tensors().size(),
               "a file that was written cannot be read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (file.ok()) check_round_trip(*file);
  return 0;
}
