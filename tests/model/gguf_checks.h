// Bad files for the GGUF tests, and what every refusal must look like.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "model/gguf_file.h"
#include "tests/model/gguf_walk.h"

namespace bankai::model {

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
