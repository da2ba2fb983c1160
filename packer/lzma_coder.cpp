// The general coder LZMA2, bare: without the container of xz, whose sizes and checksums a pack has
// anyway. The window is as long as the input, so its size need not be stored.
#include <lzma.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>

#include "core/check.h"
#include "core/format.h"
#include "packer/general_coders.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kMaxWindow = std::size_t{1} << 26U;

lzma_options_lzma options_for(std::size_t plain_bytes) {
  lzma_options_lzma options;
  const bool has_failed = lzma_lzma_preset(&options, 9U | LZMA_PRESET_EXTREME) != 0;
  BANKAI_CHECK(!has_failed, "liblzma lacks its own preset");
  options.dict_size = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(plain_bytes, LZMA_DICT_SIZE_MIN, kMaxWindow));
  return options;
}

// Literals by more context and positions by less is better for text, the preset for numbers.
struct Properties {
  std::uint32_t literal_context_bits;
  std::uint32_t position_bits;
};
constexpr Properties kTried[] = {{3, 2}, {4, 0}};

std::vector<std::byte> compress(std::span<const std::byte> plain) {
  std::vector<std::byte> best;
  for (const Properties& properties : kTried) {
    lzma_options_lzma options = options_for(plain.size());
    options.lc = properties.literal_context_bits;
    options.pb = properties.position_bits;
    const std::array<lzma_filter, 2> filters = {
        {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};
    // LZMA2 stores incompressible chunks of 64 KiB with three bytes each.
    std::vector<std::byte> coded(plain.size() + plain.size() / 1024 + 64);
    std::size_t size = 0;
    const lzma_ret answer = lzma_raw_buffer_encode(
        filters.data(), nullptr, reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size(),
        reinterpret_cast<std::uint8_t*>(coded.data()), &size, coded.size());
    if (answer == LZMA_MEM_ERROR) throw std::bad_alloc();
    BANKAI_CHECK(answer == LZMA_OK, "LZMA2 refuses to compress");
    coded.resize(size);
    if (best.empty() || coded.size() < best.size()) best = std::move(coded);
  }
  return best;
}

Status decompress(std::span<const std::byte> coded, std::span<std::byte> plain) {
  lzma_options_lzma options = options_for(plain.size());
  const std::array<lzma_filter, 2> filters = {
      {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};
  std::size_t taken = 0;
  std::size_t size = 0;
  const lzma_ret answer = lzma_raw_buffer_decode(
      filters.data(), nullptr, reinterpret_cast<const std::uint8_t*>(coded.data()), &taken,
      coded.size(), reinterpret_cast<std::uint8_t*>(plain.data()), &size, plain.size());
  if (answer == LZMA_MEM_ERROR) throw std::bad_alloc();
  if (answer != LZMA_OK || taken != coded.size() || size != plain.size())
    return make_error(ErrorCode::kBadInput, "LZMA2 data that do not give %zu bytes", plain.size());
  return {};
}

}  // namespace

const GeneralCoder& lzma_coder() {
  static const GeneralCoder coder = {"lzma2", compress, decompress};
  return coder;
}

}  // namespace bankai::packer
