// What the GGUF tests and the fuzzer ask of every file.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace bankai::model {

// Decodes every value in every way and touches both ends of every tensor, so that a sanitizer sees
// any view that points outside the file. Returns something that depends on all of it.
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
        if (!text.empty()) sum += static_cast<unsigned char>(text.front()) + text.size();
    if (const auto numbers = value.as_integers(); numbers.ok()) sum += numbers->size();
    if (const auto numbers = value.as_floats(); numbers.ok()) sum += numbers->size();
  }
  for (const GgufTensor& tensor : file.tensors()) {
    sum += tensor.rows() * tensor.cols() + file.find_tensor(tensor.name)->name.size();
    sum += std::to_integer<std::size_t>(tensor.data.front()) +
           std::to_integer<std::size_t>(tensor.data.back());
  }
  return sum;
}

// A file that must be refused, with a part of the message that it must give.
struct BadGguf {
  std::string name;
  std::vector<std::byte> bytes;
  ErrorCode code = ErrorCode::kBadInput;
  std::string message;
};

inline void expect_refused(const BadGguf& bad) {
  SCOPED_TRACE(bad.name);
  const auto file = GgufFile::parse(bad.bytes, "bad.gguf");
  ASSERT_FALSE(file.ok()) << "was accepted";
  const std::string& message = file.error().message;
  EXPECT_EQ(file.error().code, bad.code) << message;
  EXPECT_NE(message.find(bad.message), std::string::npos) << message;
  EXPECT_TRUE(message.starts_with("bad.gguf: ")) << message;
  EXPECT_TRUE(std::none_of(message.begin(), message.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      << "more than one line, or control characters: " << message;
}

}  // namespace bankai::model
