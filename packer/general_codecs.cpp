// The general coders zlib, zstd and LZMA2, over the logical bytes of any content but trits, which
// are turned into two planes of bits first. Their bytes are the same wherever the same version of
// the library is used; what they decode to is always the same.
#define ZLIB_CONST  // the input of a stream is const
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "core/check.h"
#include "core/format.h"
#include "packer/codec_list.h"
#include "packer/general_coders.h"
#include "packer/trit_packing.h"
#include "packer/unused_bits.h"

namespace bankai::packer {
namespace {

constexpr std::uint64_t kSlowestLimitBytes = std::uint64_t{1} << 20U;
constexpr std::uint64_t kSlowLimitBytes = std::uint64_t{1} << 22U;
constexpr std::uint64_t kFastLimitBytes = std::uint64_t{1} << 26U;

// A block's bytes as a general coder takes them.
std::size_t plain_size(const Content& content, const Block& block) {
  return content.kind == ContentKind::kTrits
             ? bit_planes_bytes(block.elements())
             : static_cast<std::size_t>(content.bytes_of(block.elements()));
}

class GeneralEncoder final : public ContentEncoder {
 public:
  GeneralEncoder(const GeneralCoder& coder, const Content& content)
      : coder_(coder), content_(content) {}
  std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                       std::vector<std::byte>* out) const override {
    std::vector<std::byte> packed;
    if (content_.kind == ContentKind::kTrits) {
      packed.resize(plain_size(content_, block));
      pack_bit_planes(block.elements(), logical.data(), packed.data());
      logical = packed;
    }
    const std::vector<std::byte> coded = coder_.compress(logical);
    if (out != nullptr) out->insert(out->end(), coded.begin(), coded.end());
    return coded.size();
  }

 private:
  const GeneralCoder& coder_;
  Content content_;
};

class GeneralDecoder final : public ContentDecoder {
 public:
  GeneralDecoder(const GeneralCoder& coder, const Content& content)
      : coder_(coder), content_(content) {}
  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> logical) const override {
    if (content_.kind == ContentKind::kTrits) {
      std::vector<std::byte> packed(plain_size(content_, block));
      BANKAI_RETURN_IF_ERROR(coder_.decompress(encoded, packed));
      return unpack_bit_planes(block.elements(), packed.data(), logical.data());
    }
    BANKAI_RETURN_IF_ERROR(coder_.decompress(encoded, logical));
    if (content_.kind == ContentKind::kBits && has_unused_ones(logical.data(), block.elements()))
      return make_error(ErrorCode::kBadInput, "an unused bit of the last byte is 1");
    return {};
  }

 private:
  const GeneralCoder& coder_;
  Content content_;
};

class GeneralCodec final : public Codec {
 public:
  GeneralCodec(const GeneralCoder& coder, std::uint8_t id, std::string_view summary,
               std::uint32_t bytes_rate, std::uint64_t limit)
      : coder_(coder), id_(id), summary_(summary), bytes_rate_(bytes_rate), limit_(limit) {}
  std::string_view name() const override { return coder_.name; }
  std::uint8_t id() const override { return id_; }
  std::string_view summary() const override { return summary_; }
  bool accepts(const Content&) const override { return true; }
  bool is_slow_coder() const override { return limit_ < kFastLimitBytes; }
  std::uint32_t decode_rate(const Content& content) const override {
    if (content.kind == ContentKind::kBits) return 8 * bytes_rate_;
    if (content.kind == ContentKind::kTrits) return bytes_rate_ / 2;
    return bytes_rate_ / content.element_bytes;
  }
  std::uint64_t encode_limit_bytes() const override { return limit_; }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource& source, int) const override {
    return std::make_unique<GeneralEncoder>(coder_, source.content());
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(const Content& content,
                                                       std::span<const std::byte>) const override {
    return std::unique_ptr<ContentDecoder>(std::make_unique<GeneralDecoder>(coder_, content));
  }

 private:
  const GeneralCoder& coder_;
  std::uint8_t id_;
  std::string_view summary_;
  std::uint32_t bytes_rate_;
  std::uint64_t limit_;
};

std::vector<std::byte> deflate_best(std::span<const std::byte> plain) {
  uLongf size = compressBound(static_cast<uLong>(plain.size()));
  std::vector<std::byte> coded(size);
  const int status = compress2(reinterpret_cast<Bytef*>(coded.data()), &size,
                               reinterpret_cast<const Bytef*>(plain.data()),
                               static_cast<uLong>(plain.size()), Z_BEST_COMPRESSION);
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  BANKAI_CHECK(status == Z_OK, "zlib refuses to compress");
  coded.resize(size);
  return coded;
}

Status inflate_exactly(std::span<const std::byte> coded, std::span<std::byte> plain) {
  uLongf size = static_cast<uLongf>(plain.size());
  uLong taken = static_cast<uLong>(coded.size());
  const int status = uncompress2(reinterpret_cast<Bytef*>(plain.data()), &size,
                                 reinterpret_cast<const Bytef*>(coded.data()), &taken);
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  if (status != Z_OK || size != plain.size() || taken != coded.size())
    return make_error(ErrorCode::kBadInput, "zlib data that do not give %zu bytes", plain.size());
  return {};
}

constexpr std::size_t kOrdinaryReachBytes = std::size_t{1} << 22U;

std::vector<std::byte> zstd_compress(std::span<const std::byte> plain, int level, bool long_range) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  // Neither size nor checksum of the content: both are known from elsewhere.
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  // Within a short input, ordinary matching already reaches everything.
  const bool is_long = long_range && plain.size() > kOrdinaryReachBytes;
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, is_long ? 1 : 0);
  std::vector<std::byte> coded(ZSTD_compressBound(plain.size()));
  const std::size_t size =
      ZSTD_compress2(context.get(), coded.data(), coded.size(), plain.data(), plain.size());
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();  // the only way this can fail
  coded.resize(size);
  return coded;
}

Status zstd_decompress(std::span<const std::byte> coded, std::span<std::byte> plain) {
  const std::size_t size = ZSTD_decompress(plain.data(), plain.size(), coded.data(), coded.size());
  if (ZSTD_isError(size) != 0)
    return make_error(ErrorCode::kBadInput, "zstd data: %s", ZSTD_getErrorName(size));
  if (size != plain.size())
    return make_error(ErrorCode::kBadInput, "zstd data of %zu bytes, not %zu", size, plain.size());
  return {};
}

}  // namespace

const GeneralCoder& zlib_coder() {
  static const GeneralCoder coder = {"zlib-9", deflate_best, inflate_exactly};
  return coder;
}
const GeneralCoder& zstd_fast_coder() {
  static const GeneralCoder coder = {
      "zstd-3", [](std::span<const std::byte> plain) { return zstd_compress(plain, 3, false); },
      zstd_decompress};
  return coder;
}
const GeneralCoder& zstd_small_coder() {
  static const GeneralCoder coder = {
      "zstd-22", [](std::span<const std::byte> plain) { return zstd_compress(plain, 22, true); },
      zstd_decompress};
  return coder;
}

const Codec& zlib_codec() {
  static const GeneralCodec codec(zlib_coder(), codec_ids::kZlib, "zlib, level 9", 200,
                                  kSlowLimitBytes);
  return codec;
}
const Codec& zstd_fast_codec() {
  static const GeneralCodec codec(zstd_fast_coder(), codec_ids::kZstdFast, "zstd, level 3", 600,
                                  kFastLimitBytes);
  return codec;
}
const Codec& zstd_small_codec() {
  static const GeneralCodec codec(zstd_small_coder(), codec_ids::kZstdSmall,
                                  "zstd, level 22 with long-range matching", 400,
                                  kSlowestLimitBytes);
  return codec;
}
const Codec& lzma_codec() {
  static const GeneralCodec codec(lzma_coder(), codec_ids::kLzma, "LZMA2, preset 9e", 20,
                                  kSlowestLimitBytes);
  return codec;
}

}  // namespace bankai::packer
