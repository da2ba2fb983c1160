#include "packer/codec_table.h"

#include <algorithm>
#include <array>

#include "packer/codec_list.h"
#include "packer/payload.h"

namespace bankai::packer {

std::span<const Codec* const> all_codecs() {
  static const std::array<const Codec*, 13> codecs = {
      &bits_raw_codec(),      &bits_context_codec(),   &trits_two_bit_codec(),
      &trits_base3_codec(),   &trits_bitmask_codec(),  &trits_order0_codec(),
      &trits_context_codec(), &scales_predict_codec(), &bytes_raw_codec(),
      &bytes_planes_codec(),  &zlib_codec(),           &zstd_fast_codec(),
      &zstd_small_codec(),
  };
  return codecs;
}

const Codec* find_codec(std::uint8_t id) {
  for (const Codec* codec : all_codecs())
    if (codec->id() == id) return codec;
  return nullptr;
}

const Codec* find_codec(std::string_view name) {
  for (const Codec* codec : all_codecs())
    if (codec->name() == name) return codec;
  return nullptr;
}

Result<CodecChoice> choose_codec(const ContentSource& source, const ChoiceOptions& options) {
  const Content& content = source.content();
  std::uint32_t fastest = 0;
  for (const Codec* codec : all_codecs())
    if (codec->accepts(content)) fastest = std::max(fastest, codec->decode_rate(content));
  const std::uint32_t least_rate = std::min(options.min_decode_rate, fastest);

  CodecChoice choice;
  std::uint32_t best_rate = 0;
  for (const Codec* codec : all_codecs()) {
    if (!codec->accepts(content)) continue;
    const std::uint32_t rate = codec->decode_rate(content);
    CodecSize size{codec};
    size.is_eligible = rate >= least_rate && content.logical_bytes() <= codec->encode_limit_bytes();
    size.is_measured = size.is_eligible || options.measure_all;
    std::vector<std::byte> payload;
    if (size.is_eligible && options.with_payload && !codec->has_cheap_size()) {
      BANKAI_ASSIGN_OR_RETURN(payload, encode(*codec, source, options.threads));
      size.bytes = payload.size();
    } else if (size.is_measured) {
      BANKAI_ASSIGN_OR_RETURN(size.bytes, encoded_size(*codec, source, options.threads));
    }
    choice.sizes.push_back(size);
    const bool is_better = choice.codec == nullptr || size.bytes < choice.bytes ||
                           (size.bytes == choice.bytes && rate > best_rate);
    if (!size.is_eligible || !is_better) continue;
    choice.codec = codec;
    choice.bytes = size.bytes;
    choice.payload = std::move(payload);
    best_rate = rate;
  }
  if (options.with_payload && choice.codec->has_cheap_size()) {
    BANKAI_ASSIGN_OR_RETURN(choice.payload, encode(*choice.codec, source, options.threads));
  }
  return choice;
}

}  // namespace bankai::packer
