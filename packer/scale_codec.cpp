// The codec scales.predict: 16-bit floats as the errors of their prediction, split into a high part
// that is entropy-coded and low bits that look like noise and are stored as they are.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "packer/codec_list.h"
#include "packer/residual_table.h"
#include "packer/scale_prediction.h"
#include "packer/symbol_coder.h"

namespace bankai::packer {
namespace {

constexpr unsigned kWeightOrder = 4;  // Golomb orders
constexpr unsigned kInterceptOrder = 14;
constexpr unsigned kShiftBits = 4;
constexpr unsigned kScaleBits = 16;

std::int32_t scale_at(std::span<const std::byte> logical, std::size_t i) {
  std::uint16_t bits;
  std::memcpy(&bits, logical.data() + 2 * i, sizeof bits);
  return ordered_scale(bits);
}

// The scales of one kind: how they are predicted and how their errors are split.
struct KindModel {
  ScalePredictor predictor;
  unsigned shift = 0;  // number of low bits
};

std::uint8_t symbol_of(std::int32_t error, unsigned shift) {
  const std::int32_t high = error >> shift;
  return high < -kMaxResidual || high > kMaxResidual
             ? kResidualEscape
             : static_cast<std::uint8_t>(high + kMaxResidual);
}

using KindModels = std::array<KindModel, kScaleKinds>;

// Calls visit(kind, value, error) for every scale, in order.
template <typename Visit>
void visit_errors(std::span<const std::int32_t> scales, std::size_t cols, const KindModels& models,
                  const Visit& visit) {
  ScaleNeighbours neighbours(cols);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const std::size_t kind = scale_kind(i % cols);
    visit(kind, scales[i],
          scales[i] - predict_scale(models[kind].predictor, neighbours.features()));
    neighbours.advance(scales[i]);
  }
}

KindModels fit_models(std::span<const std::int32_t> scales, std::size_t cols) {
  KindModels models;
  const auto predictors = fit_scale_predictors(scales, cols);
  for (std::size_t kind = 0; kind < kScaleKinds; ++kind) models[kind].predictor = predictors[kind];
  std::array<std::uint64_t, kScaleKinds> sum{};
  std::array<std::uint64_t, kScaleKinds> count{};
  visit_errors(scales, cols, models, [&](std::size_t kind, std::int32_t, std::int32_t error) {
    // Outliers will be escapes: they must not widen the steps of all the others.
    sum[kind] += static_cast<std::uint32_t>(std::min(std::abs(error), 4096));
    ++count[kind];
  });
  // About 8 to 16 steps per mean error: finer ones would gain less than a hundredth of a bit.
  for (std::size_t kind = 0; kind < kScaleKinds; ++kind)
    if (count[kind] != 0)
      models[kind].shift = static_cast<unsigned>(
          std::max(0, static_cast<int>(std::bit_width(sum[kind] / count[kind])) - 4));
  return models;
}

class ScaleEncoder final : public ContentEncoder {
 public:
  std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                       std::vector<std::byte>* out) const override {
    std::vector<std::int32_t> scales(block.elements());
    for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = scale_at(logical, i);
    const KindModels models = fit_models(scales, block.cols);

    std::array<std::vector<std::uint8_t>, kScaleKinds> symbols;
    BitWriter low;
    visit_errors(scales, block.cols, models,
                 [&](std::size_t kind, std::int32_t value, std::int32_t error) {
                   const unsigned shift = models[kind].shift;
                   symbols[kind].push_back(symbol_of(error, shift));
                   if (symbols[kind].back() == kResidualEscape)
                     low.write(scale_of_ordered(value), kScaleBits);
                   else
                     low.write(static_cast<std::uint32_t>(error) & ((1U << shift) - 1U), shift);
                 });

    BitWriter head;
    ByteWriter streams;
    for (std::size_t kind = 0; kind < kScaleKinds; ++kind) {
      if (symbols[kind].empty()) continue;
      for (std::size_t i = 0; i < num_scale_features(kind); ++i)
        head.write_signed_golomb(models[kind].predictor.weights[i], kWeightOrder);
      head.write_signed_golomb(models[kind].predictor.intercept, kInterceptOrder);
      head.write(models[kind].shift, kShiftBits);
      std::array<std::uint64_t, kResidualSymbols> counts{};
      for (const std::uint8_t symbol : symbols[kind]) ++counts[symbol];
      const FrequencyTable table = write_best_residual_table(counts, head);
      std::vector<std::byte> stream;
      encode_symbols(table, symbols[kind], &stream);
      streams.write_varint(stream.size());
      streams.write_bytes(stream);
    }
    const std::vector<std::byte> head_bytes = std::move(head).finish();
    const std::vector<std::byte> low_bytes = std::move(low).finish();
    if (out != nullptr) {
      out->insert(out->end(), head_bytes.begin(), head_bytes.end());
      out->insert(out->end(), streams.bytes().begin(), streams.bytes().end());
      out->insert(out->end(), low_bytes.begin(), low_bytes.end());
    }
    return head_bytes.size() + streams.size() + low_bytes.size();
  }
};

Result<KindModel> read_kind(BitReader& reader, std::size_t kind) {
  KindModel model;
  for (std::size_t i = 0; i < num_scale_features(kind); ++i) {
    BANKAI_ASSIGN_OR_RETURN(
        const std::int64_t weight,
        reader.read_signed_golomb(kWeightOrder, -kMaxScaleWeight, kMaxScaleWeight));
    model.predictor.weights[i] = static_cast<std::int32_t>(weight);
  }
  BANKAI_ASSIGN_OR_RETURN(
      model.predictor.intercept,
      reader.read_signed_golomb(kInterceptOrder, -kMaxScaleIntercept, kMaxScaleIntercept));
  BANKAI_ASSIGN_OR_RETURN(model.shift, reader.read(kShiftBits));
  return model;
}

class ScaleDecoder final : public ContentDecoder {
 public:
  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> logical) const override {
    const std::array<std::size_t, kScaleKinds> counts = {block.rows, block.elements() - block.rows};
    KindModels models;
    std::array<std::optional<FrequencyTable>, kScaleKinds> tables;
    BitReader head(encoded);
    for (std::size_t kind = 0; kind < kScaleKinds; ++kind) {
      if (counts[kind] == 0) continue;
      BANKAI_ASSIGN_OR_RETURN(models[kind], read_kind(head, kind));
      BANKAI_ASSIGN_OR_RETURN(tables[kind], read_residual_table(head));
    }
    BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> rest, head.rest());
    ByteReader reader(rest);
    std::array<std::vector<std::uint8_t>, kScaleKinds> symbols;
    for (std::size_t kind = 0; kind < kScaleKinds; ++kind) {
      if (counts[kind] == 0) continue;
      BANKAI_ASSIGN_OR_RETURN(const std::uint64_t size, reader.read_varint("size of symbols"));
      BANKAI_ASSIGN_OR_RETURN(const auto stream, reader.read_bytes(size, "symbols"));
      symbols[kind].resize(counts[kind]);
      BANKAI_RETURN_IF_ERROR(decode_symbols(*tables[kind], stream, symbols[kind]));
    }
    return reconstruct(block, models, symbols, BitReader(rest.subspan(reader.offset())), logical);
  }

 private:
  static Status reconstruct(const Block& block, const KindModels& models,
                            const std::array<std::vector<std::uint8_t>, kScaleKinds>& symbols,
                            BitReader low, std::span<std::byte> logical) {
    std::array<std::size_t, kScaleKinds> next{};
    ScaleNeighbours neighbours(block.cols);
    for (std::size_t i = 0; i < block.elements(); ++i) {
      const std::size_t kind = scale_kind(i % block.cols);
      const KindModel& model = models[kind];
      const std::uint8_t symbol = symbols[kind][next[kind]++];
      std::int32_t value = 0;
      if (symbol == kResidualEscape) {
        BANKAI_ASSIGN_OR_RETURN(const std::uint32_t bits, low.read(kScaleBits));
        value = ordered_scale(static_cast<std::uint16_t>(bits));
      } else {
        BANKAI_ASSIGN_OR_RETURN(const std::uint32_t bits, low.read(model.shift));
        value = predict_scale(model.predictor, neighbours.features()) +
                (symbol - kMaxResidual) * (1 << model.shift) + static_cast<std::int32_t>(bits);
        if (value < -32768 || value > 32767)
          return make_error(ErrorCode::kBadInput, "scale %zu is out of its range", i);
      }
      const std::uint16_t scale = scale_of_ordered(value);
      std::memcpy(logical.data() + 2 * i, &scale, sizeof scale);
      neighbours.advance(value);
    }
    BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> rest, low.rest());
    if (!rest.empty())
      return make_error(ErrorCode::kBadInput, "%zu bytes behind the scales", rest.size());
    return {};
  }
};

class ScaleCodec final : public Codec {
 public:
  std::string_view name() const override { return "scales.predict"; }
  std::uint8_t id() const override { return codec_ids::kScalesPredict; }
  std::string_view summary() const override {
    return "16-bit floats, predicted from row and column";
  }
  bool accepts(const Content& content) const override {
    return content.kind == ContentKind::kScales;
  }
  std::uint32_t decode_rate(const Content&) const override { return 60; }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource&, int) const override {
    return std::make_unique<ScaleEncoder>();
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(const Content&,
                                                       std::span<const std::byte>) const override {
    return std::unique_ptr<ContentDecoder>(std::make_unique<ScaleDecoder>());
  }
};

}  // namespace

const Codec& scales_predict_codec() {
  static const ScaleCodec codec;
  return codec;
}

}  // namespace bankai::packer
