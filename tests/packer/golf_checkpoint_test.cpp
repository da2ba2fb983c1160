// The golden files of tests/golden/golf, and what becomes of them when they are damaged. That the
// numbers mean what they should: tests/cli/infer_golf_test.py.
#include "packer/golf_checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "packer/golf_builder.h"

namespace bankai::packer {
namespace {

using Bytes = std::vector<std::byte>;

Bytes golden(const char* name) {
  const std::string text =
      read_file(std::string(BANKAI_SOURCE_DIR) + "/tests/golden/golf/" + name).value();
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// Everything that reading and building look at.
bool reads(std::span<const std::byte> bytes) {
  const auto checkpoint = read_golf_checkpoint(bytes);
  if (!checkpoint.ok()) {
    EXPECT_FALSE(checkpoint.error().message.empty());
    return false;
  }
  return build_golf_model(*checkpoint, GolfAlpha::kStored, {}).ok();
}

TEST(GolfCheckpoint, GoldenFilesAreRead) {
  for (const char* name : {"two_bit.pt", "two_bit.ptz", "bitmask.pt", "bitmask.ptz"}) {
    const Bytes bytes = golden(name);
    EXPECT_TRUE(looks_like_golf(bytes)) << name;
    const auto checkpoint = read_golf_checkpoint(bytes);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    const auto model = build_golf_model(*checkpoint, GolfAlpha::kStored, {});
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->parameters.vocabulary, 9U);
    EXPECT_EQ(model->parameters.embedding, 4U);
    EXPECT_EQ(model->parameters.heads, 2U);
    EXPECT_EQ(model->parameters.kv_heads, 1U);
    EXPECT_EQ(model->parameters.hidden, 6U);
    EXPECT_EQ(model->parameters.passes, 2U);
    EXPECT_EQ(model->blocks.size(), 1U);
  }
}

TEST(GolfCheckpoint, TheTwoPackingsOfOneModelAreEqual) {
  const Bytes plain = golden("two_bit.pt");
  const Bytes packed = golden("two_bit.ptz");
  const auto a = read_golf_checkpoint(plain);
  const auto b = read_golf_checkpoint(packed);
  ASSERT_EQ(a->matrices.size(), b->matrices.size());
  for (std::size_t i = 0; i < a->matrices.size(); ++i)
    EXPECT_EQ(a->matrices[i].weights, b->matrices[i].weights);
  EXPECT_EQ(a->content.compression, OuterCompression::kNone);
  EXPECT_EQ(b->content.compression, OuterCompression::kZlib);
}

TEST(GolfCheckpoint, EveryPrefixIsRefused) {
  for (const char* name : {"two_bit.ptz", "bitmask.ptz"}) {
    const Bytes bytes = golden(name);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(reads(std::span(bytes).first(size))) << name << " " << size;
  }
  const Bytes plain = golden("bitmask.pt");
  for (std::size_t size = 0; size < plain.size(); size += 7)
    EXPECT_FALSE(reads(std::span(plain).first(size))) << size;
}

// A stored byte that changes is found by the CRC of its entry or by the directory; bytes that
// nobody reads (times, fill) may change.
TEST(GolfCheckpoint, EveryChangedByteIsRefusedOrHarmless) {
  Bytes bytes = golden("two_bit.pt");
  const auto original = read_golf_checkpoint(bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned change : {0x01U, 0x80U}) {
      bytes[i] ^= static_cast<std::byte>(change);
      const auto checkpoint = read_golf_checkpoint(bytes);
      if (checkpoint.ok()) {
        ASSERT_EQ(checkpoint->matrices.size(), original->matrices.size());
        for (std::size_t m = 0; m < original->matrices.size(); ++m)
          ASSERT_EQ(checkpoint->matrices[m].weights, original->matrices[m].weights) << i;
      }
      bytes[i] ^= static_cast<std::byte>(change);
    }
  }
}

// Behind the CRC: any byte of the pickle itself may be hostile.
TEST(PickleReader, EveryChangedByteAndPrefixOfACheckpointsPickleIsHarmless) {
  for (const char* name : {"two_bit.pt", "bitmask.pt"}) {
    const Bytes file = golden(name);
    const auto entries = read_stored_zip(file);
    ASSERT_TRUE(entries.ok());
    Bytes pickle((*entries)[0].data.begin(), (*entries)[0].data.end());
    ASSERT_TRUE(PickleTree::read(pickle).ok());
    for (std::size_t size = 0; size < pickle.size(); ++size)
      EXPECT_FALSE(PickleTree::read(std::span(pickle).first(size)).ok());
    for (std::size_t i = 0; i < pickle.size(); ++i) {
      const std::byte kept = pickle[i];
      for (unsigned value = 0; value < 256; value += 17) {
        pickle[i] = static_cast<std::byte>(value);
        static_cast<void>(read_golf_checkpoint(pickle).ok());
      }
      pickle[i] = kept;
    }
  }
}

// Pickles by hand.
std::string text(const std::string& content) {
  return std::string("X") + static_cast<char>(content.size()) + std::string(3, '\0') + content;
}
std::string number(std::uint64_t value) {
  std::string bytes = "\x8a\x08";
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xffU);
  return bytes;
}
std::string bytes_value(std::size_t count) {
  return std::string("C") + static_cast<char>(count) + std::string(count, '\0');
}
std::string pickle_of(const std::string& value) { return "\x80\x02" + value + "."; }

std::span<const std::byte> bytes_of(const std::string& pickle) {
  return std::as_bytes(std::span(pickle));
}

// A hundred names for one matrix would take a hundred times its memory.
TEST(GolfCheckpoint, EntriesThatShareTheirBytesAreRefused) {
  const std::string entry = "}(" + text("shape") + number(16) + number(16) + "\x86" + text("n") +
                            number(256) + text("alpha") + "G" + std::string(8, '\0') +
                            text("packed") + bytes_value(64) + "u";
  const auto file = [&](int names) {
    std::string entries = text("a0") + entry + "q" + '\1';
    for (int i = 1; i < names; ++i) entries += text("a" + std::to_string(i)) + "h" + '\1';
    return pickle_of("}(" + text("__format__") + text("bitnet_ternary_2bit_v1") + text("ternary") +
                     "}(" + entries + "u" + text("other") + "}" + "u");
  };
  const std::string few = file(2);
  const auto read = read_golf_checkpoint(bytes_of(few));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->matrices.size(), 2U);
  const std::string many = file(100);
  const auto refused = read_golf_checkpoint(bytes_of(many));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("share bytes"), std::string::npos);
}

// 2^24 rows of 2^40 columns are 0 modulo 2^64: no codes, but a matrix to be filled.
TEST(GolfCheckpoint, GroupsBeyondEveryMatrixAreRefused) {
  const std::uint64_t huge = std::uint64_t{1} << 40U;
  const std::string pickle = pickle_of(
      "}(" + text("tok_emb.weight") + "}(" + text("type") + text("binary") + text("shape") +
      number(1U << 24U) + number(1) + "\x86" + text("padded_cols") + number(huge) +
      text("group_size") + number(huge) + text("packed") + bytes_value(0) + "uu");
  const auto read = read_golf_checkpoint(bytes_of(pickle));
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("do not fill groups"), std::string::npos)
      << read.error().message;
}

TEST(CompressedFile, TooMuchContentIsRefused) {
  const Bytes zlib = golden("two_bit.ptz");
  const Bytes xz = golden("bitmask.ptz");
  for (const Bytes& bytes : {zlib, xz}) {
    const std::size_t size = expand_file(bytes, std::size_t{1} << 20U)->bytes.size();
    EXPECT_TRUE(expand_file(bytes, size).ok());
    const auto limited = expand_file(bytes, size - 1);
    ASSERT_FALSE(limited.ok());
    EXPECT_EQ(limited.error().code, ErrorCode::kUnsupported);
    Bytes more = bytes;
    more.push_back(std::byte{0});
    EXPECT_FALSE(expand_file(more, size).ok());
  }
}

TEST(GolfBuilder, RederivedScaleIsTheStoredOneTimesTheShareOfNonZeros) {
  const Bytes bytes = golden("two_bit.pt");
  const auto checkpoint = read_golf_checkpoint(bytes);
  const auto stored = build_golf_model(*checkpoint, GolfAlpha::kStored, {});
  const auto rederived = build_golf_model(*checkpoint, GolfAlpha::kRederived, {});
  ASSERT_TRUE(stored.ok() && rederived.ok());
  const model::GolfMatrix& matrix = stored->blocks[0].up;
  const std::vector<std::byte>& trits = checkpoint->find_matrix("blocks.0.mlp.fc.weight")->weights;
  double nonzeros = 0.0;
  for (const std::byte trit : trits) nonzeros += trit == std::byte{0} ? 0.0 : 1.0;
  EXPECT_DOUBLE_EQ(rederived->blocks[0].up.scale(),
                   matrix.scale() * nonzeros / static_cast<double>(trits.size()));
}

}  // namespace
}  // namespace bankai::packer
