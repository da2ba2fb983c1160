#include "packer/golf_codes.h"

#include <gtest/gtest.h>

#include <vector>

namespace bankai::packer {
namespace {

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
  std::vector<std::byte> out;
  for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(GolfCodes, BitOrdersAreThoseOfTheFormat) {
  // −1 0 +1 0 | +1
  const auto expected = bytes({0xff, 0, 1, 0, 1});
  const auto two_bit = bytes({0U | 1U << 2 | 2U << 4 | 1U << 6, 2});
  const auto base3 = bytes({0 + 3 * 1 + 9 * 2 + 27 * 1 + 81 * 2});
  const auto bitmask = bytes({0b10101000, 0b01100000});
  EXPECT_EQ(unpack_golf_codes(GolfCodes::kTwoBit, two_bit, 5).value(), expected);
  EXPECT_EQ(unpack_golf_codes(GolfCodes::kBase3, base3, 5).value(), expected);
  EXPECT_EQ(unpack_golf_codes(GolfCodes::kBitmask, bitmask, 5).value(), expected);
  EXPECT_EQ(unpack_golf_codes(GolfCodes::kSigns, bytes({0b10110}), 5).value(),
            bytes({0xff, 1, 1, 0xff, 1}));
}

TEST(GolfCodes, DamageIsRefused) {
  const struct {
    GolfCodes codes;
    std::vector<std::byte> packed;
    std::uint64_t count;
  } cases[] = {
      {GolfCodes::kTwoBit, bytes({3}), 4},            // a code that stands for nothing
      {GolfCodes::kTwoBit, bytes({4}), 1},            // fill
      {GolfCodes::kTwoBit, bytes({0, 0}), 4},         // too long
      {GolfCodes::kBase3, bytes({243}), 5},           // beyond 3^5
      {GolfCodes::kBase3, bytes({}), 1},              // too short
      {GolfCodes::kBitmask, bytes({0x01}), 7},        // fill of the map
      {GolfCodes::kBitmask, bytes({0x80}), 8},        // no sign
      {GolfCodes::kBitmask, bytes({0x80, 0x40}), 8},  // fill of the signs
      {GolfCodes::kBitmask, bytes({0, 0}), 8},        // a sign too many
      {GolfCodes::kSigns, bytes({0x80}), 7},          // fill
      {GolfCodes::kSigns, bytes({}), std::uint64_t{1} << 63U},
      {GolfCodes::kBitmask, bytes({}), ~std::uint64_t{0}},
  };
  for (const auto& c : cases) {
    const auto read = unpack_golf_codes(c.codes, c.packed, c.count);
    ASSERT_FALSE(read.ok()) << golf_codes_name(c.codes);
    EXPECT_EQ(read.error().code, ErrorCode::kBadInput);
  }
}

}  // namespace
}  // namespace bankai::packer
