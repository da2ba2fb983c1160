// Codecs of fixed layout: the logical bytes as they are, and the three ways to pack trits that are
// in use elsewhere (two bits each, five in a byte, a mask and signs).
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/format.h"
#include "packer/codec_list.h"
#include "packer/trit_packing.h"
#include "packer/unused_bits.h"

namespace bankai::packer {
namespace {

// Encodes and decodes blocks by two functions of (elements, from, to) that know no more.
using PackFunction = void (*)(std::size_t, const std::byte*, std::byte*);
using UnpackFunction = Status (*)(std::size_t, const std::byte*, std::byte*);

struct FixedLayout {
  std::string_view name;
  std::uint8_t id;
  std::string_view summary;
  bool (*accepts)(const Content&);
  std::uint32_t rate;  // of elements
  std::uint64_t (*bytes)(const Content&, std::uint64_t elements);
  PackFunction pack;  // null: the bytes as they are
  UnpackFunction unpack;
};

class FixedEncoder final : public ContentEncoder {
 public:
  FixedEncoder(const FixedLayout& layout, const Content& content)
      : layout_(layout), content_(content) {}
  std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                       std::vector<std::byte>* out) const override {
    const auto size = static_cast<std::size_t>(layout_.bytes(content_, block.elements()));
    if (out == nullptr) return size;
    const std::size_t begin = out->size();
    out->resize(begin + size);
    if (layout_.pack == nullptr)
      std::copy(logical.begin(), logical.end(), out->begin() + static_cast<std::ptrdiff_t>(begin));
    else
      layout_.pack(block.elements(), logical.data(), out->data() + begin);
    return size;
  }

 private:
  const FixedLayout& layout_;
  Content content_;
};

class FixedDecoder final : public ContentDecoder {
 public:
  FixedDecoder(const FixedLayout& layout, const Content& content)
      : layout_(layout), content_(content) {}
  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> logical) const override {
    if (encoded.size() != layout_.bytes(content_, block.elements()))
      return make_error(ErrorCode::kBadInput, "%zu bytes for %zu elements", encoded.size(),
                        block.elements());
    if (layout_.unpack != nullptr)
      return layout_.unpack(block.elements(), encoded.data(), logical.data());
    std::copy(encoded.begin(), encoded.end(), logical.begin());
    if (content_.kind == ContentKind::kBits && has_unused_ones(logical.data(), block.elements()))
      return make_error(ErrorCode::kBadInput, "an unused bit of the last byte is 1");
    return {};
  }

 private:
  const FixedLayout& layout_;
  Content content_;
};

class FixedCodec final : public Codec {
 public:
  explicit constexpr FixedCodec(const FixedLayout& layout) : layout_(layout) {}
  std::string_view name() const override { return layout_.name; }
  std::uint8_t id() const override { return layout_.id; }
  std::string_view summary() const override { return layout_.summary; }
  bool accepts(const Content& content) const override { return layout_.accepts(content); }
  std::uint32_t decode_rate(const Content& content) const override {
    return layout_.rate / content.element_bytes;
  }
  bool has_cheap_size() const override { return true; }
  std::optional<std::uint64_t> fixed_bytes(const Content& content,
                                           const Block& block) const override {
    return layout_.bytes(content, block.elements());
  }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource& source, int) const override {
    return std::make_unique<FixedEncoder>(layout_, source.content());
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(const Content& content,
                                                       std::span<const std::byte>) const override {
    return std::unique_ptr<ContentDecoder>(std::make_unique<FixedDecoder>(layout_, content));
  }

 private:
  const FixedLayout& layout_;
};

bool is_bits(const Content& content) { return content.kind == ContentKind::kBits; }
bool is_trits(const Content& content) { return content.kind == ContentKind::kTrits; }
bool is_bytes(const Content& content) { return !is_bits(content) && !is_trits(content); }

std::uint64_t logical_size(const Content& content, std::uint64_t elements) {
  return content.bytes_of(elements);
}

constexpr FixedLayout kBitsRaw = {"bits.raw",
                                  codec_ids::kBitsRaw,
                                  "bits as they are, eight in a byte",
                                  is_bits,
                                  16000,
                                  logical_size,
                                  nullptr,
                                  nullptr};
constexpr FixedLayout kBytesRaw = {
    "bytes.raw", codec_ids::kBytesRaw, "bytes as they are", is_bytes, 4000, logical_size, nullptr,
    nullptr};
constexpr FixedLayout kTwoBit = {"trits.2bit",
                                 codec_ids::kTritsTwoBit,
                                 "four trits in a byte",
                                 is_trits,
                                 1000,
                                 [](const Content&, std::uint64_t n) { return (n + 3) / 4; },
                                 pack_two_bit,
                                 unpack_two_bit};
constexpr FixedLayout kBase3 = {"trits.base3",
                                codec_ids::kTritsBase3,
                                "five trits in a byte",
                                is_trits,
                                3000,
                                [](const Content&, std::uint64_t n) { return (n + 4) / 5; },
                                pack_base3,
                                unpack_base3};

}  // namespace

const Codec& bits_raw_codec() {
  static const FixedCodec codec(kBitsRaw);
  return codec;
}
const Codec& bytes_raw_codec() {
  static const FixedCodec codec(kBytesRaw);
  return codec;
}
const Codec& trits_two_bit_codec() {
  static const FixedCodec codec(kTwoBit);
  return codec;
}
const Codec& trits_base3_codec() {
  static const FixedCodec codec(kBase3);
  return codec;
}

}  // namespace bankai::packer
