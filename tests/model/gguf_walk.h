// Visits everything that a GGUF file gives access to: for tests of damaged files and the fuzzer.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/gguf_file.h"

namespace bankai::model {

// Decodes every value in every way and touches both ends of every tensor, so that a sanitizer sees
// any view that points outside the file. Returns a number that depends on all of it.
inline std::size_t walk(const GgufFile& file) {
  std::size_t sum = file.version() + file.alignment() + file.data_offset();
  for (const GgufValue& value : file.metadata()) {
    if (const auto x = value.as_unsigned(); x.ok()) sum += *x;
    if (const auto x = value.as_bool(); x.ok()) sum += *x ? 1U : 0U;
    sum += value.as_float().ok() ? 1U : 0U;
    if (const auto text = value.as_string(); text.ok())
      for (const char c : *text) sum += static_cast<unsigned char>(c);
    if (const auto texts = value.as_strings(); texts.ok())
      for (const std::string_view text : *texts)
        if (!text.empty()) sum += static_cast<unsigned char>(text.back()) + text.size();
    if (const auto numbers = value.as_integers(); numbers.ok()) sum += numbers->size();
    if (const auto numbers = value.as_floats(); numbers.ok()) sum += numbers->size();
    sum += file.find_value(value.key)->key.size();
  }
  for (const GgufTensor& tensor : file.tensors()) {
    sum += tensor.rows() * tensor.cols() + file.find_tensor(tensor.name)->name.size();
    sum += std::to_integer<std::size_t>(tensor.data.front()) +
           std::to_integer<std::size_t>(tensor.data.back());
  }
  return sum;
}

}  // namespace bankai::model
