// The codecs trits.bitmask (which trits are not 0, and their signs) and trits.order0 (five trits at
// once as one entropy-coded symbol; every block has its own frequencies).
#include <algorithm>
#include <array>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "packer/codec_list.h"
#include "packer/frequency_table.h"
#include "packer/symbol_coder.h"
#include "packer/trit_packing.h"
#include "packer/unused_bits.h"

namespace bankai::packer {
namespace {

bool is_trits(const Content& content) { return content.kind == ContentKind::kTrits; }

std::size_t bits_to_bytes(std::size_t bits) { return (bits + 7) / 8; }

class BitmaskEncoder final : public ContentEncoder {
 public:
  std::uint64_t encode(const Block&, std::span<const std::byte> trits,
                       std::vector<std::byte>* out) const override {
    const auto nonzero =
        static_cast<std::size_t>(trits.size() - static_cast<std::size_t>(std::count(
                                                    trits.begin(), trits.end(), std::byte{0})));
    const std::size_t mask_bytes = bits_to_bytes(trits.size());
    const std::size_t size = mask_bytes + bits_to_bytes(nonzero);
    if (out == nullptr) return size;
    const std::size_t begin = out->size();
    out->resize(begin + size);
    std::byte* mask = out->data() + begin;
    std::byte* signs = mask + mask_bytes;
    std::size_t sign = 0;
    for (std::size_t i = 0; i < trits.size(); ++i) {
      if (trits[i] == std::byte{0}) continue;
      mask[i / 8] |= std::byte{1} << (i % 8);
      if (trits[i] == std::byte{1}) signs[sign / 8] |= std::byte{1} << (sign % 8);
      ++sign;
    }
    return size;
  }
};

class BitmaskDecoder final : public ContentDecoder {
 public:
  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> trits) const override {
    const std::size_t count = block.elements();
    const std::size_t mask_bytes = bits_to_bytes(count);
    if (encoded.size() < mask_bytes)
      return make_error(ErrorCode::kBadInput, "%zu bytes for a mask of %zu", encoded.size(),
                        mask_bytes);
    const auto bit = [](const std::byte* from, std::size_t i) {
      return std::to_integer<unsigned>(from[i / 8]) >> (i % 8) & 1U;
    };
    const std::byte* mask = encoded.data();
    const std::byte* signs = mask + mask_bytes;
    const std::size_t max_signs = (encoded.size() - mask_bytes) * 8;
    std::size_t sign = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned is_nonzero = bit(mask, i);
      if (sign + is_nonzero > max_signs)
        return make_error(ErrorCode::kBadInput, "more than %zu signs in the mask", max_signs);
      trits[i] = is_nonzero == 0         ? std::byte{0}
                 : bit(signs, sign) != 0 ? std::byte{1}
                                         : std::byte{0xff};
      sign += is_nonzero;
    }
    if (bits_to_bytes(sign) != encoded.size() - mask_bytes)
      return make_error(ErrorCode::kBadInput, "%zu signs in %zu bytes", sign,
                        encoded.size() - mask_bytes);
    if (has_unused_ones(mask, count))
      return make_error(ErrorCode::kBadInput, "an unused bit of the mask is 1");
    if (has_unused_ones(signs, sign))
      return make_error(ErrorCode::kBadInput, "an unused bit of the signs is 1");
    return {};
  }
};

// How a block of trits.order0 goes on after its first byte.
enum class Order0Mode : std::uint8_t {
  kPacked = 0,    // as trits.base3
  kByDigits = 1,  // frequencies of digits 0 and 1, of 2^16: varints; coded symbols
  kByTable = 2,   // frequency table of the symbols; coded symbols
};

constexpr unsigned kDigitPrecision = 16;

// The frequencies of five independent digits, given those of one in 2^16.
FrequencyTable product_table(const std::array<std::uint64_t, 3>& digits) {
  std::array<std::uint64_t, kBase3Codes> weights{};
  for (unsigned code = 0; code < kBase3Codes; ++code) {
    std::uint64_t weight = std::uint64_t{1} << 32U;
    for (unsigned i = 0, rest = code; i < kTritsPerByte; ++i, rest /= 3)
      weight = digits[rest % 3] == 0 ? 0
               : weight == 0         ? 0
                                     : std::max<std::uint64_t>(1, weight * digits[rest % 3] >> 16U);
    weights[code] = weight;
  }
  return FrequencyTable::from_weights(weights, kDigitPrecision);
}

struct Order0Plan {
  Order0Mode mode = Order0Mode::kPacked;
  std::vector<std::byte> head;  // with the mode
  std::optional<FrequencyTable> table;
};

Order0Plan plan_order0(std::span<const std::uint8_t> codes) {
  std::array<std::uint64_t, kBase3Codes> counts{};
  for (const std::uint8_t code : codes) ++counts[code];
  std::array<std::uint64_t, 3> digit_counts{};
  for (unsigned code = 0; code < kBase3Codes; ++code)
    for (unsigned i = 0, rest = code; i < kTritsPerByte; ++i, rest /= 3)
      digit_counts[rest % 3] += counts[code];
  const FrequencyTable of_digits = FrequencyTable::from_weights(digit_counts, kDigitPrecision);
  FrequencyTable by_digits =
      product_table({of_digits.frequency(0), of_digits.frequency(1), of_digits.frequency(2)});
  FrequencyTable by_table = FrequencyTable::best_for_counts(counts);

  constexpr std::uint64_t kBit = 1U << 16U;
  const std::uint64_t packed_cost = codes.size() * 8 * kBit;
  const std::uint64_t lanes_cost = num_symbol_lanes(codes.size()) * 32 * kBit;
  const std::uint64_t digits_cost = by_digits.cost(counts) + 48 * kBit + lanes_cost;
  const std::uint64_t table_cost = by_table.cost(counts) + by_table.size_bits() * kBit + lanes_cost;

  Order0Plan plan;
  ByteWriter head;
  if (packed_cost <= std::min(digits_cost, table_cost)) {
    head.write(static_cast<std::uint8_t>(plan.mode));
  } else if (digits_cost <= table_cost) {
    plan.mode = Order0Mode::kByDigits;
    head.write(static_cast<std::uint8_t>(plan.mode));
    head.write_varint(of_digits.frequency(0));
    head.write_varint(of_digits.frequency(1));
    plan.table = std::move(by_digits);
  } else {
    plan.mode = Order0Mode::kByTable;
    head.write(static_cast<std::uint8_t>(plan.mode));
    BitWriter bits;
    by_table.write(bits);
    head.write_bytes(std::move(bits).finish());
    plan.table = std::move(by_table);
  }
  plan.head = std::move(head).bytes();
  return plan;
}

class Order0Encoder final : public ContentEncoder {
 public:
  std::uint64_t encode(const Block&, std::span<const std::byte> trits,
                       std::vector<std::byte>* out) const override {
    std::vector<std::uint8_t> codes((trits.size() + kTritsPerByte - 1) / kTritsPerByte);
    pack_base3(trits.size(), trits.data(), reinterpret_cast<std::byte*>(codes.data()));
    const Order0Plan plan = plan_order0(codes);
    if (out != nullptr) out->insert(out->end(), plan.head.begin(), plan.head.end());
    if (plan.table) return plan.head.size() + encode_symbols(*plan.table, codes, out);
    if (out != nullptr)
      for (const std::uint8_t code : codes) out->push_back(std::byte{code});
    return plan.head.size() + codes.size();
  }
};

Result<FrequencyTable> read_digit_table(ByteReader& reader) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t first, reader.read_varint("frequency of −1"));
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t second, reader.read_varint("frequency of 0"));
  constexpr std::uint64_t kWhole = std::uint64_t{1} << kDigitPrecision;
  if (first > kWhole || second > kWhole - first)
    return make_error(ErrorCode::kBadInput, "frequencies of %llu and %llu in 65536",
                      static_cast<unsigned long long>(first),
                      static_cast<unsigned long long>(second));
  return product_table({first, second, kWhole - first - second});
}

class Order0Decoder final : public ContentDecoder {
 public:
  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> trits) const override {
    const std::size_t count = block.elements();
    ByteReader reader(encoded);
    BANKAI_ASSIGN_OR_RETURN(const auto mode, reader.read<std::uint8_t>("mode"));
    std::span<const std::byte> rest = encoded.subspan(1);
    std::vector<std::uint8_t> codes((count + kTritsPerByte - 1) / kTritsPerByte);
    if (mode == static_cast<std::uint8_t>(Order0Mode::kPacked)) {
      if (rest.size() != codes.size())
        return make_error(ErrorCode::kBadInput, "%zu bytes for %zu trits", rest.size(), count);
      return unpack_base3(count, rest.data(), trits.data());
    }
    if (mode == static_cast<std::uint8_t>(Order0Mode::kByDigits)) {
      BANKAI_ASSIGN_OR_RETURN(const FrequencyTable table, read_digit_table(reader));
      BANKAI_RETURN_IF_ERROR(decode_symbols(table, encoded.subspan(reader.offset()), codes));
    } else if (mode == static_cast<std::uint8_t>(Order0Mode::kByTable)) {
      BitReader bits(rest);
      BANKAI_ASSIGN_OR_RETURN(const FrequencyTable table, FrequencyTable::read(bits, kBase3Codes));
      BANKAI_ASSIGN_OR_RETURN(rest, bits.rest());
      BANKAI_RETURN_IF_ERROR(decode_symbols(table, rest, codes));
    } else {
      return make_error(ErrorCode::kBadInput, "mode %u of entropy-coded trits", mode);
    }
    expand_base3(codes, count, trits.data());
    return {};
  }
};

template <typename Encoder, typename Decoder>
class TritCodec final : public Codec {
 public:
  TritCodec(std::string_view name, std::uint8_t id, std::string_view summary, std::uint32_t rate,
            bool has_cheap_size)
      : name_(name), id_(id), summary_(summary), rate_(rate), has_cheap_size_(has_cheap_size) {}
  std::string_view name() const override { return name_; }
  std::uint8_t id() const override { return id_; }
  std::string_view summary() const override { return summary_; }
  bool accepts(const Content& content) const override { return is_trits(content); }
  std::uint32_t decode_rate(const Content&) const override { return rate_; }
  bool has_cheap_size() const override { return has_cheap_size_; }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource&, int) const override {
    return std::make_unique<Encoder>();
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(const Content&,
                                                       std::span<const std::byte>) const override {
    return std::unique_ptr<ContentDecoder>(std::make_unique<Decoder>());
  }

 private:
  std::string_view name_;
  std::uint8_t id_;
  std::string_view summary_;
  std::uint32_t rate_;
  bool has_cheap_size_;
};

}  // namespace

const Codec& trits_bitmask_codec() {
  static const TritCodec<BitmaskEncoder, BitmaskDecoder> codec(
      "trits.bitmask", codec_ids::kTritsBitmask, "a bit per trit, and the signs of those not 0", 80,
      true);
  return codec;
}
const Codec& trits_order0_codec() {
  static const TritCodec<Order0Encoder, Order0Decoder> codec(
      "trits.order0", codec_ids::kTritsOrder0, "entropy coding, five trits at once", 1200, false);
  return codec;
}

}  // namespace bankai::packer
