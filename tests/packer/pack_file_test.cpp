#include "packer/pack_file.h"

#include <gtest/gtest.h>

#include "core/counter_rng.h"
#include "packer/codec_list.h"
#include "packer/codec_table.h"
#include "packer/pack_layout.h"
#include "tests/packer/pack_trial.h"
#include "tests/support/gguf_builder.h"

namespace bankai::packer {
namespace {

using testing::GgufImage;

void expect_identity(const std::vector<std::byte>& model) {
  const std::vector<std::byte> pack = pack_bytes(model);
  const auto all = unpack_bytes(pack);
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_TRUE(*all == model);
  const auto file = PackFile::parse(pack, "pack");
  ASSERT_TRUE(file.ok());
  const auto loaded = unpack_to_memory(*file, 2);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_TRUE(std::ranges::equal(loaded->bytes(), model));
}

TEST(PackFile, EveryTypeComesBack) { expect_identity(testing::small_gguf().build()); }

TEST(PackFile, BothVersionsOddAlignmentsAndUnpaddedEndsComeBack) {
  for (const std::uint32_t version : {2U, 3U})
    for (const std::uint32_t alignment : {8U, 32U, 64U, 4096U})
      for (const bool pads : {true, false}) {
        SCOPED_TRACE(alignment);
        GgufImage image = testing::small_gguf();
        image.version = version;
        image.pads_last_tensor = pads;
        image.set_alignment(alignment);
        if (alignment > 64) image.tensors.erase(image.tensors.begin() + 7);  // of an ambiguous id
        expect_identity(image.build());
      }
}

TEST(PackFile, PaddingThatIsNotZeroComesBack) {
  std::vector<std::byte> model = testing::small_gguf().build();
  const auto file = model::GgufFile::parse(model, "model");
  ASSERT_TRUE(file.ok());
  const auto norm = file->find_tensor("norm.weight");
  model[static_cast<std::size_t>(norm->offset) + norm->data.size()] = std::byte{7};
  model.back() = std::byte{9};
  expect_identity(model);
}

TEST(PackFile, FilesWithoutTensorsOrValuesComeBack) {
  expect_identity(GgufImage().build());
  expect_identity(GgufImage().string("general.name", "none").build());
  expect_identity(GgufImage().tensor("a", {3}, 0, 12).build());
  std::vector<std::byte> padded = GgufImage().build();
  padded.resize(32, std::byte{1});
  expect_identity(padded);
}

TEST(PackFile, TheSameBytesForAnyNumberOfThreads) {
  const std::vector<std::byte> model = testing::small_gguf().build();
  const std::vector<std::byte> one = pack_bytes(model);
  PackOptions options;
  options.threads = 3;
  EXPECT_TRUE(one == pack_bytes(model, options));
  EXPECT_TRUE(unpack_bytes(one, 3).value() == model);
}

// Bytes that every version must read.
TEST(PackFile, TheGoldenPackGivesItsModel) {
  const std::string path = std::string(BANKAI_SOURCE_DIR) + "/tests/golden/pack/small.bkpack";
  const auto all = unpack_bytes(bytes_of_text(read_file(path).value()));
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_TRUE(*all == testing::small_gguf().build());
}

TEST(PackFile, CarriesPatches) {
  PackOptions options;
  for (const char* name : {"b", "a patch", "\xc3\xa9"})
    options.patches.push_back({name, bytes_of_text(std::string(name) + " content")});
  const std::vector<std::byte> pack = pack_bytes(testing::small_gguf().build(), options);
  const auto file = PackFile::parse(pack, "pack");
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_EQ(file->index().patches.size(), 3U);
  for (const NewPatch& patch : options.patches) {
    const auto found = file->find_patch(patch.name);
    ASSERT_TRUE(found.ok() && found->has_value());
    EXPECT_TRUE(std::ranges::equal(**found, patch.bytes));
  }
  EXPECT_FALSE(file->find_patch("c").value().has_value());
}

TEST(PackFile, EveryPrefixIsRefused) {
  const std::vector<std::byte> pack = pack_bytes(testing::small_gguf().build());
  for (std::size_t size = 0; size < pack.size(); ++size) {
    const std::vector<std::byte> prefix(pack.begin(),
                                        pack.begin() + static_cast<std::ptrdiff_t>(size));
    const auto file = PackFile::parse(prefix, "pack");
    ASSERT_FALSE(file.ok()) << size;
    EXPECT_EQ(file.error().message.rfind("pack: ", 0), 0U) << file.error().message;
    EXPECT_EQ(exit_code(file.error().code), 3) << file.error().message;
  }
}

TEST(PackFile, AByteTooManyIsRefused) {
  std::vector<std::byte> pack = pack_bytes(testing::small_gguf().build());
  pack.push_back(std::byte{0});
  EXPECT_FALSE(PackFile::parse(pack, "pack").ok());
}

TEST(PackFile, EveryByteChangeIsRefusedOrGivesTheSameModel) {
  const std::vector<std::byte> model = testing::small_gguf().build();
  PackOptions options;
  options.patches.push_back({"p", bytes_of_text("the content of a patch")});
  std::vector<std::byte> pack = pack_bytes(model, options);
  for (std::size_t i = 0; i < pack.size(); ++i)
    for (const unsigned change : {0x01U, 0x40U, 0xffU}) {
      pack[i] ^= static_cast<std::byte>(change);
      auto all = unpack_bytes(pack);
      if (all.ok()) {
        const auto file = PackFile::parse(pack, "pack");
        const auto patch = file->find_patch("p");
        EXPECT_TRUE(*all == model) << i;
        EXPECT_TRUE(!patch.ok() ||
                    (patch->has_value() && std::ranges::equal(**patch, options.patches[0].bytes)))
            << i;
      } else {
        EXPECT_EQ(exit_code(all.error().code), 3) << all.error().message;
        EXPECT_EQ(all.error().message.rfind("pack: ", 0), 0U) << all.error().message;
      }
      pack[i] ^= static_cast<std::byte>(change);
    }
}

TEST(PackFile, AnyBytesBehindTheHeaderAreRefusedWithoutHarm) {
  const CounterRng rng(5);
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    std::vector<std::byte> pack = pack_bytes(GgufImage().tensor("a", {3}, 0, 12).build());
    for (std::uint64_t i = 0; i < 4; ++i)
      pack[rng.below(8 * trial + 2 * i, pack.size())] =
          static_cast<std::byte>(rng.bits(8 * trial + 2 * i + 1));
    static_cast<void>(unpack_bytes(pack).ok());
  }
}

TEST(PackFile, AnotherVersionAndReservedFieldsAreRefused) {
  std::vector<std::byte> pack = pack_bytes(GgufImage().build());
  pack[8] = std::byte{3};
  EXPECT_EQ(PackFile::parse(pack, "pack").error().code, ErrorCode::kUnsupported);
  pack[8] = std::byte{2};  // that of plain files
  EXPECT_EQ(PackFile::parse(pack, "pack").error().code, ErrorCode::kBadInput);
  pack[8] = std::byte{1};
  pack[13] = std::byte{1};
  EXPECT_EQ(PackFile::parse(pack, "pack").error().code, ErrorCode::kBadInput);
}

// A well-formed pack of some hundred bytes that asks for 4 GiB.
TEST(PackFile, AModelFarLargerThanItsPackIsRefused) {
  PackIndex index;
  index.outline.tensors.push_back({"a", {std::uint64_t{1} << 30U}});
  const auto layout = GgufLayout::make(index.outline, 0);
  ASSERT_TRUE(layout.ok());
  index.file_bytes = layout->end();
  const Codec* const codec = find_codec(codec_ids::kZstdFast);
  index.tensors.push_back({{}, {{codec, 128}}, {}});
  std::vector<std::byte> pack = encode_pack_header();
  pack.resize(pack.size() + 128, std::byte{1});
  const std::vector<std::byte> plain = encode_index(index);
  PackFooter footer{pack.size(), plain.size(), plain.size(), codec_ids::kBytesRaw,
                    pack.size() + plain.size() + kPackFooterBytes};
  footer.checksum = footer_checksum(footer, plain);
  const std::vector<std::byte> end = encode_pack_footer(footer);
  pack.insert(pack.end(), plain.begin(), plain.end());
  pack.insert(pack.end(), end.begin(), end.end());
  const auto file = PackFile::parse(pack, "pack");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.error().message.find("cannot expand to 4294967"), std::string::npos)
      << file.error().message;
}

}  // namespace
}  // namespace bankai::packer
