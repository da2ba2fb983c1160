#include "packer/compressed_file.h"

#define ZLIB_CONST  // the input of a stream is const
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

#include "core/format.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20U;
constexpr std::uint64_t kXzMemory = std::uint64_t{256} << 20U;  // preset 9 takes 65 MiB
constexpr std::array<std::uint8_t, 6> kXzMagic = {0xfd, '7', 'z', 'X', 'Z', 0};

Error too_large(std::size_t max_bytes) {
  return make_error(ErrorCode::kUnsupported, "the compressed content is larger than %zu bytes",
                    max_bytes);
}

// Makes room for the next chunk behind `used` bytes; one byte beyond the limit shows an excess.
std::size_t grow(std::vector<std::byte>& out, std::size_t used, std::size_t max_bytes) {
  const std::size_t room = std::min({std::max(kChunkBytes, used / 2), max_bytes + 1 - used});
  out.resize(used + room);
  return room;
}

Result<std::vector<std::byte>> expand_zlib(std::span<const std::byte> file, std::size_t max_bytes) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw std::bad_alloc();
  struct Guard {
    z_stream* stream;
    ~Guard() { inflateEnd(stream); }
  } const guard{&stream};
  stream.next_in = reinterpret_cast<const Bytef*>(file.data());
  std::size_t input_left = file.size();
  std::vector<std::byte> out;
  std::size_t used = 0;
  int answer = Z_OK;
  while (answer == Z_OK) {
    const std::size_t room = grow(out, used, max_bytes);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(std::min(room, kChunkBytes));
    const uInt given = stream.avail_out;
    const auto feed = static_cast<uInt>(std::min(input_left, kChunkBytes));
    stream.avail_in = feed;
    answer = inflate(&stream, Z_NO_FLUSH);
    input_left -= feed - stream.avail_in;
    used += given - stream.avail_out;
    if (used > max_bytes) return too_large(max_bytes);
    if (answer == Z_MEM_ERROR) throw std::bad_alloc();
  }
  if (answer != Z_STREAM_END)
    return make_error(ErrorCode::kBadInput, "the zlib stream is damaged or cut short at offset %zu",
                      file.size() - input_left);
  if (input_left != 0)
    return make_error(ErrorCode::kBadInput, "%zu bytes follow the zlib stream, from offset %zu",
                      input_left, file.size() - input_left);
  out.resize(used);
  return out;
}

Result<std::vector<std::byte>> expand_xz(std::span<const std::byte> file, std::size_t max_bytes) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kXzMemory, 0) != LZMA_OK) throw std::bad_alloc();
  struct Guard {
    lzma_stream* stream;
    ~Guard() { lzma_end(stream); }
  } const guard{&stream};
  stream.next_in = reinterpret_cast<const std::uint8_t*>(file.data());
  stream.avail_in = file.size();
  std::vector<std::byte> out;
  std::size_t used = 0;
  lzma_ret answer = LZMA_OK;
  while (answer == LZMA_OK) {
    stream.avail_out = grow(out, used, max_bytes);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data() + used);
    answer = lzma_code(&stream, LZMA_FINISH);
    used = out.size() - stream.avail_out;
    if (used > max_bytes) return too_large(max_bytes);
  }
  const std::size_t offset = file.size() - stream.avail_in;
  if (answer == LZMA_MEM_ERROR) throw std::bad_alloc();
  if (answer == LZMA_MEMLIMIT_ERROR)
    return make_error(ErrorCode::kUnsupported, "the xz container asks for more than %llu bytes",
                      static_cast<unsigned long long>(kXzMemory));
  if (answer != LZMA_STREAM_END)
    return make_error(ErrorCode::kBadInput,
                      "the xz container is damaged or cut short at offset %zu", offset);
  if (stream.avail_in != 0)
    return make_error(ErrorCode::kBadInput, "%zu bytes follow the xz container, from offset %zu",
                      stream.avail_in, offset);
  out.resize(used);
  return out;
}

}  // namespace

std::string_view outer_compression_name(OuterCompression compression) {
  switch (compression) {
    case OuterCompression::kZlib: return "zlib";
    case OuterCompression::kXz: return "xz";
    default: return "none";
  }
}

OuterCompression detect_compression(std::span<const std::byte> bytes) {
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); };
  if (bytes.size() >= kXzMagic.size() &&
      std::equal(kXzMagic.begin(), kXzMagic.end(), bytes.begin(),
                 [](std::uint8_t a, std::byte b) { return std::byte{a} == b; }))
    return OuterCompression::kXz;
  // Method 8 with a window of at most 32 KiB, no dictionary, and a header divisible by 31.
  if (bytes.size() >= 2 && (byte(0) & 0x0fU) == 8 && byte(0) <= 0x78 && (byte(1) & 0x20U) == 0 &&
      (byte(0) * 256U + byte(1)) % 31U == 0)
    return OuterCompression::kZlib;
  return OuterCompression::kNone;
}

Result<PlainContent> expand_file(std::span<const std::byte> file, std::size_t max_bytes) {
  PlainContent content;
  content.compression = detect_compression(file);
  content.bytes = file;
  if (content.compression == OuterCompression::kNone) return content;
  if (content.compression == OuterCompression::kZlib) {
    BANKAI_ASSIGN_OR_RETURN(content.owned, expand_zlib(file, max_bytes));
  } else {
    BANKAI_ASSIGN_OR_RETURN(content.owned, expand_xz(file, max_bytes));
  }
  content.bytes = content.owned;
  return content;
}

}  // namespace bankai::packer
