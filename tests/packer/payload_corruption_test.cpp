// Damaged payloads: refused, or decoded to a valid content of the right size; never a crash. (That
// the content is the right one, the container's checksum says.)
#include <gtest/gtest.h>

#include <string>

#include "core/counter_rng.h"
#include "packer/codec_table.h"
#include "packer/payload.h"
#include "tests/packer/packer_data.h"

namespace bankai::packer {
namespace {

void expect_refused_or_valid(const Codec& codec, const Content& content,
                             std::span<const std::byte> payload) {
  // A copy of the exact size, so that a sanitizer sees reads past its end.
  const std::vector<std::byte> copy(payload.begin(), payload.end());
  const auto reader = PayloadReader::open(codec, content, copy);
  if (!reader.ok()) {
    EXPECT_FALSE(reader.error().message.empty());
    return;
  }
  std::vector<std::byte> logical(static_cast<std::size_t>(content.logical_bytes()));
  if (const Status status = reader->decode(logical); !status.ok()) {
    EXPECT_NE(status.error().message.find("at offset"), std::string::npos);
    return;
  }
  if (content.kind != ContentKind::kBits && content.kind != ContentKind::kTrits) return;
  const char* plain = content.kind == ContentKind::kBits ? "bits.raw" : "trits.base3";
  EXPECT_TRUE(encode(*find_codec(plain), ContentSource(content, logical)).ok());
}

template <typename Damage>
void for_each_small_payload(const Damage& damage) {
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{3, 5}, {3, 131}, {20, 32}})
    for (const TestContent& test : contents_of_shape(rows, cols))
      for (const Codec* codec : all_codecs()) {
        if (!codec->accepts(test.content)) continue;
        SCOPED_TRACE(std::string(codec->name()) + ", " + test.name);
        damage(*codec, test.content,
               encode(*codec, ContentSource(test.content, test.logical)).value());
      }
}

TEST(PayloadCorruption, EveryPrefixIsRefused) {
  for_each_small_payload(
      [](const Codec& codec, const Content& content, const std::vector<std::byte>& payload) {
        for (std::size_t size = 0; size < payload.size(); ++size) {
          const std::vector<std::byte> prefix(payload.begin(),
                                              payload.begin() + static_cast<std::ptrdiff_t>(size));
          const auto reader = PayloadReader::open(codec, content, prefix);
          if (!reader.ok()) continue;
          std::vector<std::byte> logical(static_cast<std::size_t>(content.logical_bytes()));
          EXPECT_FALSE(reader->decode(logical).ok()) << size;
        }
      });
}

TEST(PayloadCorruption, AByteTooManyIsRefused) {
  for_each_small_payload(
      [](const Codec& codec, const Content& content, std::vector<std::byte> payload) {
        payload.push_back(std::byte{0});
        const auto reader = PayloadReader::open(codec, content, payload);
        if (!reader.ok()) return;
        std::vector<std::byte> logical(static_cast<std::size_t>(content.logical_bytes()));
        EXPECT_FALSE(reader->decode(logical).ok());
      });
}

TEST(PayloadCorruption, EveryByteChangeIsRefusedOrDecodesToAValidContent) {
  for_each_small_payload(
      [](const Codec& codec, const Content& content, std::vector<std::byte> payload) {
        // The codecs that store bytes as they are have nothing more to show beyond some of them.
        const std::size_t step = payload.size() > 1000 ? 7 : 1;
        for (std::size_t i = 0; i < payload.size(); i += i < 100 ? 1 : step)
          for (const unsigned change : {0x01U, 0x10U, 0x80U, 0xffU}) {
            payload[i] ^= static_cast<std::byte>(change);
            expect_refused_or_valid(codec, content, payload);
            payload[i] ^= static_cast<std::byte>(change);
          }
      });
}

TEST(PayloadCorruption, RandomBytesAreRefusedOrDecodeToAValidContent) {
  const CounterRng rng(3);
  std::uint64_t draw = 0;
  for (const TestContent& test : contents_of_shape(6, 40))
    for (const Codec* codec : all_codecs()) {
      if (!codec->accepts(test.content)) continue;
      SCOPED_TRACE(std::string(codec->name()) + ", " + test.name);
      for (int round = 0; round < 100; ++round) {
        std::vector<std::byte> bytes(rng.below(draw++, 200));
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.bits(draw++) & 0xffU);
        expect_refused_or_valid(*codec, test.content, bytes);
      }
    }
}

TEST(PayloadCorruption, HugeShapesNeedNoMemoryForAShortPayload) {
  const std::byte few[4] = {};
  for (const ContentKind kind : {ContentKind::kBits, ContentKind::kTrits, ContentKind::kBlob}) {
    const Content content = make_content(kind, 1, std::uint64_t{1} << 48U).value();
    for (const Codec* codec : all_codecs())
      if (codec->accepts(content)) {
        EXPECT_FALSE(PayloadReader::open(*codec, content, few).ok()) << codec->name();
      }
  }
}

}  // namespace
}  // namespace bankai::packer
