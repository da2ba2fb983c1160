// Comparison with others: the vectors published with llama.cpp's vocabularies, and the ids that
// tokenizer_reference.py (which shares nothing with our code) gives for whole texts.

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/mapped_file.h"
#include "core/sha256.h"
#include "model/pretokenizer.h"
#include "model/tokenizer.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using Ids = std::vector<TokenId>;

Tokenizer load(const std::string& path) {
  const GgufFile file = GgufFile::open(path).value();
  return Tokenizer::from_gguf(file).value();  // outlives the file
}

std::string vocabulary_path(std::string_view pre) {
  return testing::reference_data_path("tokenizer/ggml-vocab-" + std::string(pre) + ".gguf");
}

std::string sha256_of(const Ids& ids) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(ids)));
  return to_hex(hash.finish());
}

// Texts, each followed by a line break and a line with the separator.
std::vector<std::string> read_inputs(const std::string& path) {
  const std::string content = read_file(path).value();
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> inputs;
  std::size_t begin = 0;
  for (std::size_t end; (end = content.find(separator, begin)) != std::string::npos;
       begin = end + separator.size())
    inputs.push_back(content.substr(begin, end - begin));
  EXPECT_EQ(begin, content.size()) << "text after the last separator";
  return inputs;
}

std::vector<Ids> read_expected(const std::string& path) {
  std::istringstream lines(read_file(path).value());
  std::vector<Ids> expected;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    expected.emplace_back();
    for (TokenId id = 0; numbers >> id;) expected.back().push_back(id);
  }
  return expected;
}

// The vectors of each pre-tokenizer that we know and that has some.
TEST(TokenizerReference, PublishedVectors) {
  if (vocabulary_path("qwen2").empty()) GTEST_SKIP() << "the published vocabularies are not here";
  for (const PreTokenizerRule& rule : pre_tokenizer_rules()) {
    const std::string path = vocabulary_path(rule.name);
    if (path.empty() || !std::filesystem::exists(path)) continue;
    const Tokenizer tokenizer = load(path);
    const std::vector<std::string> inputs = read_inputs(path + ".inp");
    const std::vector<Ids> expected = read_expected(path + ".out");
    ASSERT_EQ(inputs.size(), expected.size());
    ASSERT_GT(inputs.size(), 40U);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(tokenizer.encode(inputs[i]), expected[i]) << rule.name << ": " << inputs[i];
      EXPECT_EQ(tokenizer.decode(expected[i]), inputs[i]) << rule.name;
    }
  }
}

struct Golden {
  const char* vocabulary;
  const char* text;
  std::size_t num_ids;
  const char* sha256;  // of the ids as 32-bit little-endian integers
};

void expect_golden(const Tokenizer& tokenizer, const Golden& golden, const std::string& text) {
  const Ids ids = tokenizer.encode(text);
  EXPECT_EQ(ids.size(), golden.num_ids) << golden.text;
  EXPECT_EQ(sha256_of(ids), golden.sha256) << golden.text;
  EXPECT_TRUE(tokenizer.decode(ids) == text) << golden.text;
}

// python3 tests/model/tokenizer_reference.py ggml-vocab-VOCABULARY.gguf wikitext2-valid.txt
// (Python 3.11, Unicode 14.0). llama.cpp gives the same ids.
TEST(TokenizerReference, WikiText) {
  constexpr Golden kGolden[] = {
      {"gpt-2", "text/wikitext2-valid.txt", 258659,
       "9c87f1a0a64b3a69ad7f2f71b97326a29db8035b6a1ffb4147dabde3709ef775"},
      {"llama-bpe", "text/wikitext2-valid.txt", 262066,
       "a0e38014789951a0a94b10c967de627f5ce04ffbcb336e3fda7e2b12705b48e9"},
      {"qwen2", "text/wikitext2-valid.txt", 270674,
       "46df980e734bc5fc87eff5d9e6739b8a1d7db0c05897726a87117b8824250367"},
  };
  for (const Golden& golden : kGolden) {
    const std::string vocabulary = vocabulary_path(golden.vocabulary);
    const std::string path = testing::reference_data_path(golden.text);
    if (vocabulary.empty() || path.empty()) GTEST_SKIP() << "the reference data is not here";
    expect_golden(load(vocabulary), golden, read_file(path).value());
  }
}

constexpr const char* kDemoModel = "demo/bankai-demo-5m.gguf";

// python3 tests/model/tokenizer_reference.py data/demo/bankai-demo-5m.gguf data/TEXT
// llama.cpp gives the same ids.
TEST(TokenizerReference, DemoTexts) {
  constexpr Golden kGolden[] = {
      {kDemoModel, "demo/text/calculus.heldout.txt", 8644,
       "a77dcde2540014195010b608485a74489db40d78daadb85a32901bb3dabbfa6a"},
      {kDemoModel, "demo/text/calculus.search.txt", 8752,
       "aedbca53bd291e0745aecc68e001776e92e56fed0d59d54de25ec7d8112d6650"},
      {kDemoModel, "demo/text/general.control.txt", 6533,
       "7ea8a3bbec0c237ff824d2859ba1fbbb4f4b3eaed69fee36b37f625e1421c07b"},
      {kDemoModel, "demo/text/general.heldout.txt", 6738,
       "194ded62ef5f00aed08942bedbeccef1cb0681811fb7bf894d1daf5f7eeb7fd8"},
      {kDemoModel, "demo/text/sums.heldout.txt", 3121,
       "00007d180ceb54cbd43a08d9468a542a289586e337225cf40566669b9964a5b3"},
      {kDemoModel, "demo/text/sums.search.txt", 3136,
       "7b3292db3bb1f489fae4f6e7d5b0366c7a8d1946b3c6d1a76861687986a1c8b1"},
  };
  const Tokenizer tokenizer = load(testing::data_path(kDemoModel));
  for (const Golden& golden : kGolden)
    expect_golden(tokenizer, golden, read_file(testing::data_path(golden.text)).value());
}

// A line break before a letter is always a cut, so the ids of lines stand one after the other.
TEST(TokenizerReference, LinesOfTheDemoTextsAreEncodedApart) {
  const Tokenizer tokenizer = load(testing::data_path(kDemoModel));
  std::istringstream text(read_file(testing::data_path("demo/text/general.heldout.txt")).value());
  std::string before;
  Ids ids;
  for (std::string line; std::getline(text, line);) {
    line += '\n';
    const Ids own = tokenizer.encode(line);
    EXPECT_EQ(tokenizer.decode(own), line);
    before += line;
    ids.insert(ids.end(), own.begin(), own.end());
  }
  EXPECT_EQ(tokenizer.encode(before), ids);
}

TEST(TokenizerReference, DemoModel) {
  const Tokenizer tokenizer = load(testing::data_path(kDemoModel));
  EXPECT_EQ(tokenizer.vocabulary_size(), 1024U);
  EXPECT_EQ(tokenizer.bos(), -1);
  EXPECT_EQ(tokenizer.eos(), 1023);
  EXPECT_FALSE(tokenizer.adds_bos());
  for (TokenId token = 0; token < 1024; ++token)
    EXPECT_EQ(tokenizer.is_end_of_generation(token), token >= 1022) << token;
  EXPECT_EQ(tokenizer.encode("<|endoftext|><|im_end|>", true), (Ids{1022, 1023}));
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(TokenizerReference, DemoProbes) {
  const Tokenizer tokenizer = load(testing::data_path(kDemoModel));
  std::size_t num_texts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::data_path("demo/probes"))) {
    const auto probes = nlohmann::json::parse(read_file(entry.path().string()).value());
    for (const auto& probe : probes) {
      for (const char* field : {"prompt", "correct", "wrong"}) {
        const std::string text = probe.at(field);
        ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << entry.path();
        ++num_texts;
      }
    }
  }
  EXPECT_GT(num_texts, 1000U);
}

}  // namespace
}  // namespace bankai::model
