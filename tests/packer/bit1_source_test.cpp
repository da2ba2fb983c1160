#include "packer/bit1_source.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/counter_rng.h"
#include "model/bit1_file.h"
#include "model/random_binary_model.h"
#include "packer/general_coders.h"
#include "packer/pack_ledger.h"
#include "packer/pack_model.h"
#include "tests/packer/pack_trial.h"

namespace bankai::packer {
namespace {

using model::BinaryLinear;
using model::BinaryModel;
using model::BinaryShape;

std::vector<std::byte> pack_of(std::span<const std::byte> file, int threads = 1) {
  const testing::TempDir folder;
  const auto source = bit1_source(file, "model");
  if (!source.ok()) throw std::runtime_error(source.error().message);
  PackOptions options;
  options.threads = threads;
  const auto ledger = write_pack(*source, options, folder.path("pack"), Overwrite::kRefuse);
  if (!ledger.ok()) throw std::runtime_error(ledger.error().message);
  return bytes_of_text(read_file(folder.path("pack")).value());
}

// Columns prefer a sign, rows follow them more or less: what training leaves in such matrices.
void make_trained(BinaryLinear& linear, const CounterRng& rng, std::uint64_t stream) {
  model::BinaryMatrix& matrix = linear.weights;
  for (std::size_t row = 0; row < matrix.rows; ++row)
    for (std::size_t col = 0; col < matrix.cols; ++col) {
      const std::uint64_t preference = rng.below(stream + col, 128) + 64;  // of 256
      std::uint64_t& word = matrix.bits[row * matrix.row_words() + col / 64];
      const std::uint64_t bit = std::uint64_t{1} << col % 64;
      const std::uint64_t draw = stream + (1U << 20U) + row * matrix.cols + col;
      word = rng.below(draw, 256) < preference ? word | bit : word & ~bit;
    }
  for (std::size_t row = 0; row < linear.thresholds.size(); ++row)
    linear.thresholds[row] = static_cast<std::int32_t>(rng.below(stream + row, 41)) - 20;
}

BinaryModel trained_model(const BinaryShape& shape) {
  BinaryModel model = model::random_binary_model(shape, 1);
  const CounterRng rng(3);
  std::uint64_t stream = 0;
  for (model::BinaryLayer& layer : model.layers)
    model::for_each_linear(shape, layer,
                           [&](const char*, BinaryLinear& linear, std::size_t, std::size_t) {
                             make_trained(linear, rng, stream += std::uint64_t{1} << 32U);
                           });
  return model;
}

constexpr BinaryShape kSmall{.vocabulary = 32,
                             .width = 256,
                             .num_layers = 2,
                             .num_heads = 4,
                             .feed_forward = 320,
                             .context = 64};

TEST(Bit1Source, EveryShapeComesBack) {
  for (const std::size_t width : {1U, 63U, 64U, 65U, 129U}) {
    BinaryShape shape = kSmall;
    shape.width = width;
    shape.num_heads = 1;
    shape.feed_forward = width + 2;
    const auto file = model::encode_bit1(model::random_binary_model(shape, width));
    const auto pack = pack_of(file);
    const auto all = unpack_bytes(pack);
    ASSERT_TRUE(all.ok()) << all.error().message;
    EXPECT_TRUE(*all == file) << width;
    EXPECT_TRUE(pack_of(file, 3) == pack);
  }
}

TEST(Bit1Source, TheLedgerAddsUpAndTheImageRuns) {
  const auto file = model::encode_bit1(trained_model(kSmall));
  const auto bytes = pack_of(file);
  const auto pack = PackFile::parse(bytes, "pack");
  ASSERT_TRUE(pack.ok()) << pack.error().message;
  EXPECT_TRUE(pack->index().outline.is_plain());
  const auto ledger = audit_pack(*pack, 2, {});
  ASSERT_TRUE(ledger.ok()) << ledger.error().message;
  std::uint64_t sum = 0, raw = 0;
  for (const LedgerEntry& entry : ledger->entries) {
    sum += entry.bytes;
    raw += entry.raw_bytes;
  }
  EXPECT_EQ(sum, bytes.size());
  EXPECT_EQ(raw, file.size());
  const auto image = unpack_image(*pack, 1);
  ASSERT_TRUE(image.ok());
  EXPECT_TRUE(model::parse_bit1(image->bytes().first(file.size()), "image").ok());
}

TEST(Bit1Source, IsSmallerThanGeneralCodersMakeTheFile) {
  for (const bool is_trained : {false, true}) {
    const BinaryModel model =
        is_trained ? trained_model(kSmall) : model::random_binary_model(kSmall, 1);
    const auto file = model::encode_bit1(model);
    const std::size_t ours = pack_of(file).size();
    for (const GeneralCoder* coder : {&zlib_coder(), &zstd_small_coder(), &lzma_coder()})
      EXPECT_LT(ours, coder->compress(file).size()) << coder->name << is_trained;
  }
}

TEST(Bit1Source, DamageIsRefusedOrChangesNothing) {
  BinaryShape shape = kSmall;
  shape.width = 64;
  shape.num_layers = 1;
  shape.vocabulary = shape.feed_forward = 4;
  const auto file = model::encode_bit1(model::random_binary_model(shape, 2));
  std::vector<std::byte> pack = pack_of(file);
  for (std::size_t size = 0; size < pack.size(); ++size)
    ASSERT_FALSE(PackFile::parse(std::span(pack).first(size), "pack").ok()) << size;
  for (std::size_t i = 0; i < pack.size(); ++i)
    for (const unsigned change : {0x01U, 0x03U, 0xffU}) {
      pack[i] ^= static_cast<std::byte>(change);
      const auto all = unpack_bytes(pack);
      if (all.ok())
        EXPECT_TRUE(*all == file) << i;
      else
        EXPECT_EQ(exit_code(all.error().code), 3) << all.error().message;
      pack[i] ^= static_cast<std::byte>(change);
    }
}

TEST(Bit1Source, OtherFilesAreRefused) {
  EXPECT_EQ(bit1_source(bytes_of_text("another file"), "model").error().code, ErrorCode::kBadInput);
}

// Bytes that every version must read.
TEST(Bit1Source, TheGoldenPackGivesItsModel) {
  const std::string root = BANKAI_SOURCE_DIR;
  const auto all = unpack_bytes(
      bytes_of_text(read_file(root + "/tests/golden/pack/smallest_bit1.bkpack").value()));
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_TRUE(*all ==
              bytes_of_text(read_file(root + "/tests/fuzz/seeds/bit1/smallest.bit1").value()));
}

}  // namespace
}  // namespace bankai::packer
