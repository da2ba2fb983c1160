// The codecs bits.learned and trits.learned: digits with the probabilities of a LearnedModel,
// entropy-coded in one lane. Every block starts learning anew.
#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/dispatch.h"
#include "packer/codec_list.h"
#include "packer/digit_blocks.h"
#include "packer/learned_estimate.h"
#include "packer/learned_model.h"
#include "packer/rans.h"

namespace bankai::packer {
namespace {

// The interval of 1 is [0, P), that of 0 the rest.
class DecisionRecorder {
 public:
  explicit DecisionRecorder(std::size_t digits) { intervals_.reserve(digits); }
  bool decide(std::uint32_t p, bool bit) {
    intervals_.push_back(p << 1U | (bit ? 1U : 0U));
    return bit;
  }
  static bool is_lost() { return false; }
  // An encoder of this kind takes the last decision first.
  RansEncoder encode(bool with_words) const {
    RansEncoder encoder(1, with_words);
    for (std::size_t i = intervals_.size(); i-- > 0;) {
      const std::uint32_t p = intervals_[i] >> 1U;
      const bool bit = (intervals_[i] & 1U) != 0;
      encoder.put(0, bit ? 0 : p, bit ? p : 65536 - p, kLearnedPrecision);
    }
    return encoder;
  }

 private:
  std::vector<std::uint32_t> intervals_;
};

class DecisionReader {
 public:
  explicit DecisionReader(RansStream& stream) : stream_(stream) {}
  bool decide(std::uint32_t p, bool) {
    const auto slot = static_cast<std::uint32_t>(stream_.states[0] & 0xffffU);
    const bool bit = slot < p;
    // Without branches, which would be mispredicted as often as a digit is a surprise.
    const std::uint32_t mask = 0U - static_cast<std::uint32_t>(bit);
    stream_.words.advance<true>(stream_.states[0], slot, p & ~mask,
                                65536 - p + (mask & (2 * p - 65536)), kLearnedPrecision);
    return bit;
  }
  // Damage: what follows cannot come out right any more.
  bool is_lost() const { return stream_.words.missing() != 0; }

 private:
  RansStream& stream_;
};

// A matrix (rows, cols) by columns.
std::vector<std::uint8_t> transposed(std::span<const std::uint8_t> digits, std::size_t rows,
                                     std::size_t cols) {
  constexpr std::size_t kTile = 64;
  std::vector<std::uint8_t> out(rows * cols);
  for (std::size_t begin = 0; begin < rows; begin += kTile)
    for (std::size_t col = 0; col < cols; ++col)
      for (std::size_t row = begin; row < std::min(rows, begin + kTile); ++row)
        out[col * rows + row] = digits[row * cols + col];
  return out;
}

LearnedModel model_of(const Content& content, const Block& block) {
  // All tables give the same bytes, so a choice that is refused (and reported elsewhere) does no
  // harm here.
  const auto table = kernels::select_kernel("");
  return LearnedModel(table.ok() ? **table : *kernels::all_kernels().front(),
                      content.kind == ContentKind::kTrits, block.rows, block.cols);
}

class LearnedEncoder final : public ContentEncoder {
 public:
  explicit LearnedEncoder(const ContentSource& source)
      : content_(source.content()), estimate_(bytes_if_nothing_is_learned(source)) {}

  std::optional<std::uint64_t> estimated_bytes() const override { return estimate_; }

  std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                       std::vector<std::byte>* out) const override {
    std::vector<std::uint8_t> digits;
    digits_of(content_, logical, digits);
    if (block.rows < block.cols) digits = transposed(digits, block.rows, block.cols);
    LearnedModel model = model_of(content_, block);
    DecisionRecorder recorder(block.elements());
    model.code(recorder, digits.data());
    const RansEncoder encoder = recorder.encode(out != nullptr);
    if (out != nullptr) encoder.append_to(*out);
    return encoder.size_bytes();
  }

 private:
  Content content_;
  std::optional<std::uint64_t> estimate_;
};

class LearnedDecoder final : public ContentDecoder {
 public:
  explicit LearnedDecoder(const Content& content) : content_(content) {}

  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> logical) const override {
    BANKAI_ASSIGN_OR_RETURN(RansStream stream, RansStream::open(encoded, 1));
    std::vector<std::uint8_t> digits(block.elements());
    LearnedModel model = model_of(content_, block);
    DecisionReader reader(stream);
    model.code(reader, digits.data());
    BANKAI_RETURN_IF_ERROR(stream.finish(1));
    if (block.rows < block.cols) digits = transposed(digits, block.cols, block.rows);
    logical_of(content_, digits, logical);
    return {};
  }

 private:
  Content content_;
};

struct LearnedRates {
  std::uint32_t few_features;
  std::uint32_t many_features;
};

class LearnedCodec final : public Codec {
 public:
  LearnedCodec(ContentKind kind, std::string_view name, std::uint8_t id, const LearnedRates& rates)
      : kind_(kind), name_(name), id_(id), rates_(rates) {}
  std::string_view name() const override { return name_; }
  std::uint8_t id() const override { return id_; }
  std::string_view summary() const override {
    return "entropy coding by what like rows and columns have taught";
  }
  bool accepts(const Content& content) const override { return content.kind == kind_; }
  // A digit costs the more, the more features there are.
  std::uint32_t decode_rate(const Content& content) const override {
    if (content.elements() == 0) return rates_.few_features;
    const Block block = block_at(content, 0);
    return std::min(block.rows, block.cols) <= 256 ? rates_.few_features : rates_.many_features;
  }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource& source, int) const override {
    return std::make_unique<LearnedEncoder>(source);
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(const Content& content,
                                                       std::span<const std::byte>) const override {
    return std::unique_ptr<ContentDecoder>(std::make_unique<LearnedDecoder>(content));
  }

 private:
  ContentKind kind_;
  std::string_view name_;
  std::uint8_t id_;
  LearnedRates rates_;
};

}  // namespace

const Codec& bits_learned_codec() {
  static const LearnedCodec codec(ContentKind::kBits, "bits.learned", codec_ids::kBitsLearned,
                                  {.few_features = 40, .many_features = 25});
  return codec;
}
const Codec& trits_learned_codec() {
  static const LearnedCodec codec(ContentKind::kTrits, "trits.learned", codec_ids::kTritsLearned,
                                  {.few_features = 25, .many_features = 15});
  return codec;
}

}  // namespace bankai::packer
