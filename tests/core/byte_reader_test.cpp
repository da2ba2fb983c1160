#include "core/byte_reader.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "core/byte_writer.h"

namespace bankai {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Result<std::uint64_t> varint_of(std::initializer_list<int> values) {
  const std::vector<std::byte> bytes = bytes_of(values);
  ByteReader reader(bytes);
  return reader.read_varint("count");
}

TEST(ByteReader, ReadsWhatTheWriterWrote) {
  ByteWriter writer;
  writer.write<std::uint32_t>(0xdeadbeefU);
  writer.write<std::int64_t>(-5);
  writer.write<double>(0.1);
  writer.write_text("xyz");
  ByteReader reader(writer.bytes());
  EXPECT_EQ(reader.read<std::uint32_t>("a").value(), 0xdeadbeefU);
  EXPECT_EQ(reader.read<std::int64_t>("b").value(), -5);
  EXPECT_EQ(reader.read<double>("c").value(), 0.1);
  EXPECT_EQ(reader.offset(), 20U);
  EXPECT_EQ(reader.remaining(), 3U);
  const auto text = reader.read_bytes(3, "d").value();
  EXPECT_EQ(static_cast<char>(text[2]), 'z');
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_TRUE(reader.read_bytes(0, "nothing").ok());
}

TEST(ByteReader, EveryPrefixIsAnErrorThatSaysWhatIsMissing) {
  const std::vector<std::byte> bytes(8);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::span<const std::byte> whole = bytes;
    ByteReader reader(whole.first(length));
    const auto value = reader.read<std::uint64_t>("tensor count");
    ASSERT_FALSE(value.ok());
    EXPECT_EQ(value.error().code, ErrorCode::kBadInput);
    EXPECT_NE(value.error().message.find("tensor count at offset 0 needs 8 bytes"),
              std::string::npos);
    EXPECT_EQ(reader.remaining(), length) << "a failed read consumes nothing";
  }
}

TEST(ByteReader, HugeCountsDoNotWrapAround) {
  const std::vector<std::byte> bytes(16);
  ByteReader reader(bytes);
  ASSERT_TRUE(reader.read<std::uint32_t>("start").ok());
  for (const std::uint64_t count : {std::uint64_t{13}, std::numeric_limits<std::uint64_t>::max(),
                                    std::numeric_limits<std::uint64_t>::max() - 3})
    EXPECT_FALSE(reader.read_bytes(count, "name").ok()) << count;
  EXPECT_TRUE(reader.read_bytes(12, "name").ok());
}

TEST(ByteReaderVarint, EveryPowerOfTwoAndItsNeighboursComeBack) {
  std::vector<std::uint64_t> values = {0, std::numeric_limits<std::uint64_t>::max()};
  for (unsigned bit = 0; bit < 64; ++bit)
    for (const std::uint64_t delta : {0U, 1U, 2U})
      values.push_back((std::uint64_t{1} << bit) + delta - 1);
  ByteWriter writer;
  for (const std::uint64_t value : values) writer.write_varint(value);
  ByteReader reader(writer.bytes());
  for (const std::uint64_t value : values) EXPECT_EQ(reader.read_varint("x").value(), value);
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(ByteReaderVarint, RefusesEverythingButTheShortestForm) {
  EXPECT_EQ(varint_of({0x00}).value(), 0U);
  EXPECT_FALSE(varint_of({0x80, 0x00}).ok());              // 0 in two bytes
  EXPECT_FALSE(varint_of({0xff, 0x00}).ok());              // 127 in two bytes
  EXPECT_FALSE(varint_of({0x80, 0x80, 0x80, 0x00}).ok());  // 0 in four bytes
  EXPECT_EQ(varint_of({0x80, 0x01}).value(), 128U);
}

TEST(ByteReaderVarint, RefusesMoreThan64Bits) {
  const int f = 0xff;
  EXPECT_EQ(varint_of({f, f, f, f, f, f, f, f, f, 0x01}).value(),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(varint_of({f, f, f, f, f, f, f, f, f, 0x02}).ok());        // bit 64
  EXPECT_FALSE(varint_of({f, f, f, f, f, f, f, f, f, 0x7f}).ok());        // bits 64 to 69
  EXPECT_FALSE(varint_of({f, f, f, f, f, f, f, f, f, 0x81, 0x01}).ok());  // eleven bytes
  EXPECT_FALSE(varint_of({f, f, f, f, f, f, f, f, f, f, f, f}).ok());
}

TEST(ByteReaderVarint, RefusesAnEndInTheMiddle) {
  EXPECT_FALSE(varint_of({}).ok());
  EXPECT_FALSE(varint_of({0x80}).ok());
  const auto cut = varint_of({0xff, 0xff});
  ASSERT_FALSE(cut.ok());
  EXPECT_NE(cut.error().message.find("count"), std::string::npos);
}

TEST(ByteReaderVarint, AllOfTwoBytesReadOneWayOrNotAtAll) {
  // Every two-byte input that is read completely is what the writer makes of its value.
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::vector<std::byte> bytes = bytes_of({first, second});
      ByteReader reader(bytes);
      const auto value = reader.read_varint("x");
      if (!value.ok()) continue;
      ByteWriter writer;
      writer.write_varint(*value);
      ASSERT_EQ(writer.size(), reader.offset());
      for (std::size_t i = 0; i < writer.size(); ++i) ASSERT_EQ(writer.bytes()[i], bytes[i]);
    }
  }
}

}  // namespace
}  // namespace bankai
