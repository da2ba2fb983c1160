#include "model/shared_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/counter_rng.h"

namespace bankai::model {
namespace {

struct Block {
  std::vector<TokenId> tokens;
  std::vector<Segment> segments;
  void add(const std::vector<TokenId>& sequence) {
    segments.push_back({tokens.size(), sequence.size(), nullptr, 0});
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
  }
};

// The tokens of a segment with those before it, by the rule of Segment::parent.
std::vector<TokenId> whole(const SharedTokens& shared, std::size_t index) {
  const Segment& segment = shared.segments[index];
  std::vector<TokenId> sequence;
  if (segment.past > 0) {
    EXPECT_LT(segment.parent, index);
    sequence = whole(shared, segment.parent);
    EXPECT_GE(sequence.size(), segment.past);
    sequence.resize(segment.past);
  }
  const auto first = shared.tokens.begin() + static_cast<std::ptrdiff_t>(segment.first_token);
  sequence.insert(sequence.end(), first, first + static_cast<std::ptrdiff_t>(segment.num_tokens));
  return sequence;
}

// Each token of the block is where its sequence, up to it, is run.
void expect_right(const Block& block, const SharedTokens& shared) {
  ASSERT_EQ(shared.place_of.size(), block.tokens.size());
  for (const Segment& segment : block.segments)
    for (std::size_t i = 0; i < segment.num_tokens; ++i) {
      const std::size_t place = shared.place_of[segment.first_token + i];
      std::size_t owner = 0;
      while (place - shared.segments[owner].first_token >= shared.segments[owner].num_tokens)
        ASSERT_LT(++owner, shared.segments.size());
      const Segment& run = shared.segments[owner];
      ASSERT_EQ(run.past + place - run.first_token, i) << "the position";
      std::vector<TokenId> before = whole(shared, owner);
      before.resize(i + 1);
      const auto first = block.tokens.begin() + static_cast<std::ptrdiff_t>(segment.first_token);
      EXPECT_TRUE(std::equal(before.begin(), before.end(), first));
    }
}

TEST(SharedTokens, runs_what_neighbours_have_in_common_once) {
  Block block;
  block.add({1, 2, 3, 4});
  block.add({1, 2, 5});
  block.add({1, 2, 5, 6, 7});
  block.add({1, 2, 5, 6});  // nothing of its own
  block.add({1, 2, 5, 6, 8});
  block.add({2, 2});
  const SharedTokens shared = share_beginnings(block.tokens, block.segments);
  EXPECT_EQ(shared.tokens, (std::vector<TokenId>{1, 2, 3, 4, 5, 6, 7, 8, 2, 2}));
  EXPECT_EQ(shared.segments.size(), 5U);
  expect_right(block, shared);
}

TEST(SharedTokens, places_every_token_of_any_block) {
  const CounterRng rng(5);
  std::uint64_t draw = 0;
  for (int round = 0; round < 200; ++round) {
    Block block;
    const std::size_t count = rng.below(draw++, 8);
    for (std::size_t s = 0; s < count; ++s) {
      std::vector<TokenId> sequence(1 + rng.below(draw++, 6));
      for (TokenId& token : sequence) token = static_cast<TokenId>(rng.below(draw++, 2));
      block.add(sequence);
    }
    expect_right(block, share_beginnings(block.tokens, block.segments));
  }
}

}  // namespace
}  // namespace bankai::model
