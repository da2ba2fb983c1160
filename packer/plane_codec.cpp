// The codec bytes.planes: the bytes of equal significance of all numbers together, each such plane
// coded in the way that suits it. Numbers of two bytes and more are rotated left by one bit first,
// so that a float's exponent is not cut in two by its sign.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "packer/codec_list.h"
#include "packer/frequency_table.h"
#include "packer/general_coders.h"
#include "packer/symbol_coder.h"

namespace bankai::packer {
namespace {

enum class PlaneMode : std::uint8_t {
  kRaw = 0,      // the bytes
  kSymbols = 1,  // frequency table, coded symbols
  kZstd = 2,     // a zstd frame
};

// Beyond it the slow level of zstd would take longer than all the rest of packing.
constexpr std::size_t kMaxSlowBytes = std::size_t{1} << 19U;

// Numbers of `size` bytes, little-endian, rotated by one bit: left, or back.
std::uint64_t load(const std::byte* from, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, size);
  return value;
}
std::uint64_t rotate_left(std::uint64_t value, std::size_t size) {
  const std::size_t bits = 8 * size;
  if (size == 1) return value;
  const std::uint64_t rotated = value << 1U | value >> (bits - 1);
  return bits == 64 ? rotated : rotated & ((std::uint64_t{1} << bits) - 1U);
}
std::uint64_t rotate_right(std::uint64_t value, std::size_t size) {
  return size == 1 ? value : value >> 1U | (value & 1U) << (8 * size - 1);
}

struct CodedPlane {
  PlaneMode mode = PlaneMode::kRaw;
  std::vector<std::byte> bytes;
};

CodedPlane code_plane(std::span<const std::uint8_t> plane) {
  CodedPlane best;
  const auto raw = std::as_bytes(plane);
  best.bytes.assign(raw.begin(), raw.end());
  std::array<std::uint64_t, 256> counts{};
  for (const std::uint8_t byte : plane) ++counts[byte];
  const FrequencyTable table = FrequencyTable::best_for_counts(counts);
  BitWriter bits;
  table.write(bits);
  std::vector<std::byte> symbols = std::move(bits).finish();
  encode_symbols(table, plane, &symbols);
  if (symbols.size() < best.bytes.size()) best = {PlaneMode::kSymbols, std::move(symbols)};
  const GeneralCoder& zstd = plane.size() <= kMaxSlowBytes ? zstd_small_coder() : zstd_fast_coder();
  std::vector<std::byte> matched = zstd.compress(raw);
  if (matched.size() < best.bytes.size()) best = {PlaneMode::kZstd, std::move(matched)};
  return best;
}

class PlaneEncoder final : public ContentEncoder {
 public:
  explicit PlaneEncoder(const Content& content) : size_(content.element_bytes) {}
  std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                       std::vector<std::byte>* out) const override {
    const std::size_t count = block.elements();
    std::vector<std::uint8_t> planes(count * size_);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t value = rotate_left(load(logical.data() + i * size_, size_), size_);
      for (std::size_t plane = 0; plane < size_; ++plane)
        planes[plane * count + i] = static_cast<std::uint8_t>(value >> (8 * plane));
    }
    ByteWriter writer;
    for (std::size_t plane = 0; plane < size_; ++plane) {
      const CodedPlane coded = code_plane(std::span(planes).subspan(plane * count, count));
      writer.write(static_cast<std::uint8_t>(coded.mode));
      writer.write_varint(coded.bytes.size());
      writer.write_bytes(coded.bytes);
    }
    if (out != nullptr) out->insert(out->end(), writer.bytes().begin(), writer.bytes().end());
    return writer.size();
  }

 private:
  std::size_t size_;
};

Status decode_plane(std::uint8_t mode, std::span<const std::byte> coded,
                    std::span<std::uint8_t> plane) {
  switch (static_cast<PlaneMode>(mode)) {
    case PlaneMode::kRaw:
      if (coded.size() != plane.size()) break;
      std::transform(coded.begin(), coded.end(), plane.begin(),
                     [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
      return {};
    case PlaneMode::kSymbols: {
      BitReader bits(coded);
      BANKAI_ASSIGN_OR_RETURN(const FrequencyTable table, FrequencyTable::read(bits, 256));
      BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> stream, bits.rest());
      return decode_symbols(table, stream, plane);
    }
    case PlaneMode::kZstd:
      return zstd_small_coder().decompress(coded, std::as_writable_bytes(plane));
  }
  return make_error(ErrorCode::kBadInput, "a plane of mode %u with %zu bytes for %zu", mode,
                    coded.size(), plane.size());
}

class PlaneDecoder final : public ContentDecoder {
 public:
  explicit PlaneDecoder(const Content& content) : size_(content.element_bytes) {}
  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> logical) const override {
    const std::size_t count = block.elements();
    std::vector<std::uint8_t> planes(count * size_);
    ByteReader reader(encoded);
    for (std::size_t plane = 0; plane < size_; ++plane) {
      BANKAI_ASSIGN_OR_RETURN(const auto mode, reader.read<std::uint8_t>("mode of a plane"));
      BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, reader.read_varint("size of a plane"));
      BANKAI_ASSIGN_OR_RETURN(const auto coded, reader.read_bytes(bytes, "plane"));
      BANKAI_RETURN_IF_ERROR(
          decode_plane(mode, coded, std::span(planes).subspan(plane * count, count)));
    }
    if (reader.remaining() != 0)
      return make_error(ErrorCode::kBadInput, "%zu bytes behind the last plane",
                        reader.remaining());
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t value = 0;
      for (std::size_t plane = 0; plane < size_; ++plane)
        value |= std::uint64_t{planes[plane * count + i]} << (8 * plane);
      value = rotate_right(value, size_);
      std::memcpy(logical.data() + i * size_, &value, size_);
    }
    return {};
  }

 private:
  std::size_t size_;
};

class PlaneCodec final : public Codec {
 public:
  std::string_view name() const override { return "bytes.planes"; }
  std::uint8_t id() const override { return codec_ids::kBytesPlanes; }
  std::string_view summary() const override {
    return "bytes of equal significance together, each as suits it";
  }
  bool accepts(const Content& content) const override {
    return content.kind == ContentKind::kNumbers || content.kind == ContentKind::kScales;
  }
  std::uint32_t decode_rate(const Content& content) const override {
    return 200 / content.element_bytes;
  }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource& source, int) const override {
    return std::make_unique<PlaneEncoder>(source.content());
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(const Content& content,
                                                       std::span<const std::byte>) const override {
    return std::unique_ptr<ContentDecoder>(std::make_unique<PlaneDecoder>(content));
  }
};

}  // namespace

const Codec& bytes_planes_codec() {
  static const PlaneCodec codec;
  return codec;
}

}  // namespace bankai::packer
