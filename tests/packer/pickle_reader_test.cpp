#include "packer/pickle_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace bankai::packer {
namespace {

using namespace std::string_literals;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(PickleReader, ReadsNumbersTextAndContainers) {
  // {'a': [1, -2, 300, 70000, -3], 'b': (True, None, 0.5), 'c': b'x'}, by hand.
  const std::string pickle =
      "\x80\x02}q\0(X\1\0\0\0a]q\1(K\1J\xfe\xff\xff\xffM\x2c\x01J\x70\x11\1\0\x8a\x01\xfd"
      "eX\1\0\0\0b\x88NG\x3f\xe0\0\0\0\0\0\0\x87q\2X\1\0\0\0cC\1xu."s;
  const auto tree = PickleTree::read(bytes_of(pickle));
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  const PickleValue* list = tree->find(tree->root(), "a");
  ASSERT_NE(list, nullptr);
  ASSERT_EQ(list->kind, PickleKind::kList);
  const std::int64_t expected[] = {1, -2, 300, 70000, -3};
  ASSERT_EQ(list->items.size(), std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i)
    EXPECT_EQ(tree->at(list->items[i]).integer, expected[i]);
  const PickleValue* tuple = tree->find(tree->root(), "b");
  ASSERT_EQ(tuple->kind, PickleKind::kTuple);
  ASSERT_EQ(tuple->items.size(), 3U);
  EXPECT_EQ(tree->at(tuple->items[0]).integer, 1);
  EXPECT_EQ(tree->at(tuple->items[1]).kind, PickleKind::kNone);
  EXPECT_EQ(tree->at(tuple->items[2]).number, 0.5);
  EXPECT_EQ(tree->find(tree->root(), "c")->bytes, std::vector{std::byte{'x'}});
  EXPECT_EQ(tree->find(tree->root(), "d"), nullptr);
}

TEST(PickleReader, BytesOfProtocol2AreTextOfLatin1) {
  const std::string pickle =
      "\x80\x02"
      "c_codecs\nencode\nX\5\0\0\0a\xc3\xbf\xc2\x80X\6\0\0\0latin1\x86R."s;
  const auto tree = PickleTree::read(bytes_of(pickle));
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(tree->root().bytes, (std::vector{std::byte{'a'}, std::byte{0xff}, std::byte{0x80}}));
}

TEST(PickleReader, ExecutesAndAcceptsNothingElse) {
  struct Case {
    std::string pickle;
    ErrorCode code;
    const char* part;
  };
  const Case cases[] = {
      {"\x80\x02"
       "cos\nsystem\nX\2\0\0\0ls\x85R."s,
       ErrorCode::kUnsupported, "offset 2"},
      {"\x80\x02"
       "cbuiltins\neval\n."s,
       ErrorCode::kUnsupported, "'eval'"},
      {"\x80\x02\x8c\x05posix\x8c\x06system\x93."s, ErrorCode::kUnsupported, "'system'"},
      {"\x80\x02"
       "ccollections\nOrderedDict\nK\1\x85R."s,
       ErrorCode::kUnsupported, "OrderedDict"},
      {"\x80\x02i__builtin__\neval\n."s, ErrorCode::kUnsupported, "0x69"},
      {"\x80\x02}}b."s, ErrorCode::kUnsupported, "0x62"},     // BUILD
      {"\x80\x02o."s, ErrorCode::kUnsupported, "0x6f"},       // OBJ
      {"\x80\x02\x81."s, ErrorCode::kUnsupported, "0x81"},    // NEWOBJ
      {"\x80\x02\x82\1."s, ErrorCode::kUnsupported, "0x82"},  // EXT1
      {"\x80\x02I1\n."s, ErrorCode::kUnsupported, "0x49"},
      {"\x80\x06N."s, ErrorCode::kBadInput, "protocol 6"},
      {"\x80\x02NN."s, ErrorCode::kBadInput, "2 values"},
      {"\x80\x02N.N"s, ErrorCode::kBadInput, "follow"},
      {"\x80\x02."s, ErrorCode::kBadInput, "0 values"},
      {"\x80\x02(N."s, ErrorCode::kBadInput, "stack"},
      {"\x80\x02t."s, ErrorCode::kBadInput, "no mark"},
      {"\x80\x02(\x86."s, ErrorCode::kBadInput, "too few"},
      {"\x80\x02Na."s, ErrorCode::kBadInput, "expected a list"},
      {"\x80\x02NNa."s, ErrorCode::kBadInput, "expected a list"},
      {"\x80\x02}(Nu."s, ErrorCode::kBadInput, "without a value"},
      {"\x80\x02h\5."s, ErrorCode::kBadInput, "never set"},
      {"\x80\x02q\0."s, ErrorCode::kBadInput, "nothing to remember"},
      {"\x80\x02Nr\xff\xff\xff\xff."s, ErrorCode::kBadInput, "memo index"},
      {"\x80\x02\x8a\x09xxxxxxxxx."s, ErrorCode::kBadInput, "9 bytes"},
      {"\x80\x02X\xff\xff\xff\xff"
       "a."s,
       ErrorCode::kBadInput, "needs"},
      {"\x80\x02\x95\xff\0\0\0\0\0\0\0N."s, ErrorCode::kBadInput, "frame"},
      {"\x80\x02NK\1R."s, ErrorCode::kBadInput, "call of a value"},
      {"\x80\x02"
       "c_codecs\nencode\nX\1\0\0\0\xffX\6\0\0\0latin1\x86R."s,
       ErrorCode::kBadInput, "no character"},
      {"\x80\x02}(X\1\0\0\0aNX\1\0\0\0bNX\1\0\0\0aNu."s, ErrorCode::kBadInput,
       "'a' twice, again at offset 23"},
      {"\x80\x02}X\1\4\0\0"s + std::string(1025, 'k') + "Ns.", ErrorCode::kBadInput,
       "a key of 1025 bytes at offset 8"},
      {""s, ErrorCode::kBadInput, "opcode"},
  };
  for (const Case& c : cases) {
    const auto tree = PickleTree::read(bytes_of(c.pickle));
    ASSERT_FALSE(tree.ok()) << c.part;
    EXPECT_EQ(tree.error().code, c.code) << tree.error().message;
    EXPECT_NE(tree.error().message.find(c.part), std::string::npos) << tree.error().message;
  }
}

TEST(PickleReader, AValueThatContainsItselfIsHarmless) {
  const auto tree = PickleTree::read(bytes_of("\x80\x02]q\0h\0a."s));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(&tree->at(tree->root().items[0]), &tree->root());
}

TEST(PickleReader, DepthCostsNoStackAndValuesAreBounded) {
  std::string deep = "\x80\x02";
  for (int i = 0; i < 200000; ++i) deep += ']';
  for (int i = 1; i < 200000; ++i) deep += 'a';
  EXPECT_TRUE(PickleTree::read(bytes_of(deep + ".")).ok());
  const std::string many = "\x80\x02(" + std::string(kMaxPickleValues + 1, 'N') + "t.";
  const auto tree = PickleTree::read(bytes_of(many));
  ASSERT_FALSE(tree.ok());
  EXPECT_NE(tree.error().message.find("more than"), std::string::npos);
}

// As many keys and look-ups as fit: quadratic work would take minutes.
TEST(PickleReader, LookUpsInLargeDictionariesAreCheap) {
  constexpr std::size_t kKeys = kMaxPickleValues / 2 - 2;
  std::string pickle = "\x80\x02}("s;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    keys.push_back(std::to_string(i * 7919 % kKeys) + "k");
    pickle += "\x8c"s + static_cast<char>(keys.back().size()) + keys.back() + "N";
  }
  const std::string bytes = pickle + "u.";
  const auto tree = PickleTree::read(bytes_of(bytes));
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  for (const std::string& key : keys) EXPECT_NE(tree->find(tree->root(), key), nullptr);
  EXPECT_EQ(tree->find(tree->root(), "k"), nullptr);
}

// One text that the memo hands to many calls must not become many copies.
TEST(PickleReader, DecodedBytesAreBoundedByTheInput) {
  std::string bomb = "\x80\x02(X\x10\x27\0\0"s + std::string(10000, 'a') + "q\0"s;
  for (int i = 0; i < 1000; ++i) bomb += "c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R"s;
  const auto tree = PickleTree::read(bytes_of(bomb + "t."));
  ASSERT_FALSE(tree.ok());
  EXPECT_NE(tree.error().message.find("more than once"), std::string::npos);
}

}  // namespace
}  // namespace bankai::packer
