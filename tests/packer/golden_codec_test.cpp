// The golden files of tests/golden/codec: bytes that never change. Each is a payload behind six
// bytes that say codec id, kind, element size, rows and columns (two bytes). They came from
// tests/make_codec_seeds; those of zlib and zstd, whose bytes differ between versions, are left
// out.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "core/mapped_file.h"
#include "packer/codec_table.h"
#include "packer/payload.h"

namespace bankai::packer {
namespace {

TEST(GoldenCodecs, PayloadsDecodeAndAreWrittenTheSameAgain) {
  std::set<std::uint8_t> codecs;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(BANKAI_SOURCE_DIR) +
                                                               "/tests/golden/codec")) {
    SCOPED_TRACE(entry.path().string());
    const std::string text = read_file(entry.path().string()).value();
    const auto bytes = std::as_bytes(std::span(text));
    ASSERT_GT(bytes.size(), 6U);
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); };
    const Codec* codec = find_codec(byte(0));
    ASSERT_NE(codec, nullptr);
    const Content content =
        make_content(static_cast<ContentKind>(byte(1)), byte(3), byte(4) + 256U * byte(5), byte(2))
            .value();
    const auto payload = bytes.subspan(6);
    const auto reader = PayloadReader::open(*codec, content, payload);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    std::vector<std::byte> logical(static_cast<std::size_t>(content.logical_bytes()));
    const Status status = reader->decode(logical);
    ASSERT_TRUE(status.ok()) << status.error().message;
    const std::vector<std::byte> again = encode(*codec, ContentSource(content, logical)).value();
    EXPECT_TRUE(std::equal(again.begin(), again.end(), payload.begin(), payload.end()));
    codecs.insert(codec->id());
  }
  EXPECT_EQ(codecs, (std::set<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16}));
}

}  // namespace
}  // namespace bankai::packer
