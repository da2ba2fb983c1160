#include "packer/codec_table.h"

#include <algorithm>
#include <array>

#include "packer/codec_list.h"
#include "packer/payload.h"

namespace bankai::packer {

std::span<const Codec* const> all_codecs() {
  static const std::array<const Codec*, 16> codecs = {
      &bits_raw_codec(),      &bits_context_codec(),   &trits_two_bit_codec(),
      &trits_base3_codec(),   &trits_bitmask_codec(),  &trits_order0_codec(),
      &trits_context_codec(), &scales_predict_codec(), &bytes_raw_codec(),
      &bytes_planes_codec(),  &zlib_codec(),           &zstd_fast_codec(),
      &zstd_small_codec(),    &lzma_codec(),           &bits_learned_codec(),
      &trits_learned_codec(),
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

namespace {

// Below it even slow encoders take no time.
constexpr std::uint64_t kSmallContentBytes = std::uint64_t{1} << 16U;

// Is it likely that a slow general coder beats the best codec so far? If the fast one saves at
// least a hundredth, and is not more than a tenth behind.
bool is_worth_slow_coders(const Content& content, std::uint64_t fast_bytes, std::uint64_t best) {
  if (content.logical_bytes() <= kSmallContentBytes) return true;
  const std::uint64_t plain =  // as general coders take it
      content.kind == ContentKind::kTrits ? (content.elements() + 3) / 4 : content.logical_bytes();
  return fast_bytes <= plain / 100 * 99 && fast_bytes <= best / 10 * 11;
}

bool uses_contexts(const Codec& codec) {
  return codec.id() == codec_ids::kBitsContext || codec.id() == codec_ids::kTritsContext;
}
bool learns(const Codec& codec) {
  return codec.id() == codec_ids::kBitsLearned || codec.id() == codec_ids::kTritsLearned;
}

class Chooser {
 public:
  Chooser(const ContentSource& source, const ChoiceOptions& options)
      : source_(source), content_(source.content()), options_(options) {
    std::uint32_t fastest = 0;
    for (const Codec* codec : all_codecs())
      if (codec->accepts(content_)) fastest = std::max(fastest, codec->decode_rate(content_));
    least_rate_ = std::min(options.min_decode_rate, fastest);
  }

  Result<CodecChoice> run() {
    for (const Codec* codec : all_codecs())
      if (!codec->is_slow_coder() && !uses_contexts(*codec))
        BANKAI_RETURN_IF_ERROR(consider(*codec, true));
    for (const Codec* codec : all_codecs())
      if (uses_contexts(*codec)) BANKAI_RETURN_IF_ERROR(consider(*codec, is_worth_contexts()));
    const bool tries_slow = is_worth_slow_coders(content_, fast_bytes_, choice_.bytes);
    for (const Codec* codec : all_codecs())
      if (codec->is_slow_coder()) BANKAI_RETURN_IF_ERROR(consider(*codec, tries_slow));
    if (options_.with_payload && choice_.codec->has_cheap_size()) {
      BANKAI_ASSIGN_OR_RETURN(choice_.payload, encode(*choice_.codec, source_, options_.threads));
    }
    std::ranges::sort(choice_.sizes, {}, [](const CodecSize& size) { return size.codec->id(); });
    return std::move(choice_);
  }

 private:
  Status consider(const Codec& codec, bool is_tried) {
    if (!codec.accepts(content_)) return {};
    const std::uint32_t rate = codec.decode_rate(content_);
    CodecSize size{&codec};
    size.is_eligible =
        rate >= least_rate_ && is_tried && content_.logical_bytes() <= codec.encode_limit_bytes();
    size.is_measured = size.is_eligible || options_.measure_all;
    EncodedPayload encoded;
    if (size.is_measured) {
      const bool keeps = size.is_eligible && options_.with_payload && !codec.has_cheap_size();
      BANKAI_ASSIGN_OR_RETURN(encoded,
                              encode_within(codec, source_, options_.threads, keeps, limit()));
      size.is_measured = !encoded.is_given_up;
      size.is_eligible = size.is_eligible && size.is_measured;
      size.bytes = encoded.size;
    }
    if (codec.id() == codec_ids::kZstdFast && size.is_measured) fast_bytes_ = size.bytes;
    if (learns(codec) && size.is_eligible)
      has_learned_ = size.bytes < choice_.bytes - choice_.bytes / 64;
    choice_.sizes.push_back(size);
    const bool is_better =
        choice_.codec == nullptr || size.bytes < choice_.bytes ||
        (size.bytes == choice_.bytes &&
         (rate > best_rate_ || (rate == best_rate_ && codec.id() < choice_.codec->id())));
    if (!size.is_eligible || !is_better) return {};
    choice_.codec = &codec;
    choice_.bytes = size.bytes;
    choice_.payload = std::move(encoded.bytes);
    best_rate_ = rate;
    return {};
  }

  // Learning finds what contexts find, and more: where it saves something, they have no chance.
  bool is_worth_contexts() const {
    return !has_learned_ || options_.measure_all || content_.logical_bytes() <= kSmallContentBytes;
  }

  // Estimates beyond it are not worth encoding: what is saved is lost to headers.
  std::uint64_t limit() const {
    const bool is_small = content_.logical_bytes() <= kSmallContentBytes;
    if (choice_.codec == nullptr || options_.measure_all || is_small) return kNoLimit;
    return choice_.bytes - choice_.bytes / 2048;
  }

  const ContentSource& source_;
  const Content& content_;
  const ChoiceOptions& options_;
  std::uint32_t least_rate_ = 0;
  std::uint64_t fast_bytes_ = ~std::uint64_t{0};  // of the fast general coder
  CodecChoice choice_;
  std::uint32_t best_rate_ = 0;
  bool has_learned_ = false;  // at least a 64th
};

}  // namespace

Result<CodecChoice> choose_codec(const ContentSource& source, const ChoiceOptions& options) {
  return Chooser(source, options).run();
}

}  // namespace bankai::packer
