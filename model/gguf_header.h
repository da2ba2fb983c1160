// The parts of a GGUF file before its tensor data, one reader for each; gguf_file.cpp joins them.
// All are total: any bytes give a value or an error (kBadInput, kUnsupported) that names offset,
// key, found and expected. No count is trusted before the remaining bytes can hold it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/byte_reader.h"
#include "core/result.h"
#include "model/gguf_value.h"

namespace bankai::model {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";
inline constexpr std::uint64_t kGgufDefaultAlignment = 32;
inline constexpr std::size_t kGgufMaxKeyBytes = 65535;  // the format's limit

struct GgufPreamble {
  std::uint32_t version = 0;  // 2 or 3
  std::uint64_t num_tensors = 0;
  std::uint64_t num_values = 0;
};

// Magic, version and counts.
Result<GgufPreamble> read_preamble(ByteReader& reader);

// One key with its value; the views point into the reader's bytes.
Result<GgufValue> read_value(ByteReader& reader);

// A length and that many bytes; `what` is for the message.
Result<std::string_view> read_text(ByteReader& reader, const char* what);

// The value of general.alignment: a u32, a power of two and a multiple of 8.
Result<std::uint64_t> checked_alignment(const GgufValue& value);

}  // namespace bankai::model
