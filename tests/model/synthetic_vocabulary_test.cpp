#include "model/synthetic_vocabulary.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/byte_alphabet.h"

namespace bankai::model {
namespace {

TEST(SyntheticVocabulary, TokensAreUniqueAndMergesMakeThem) {
  for (const std::size_t size : {std::size_t{258}, std::size_t{1000}, std::size_t{70000}}) {
    const SyntheticVocabulary vocabulary = make_synthetic_vocabulary(size);
    ASSERT_EQ(vocabulary.tokens.size(), size);
    ASSERT_EQ(vocabulary.types.size(), size);
    ASSERT_EQ(vocabulary.merges.size(), size - 258);
    std::set<std::string> earlier;
    for (std::size_t i = 0; i < size; ++i) {
      if (i >= 256 && i < size - 2) {
        const std::string& merge = vocabulary.merges[i - 256];
        const std::size_t space = merge.find(' ');
        ASSERT_NE(space, std::string::npos);
        const std::string left = merge.substr(0, space);
        const std::string right = merge.substr(space + 1);
        ASSERT_TRUE(earlier.count(left) == 1 && earlier.count(right) == 1) << merge;
        ASSERT_EQ(left + right, vocabulary.tokens[i]);
      }
      ASSERT_TRUE(earlier.insert(vocabulary.tokens[i]).second) << "token twice: " << i;
    }
    EXPECT_EQ(vocabulary.types[vocabulary.eos_id], 3);
    EXPECT_EQ(vocabulary.tokens[vocabulary.padding_id], "<|endoftext|>");
  }
}

TEST(SyntheticVocabulary, TheFirstTokensAreTheBytes) {
  const SyntheticVocabulary vocabulary = make_synthetic_vocabulary(300);
  for (std::size_t byte = 0; byte < 256; ++byte)
    EXPECT_EQ(bytes_of_alphabet_text(vocabulary.tokens[byte]),
              std::string(1, static_cast<char>(byte)));
}

}  // namespace
}  // namespace bankai::model
