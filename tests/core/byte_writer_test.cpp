#include "core/byte_writer.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/sha256.h"

namespace bankai {
namespace {

std::string hex(const ByteWriter& writer) { return to_hex(writer.bytes()); }

TEST(ByteWriter, WritesLittleEndian) {
  ByteWriter writer;
  writer.write<std::uint8_t>(0x01);
  writer.write<std::uint16_t>(0x0203);
  writer.write<std::uint32_t>(0x04050607);
  writer.write<std::uint64_t>(0x08090a0b0c0d0e0fU);
  writer.write<std::int16_t>(-2);
  writer.write<float>(1.0F);
  EXPECT_EQ(hex(writer),
            "01"
            "0302"
            "07060504"
            "0f0e0d0c0b0a0908"
            "feff"
            "0000803f");
}

TEST(ByteWriter, WritesTextAndZeros) {
  ByteWriter writer;
  writer.write_text("ab");
  writer.write_zeros(3);
  writer.write_text("");
  EXPECT_EQ(hex(writer), "6162000000");
  EXPECT_EQ(writer.size(), 5U);
  EXPECT_EQ(std::move(writer).bytes().size(), 5U);
}

TEST(ByteWriter, WritesVarintsInTheirShortestForm) {
  const auto varint = [](std::uint64_t value) {
    ByteWriter writer;
    writer.write_varint(value);
    return hex(writer);
  };
  EXPECT_EQ(varint(0), "00");
  EXPECT_EQ(varint(1), "01");
  EXPECT_EQ(varint(127), "7f");
  EXPECT_EQ(varint(128), "8001");
  EXPECT_EQ(varint(300), "ac02");
  EXPECT_EQ(varint(16383), "ff7f");
  EXPECT_EQ(varint(16384), "808001");
  EXPECT_EQ(varint(std::numeric_limits<std::uint64_t>::max()), "ffffffffffffffffff01");
}

}  // namespace
}  // namespace bankai
