#include "model/tokenizer_metadata.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/gguf_writer.h"

namespace bankai::model {
namespace {

const std::vector<std::string> kTokens = {"a", "b", "ab"};
const std::vector<std::string> kMerges = {"a b"};

// The keys of a complete file, each of which a test can replace or leave out.
class MetadataFile {
 public:
  using Write = std::function<void(GgufBuilder&, const std::string& key)>;

  MetadataFile() {
    set("model", [](GgufBuilder& b, const std::string& key) { b.add_string(key, "gpt2"); });
    set("pre", [](GgufBuilder& b, const std::string& key) { b.add_string(key, "qwen2"); });
    set("tokens", [](GgufBuilder& b, const std::string& key) { b.add_strings(key, kTokens); });
    set("merges", [](GgufBuilder& b, const std::string& key) { b.add_strings(key, kMerges); });
  }
  void set(const std::string& name, Write write) { keys_["tokenizer.ggml." + name] = write; }
  void erase(const std::string& name) { keys_.erase("tokenizer.ggml." + name); }

  // `check` sees the result while the bytes that it points into live.
  void read(const std::function<void(const Result<TokenizerMetadata>&)>& check) const {
    GgufBuilder builder;
    for (const auto& [key, write] : keys_) write(builder, key);
    const std::vector<std::byte> bytes = builder.header().value();
    const GgufFile file = GgufFile::parse(bytes, "test.gguf").value();
    check(read_tokenizer_metadata(file));
  }
  void expect_error(ErrorCode code, const std::string& part) const {
    read([&](const Result<TokenizerMetadata>& metadata) {
      ASSERT_FALSE(metadata.ok()) << part;
      EXPECT_EQ(metadata.error().code, code);
      EXPECT_TRUE(metadata.error().message.starts_with("test.gguf: ")) << metadata.error().message;
      EXPECT_NE(metadata.error().message.find(part), std::string::npos) << metadata.error().message;
    });
  }

 private:
  std::map<std::string, Write> keys_;
};

void write_number(GgufBuilder& builder, const std::string& key) { builder.add<float>(key, 1.5F); }

TEST(TokenizerMetadata, ReadsTheKeysThatMustBeThere) {
  MetadataFile().read([](const Result<TokenizerMetadata>& metadata) {
    ASSERT_TRUE(metadata.ok()) << metadata.error().message;
    EXPECT_EQ(metadata->source, "test.gguf");
    EXPECT_EQ(metadata->pre, "qwen2");
    EXPECT_EQ(metadata->tokens, (std::vector<std::string_view>{"a", "b", "ab"}));
    EXPECT_EQ(metadata->merges, std::vector<std::string_view>{"a b"});
    EXPECT_TRUE(metadata->types.empty());
    EXPECT_EQ(metadata->adds_bos, std::nullopt);
    for (const TokenIdKey& id : kTokenIdKeys) EXPECT_EQ((*metadata).*id.member, std::nullopt);
  });
}

TEST(TokenizerMetadata, ReadsTheKeysThatMayBeThere) {
  MetadataFile test;
  test.set("token_type", [](GgufBuilder& b, const std::string& key) {
    b.add_array<std::int32_t>(key, std::vector<std::int32_t>{1, 4, 3});
  });
  test.set("add_bos_token", [](GgufBuilder& b, const std::string& key) { b.add<bool>(key, true); });
  std::uint32_t next = 0;
  for (const TokenIdKey& id : kTokenIdKeys)
    test.set(std::string(id.key).substr(std::string("tokenizer.ggml.").size()),
             [number = next++](GgufBuilder& b, const std::string& key) {
               b.add<std::uint32_t>(key, number);
             });
  test.read([](const Result<TokenizerMetadata>& metadata) {
    ASSERT_TRUE(metadata.ok()) << metadata.error().message;
    EXPECT_EQ(metadata->types, (std::vector<std::int64_t>{1, 4, 3}));
    EXPECT_EQ(metadata->adds_bos, true);
    std::uint64_t expected = 0;
    for (const TokenIdKey& id : kTokenIdKeys) EXPECT_EQ((*metadata).*id.member, expected++);
  });
}

TEST(TokenizerMetadata, NamesTheKeyThatIsMissingOrOfTheWrongType) {
  for (const std::string name : {"model", "pre", "tokens", "merges"}) {
    MetadataFile test;
    test.erase(name);
    test.expect_error(ErrorCode::kBadInput, "tokenizer.ggml." + name);
  }
  for (const std::string name :
       {"model", "pre", "tokens", "merges", "token_type", "add_bos_token", "bos_token_id",
        "eos_token_id", "padding_token_id", "unknown_token_id", "eot_token_id", "eom_token_id"}) {
    MetadataFile test;
    test.set(name, write_number);
    test.expect_error(ErrorCode::kBadInput, "tokenizer.ggml." + name);
  }
}

TEST(TokenizerMetadata, ReadsPieces) {
  MetadataFile test;
  test.set("model", [](GgufBuilder& b, const std::string& key) { b.add_string(key, "llama"); });
  test.erase("pre");
  test.erase("merges");
  test.expect_error(ErrorCode::kBadInput, "tokenizer.ggml.scores is missing");
  test.set("scores", [](GgufBuilder& b, const std::string& key) {
    b.add_array<float>(key, std::vector<float>{0.0F, -1.0F, -2.5F});
  });
  test.set("eos_token_id",
           [](GgufBuilder& b, const std::string& key) { b.add<std::uint32_t>(key, 0); });
  test.set("add_space_prefix",
           [](GgufBuilder& b, const std::string& key) { b.add<bool>(key, false); });
  test.read([](const Result<TokenizerMetadata>& metadata) {
    ASSERT_TRUE(metadata.ok()) << metadata.error().message;
    EXPECT_EQ(metadata->kind, TokenizerKind::kPieces);
    EXPECT_EQ(metadata->scores, (std::vector<double>{0.0, -1.0, -2.5}));
    EXPECT_EQ(metadata->adds_space, false);
    EXPECT_EQ(metadata->unknown, 0U);
    EXPECT_EQ(metadata->bos, 1U);
    EXPECT_EQ(metadata->eos, 0U);
  });
}

TEST(TokenizerMetadata, RefusesOtherKindsOfTokenizers) {
  for (const char* model : {"t5", "bert", "", "GPT2", "gpt\n2"}) {
    MetadataFile test;
    test.set("model",
             [model](GgufBuilder& b, const std::string& key) { b.add_string(key, model); });
    test.expect_error(ErrorCode::kUnsupported, "tokenizer.ggml.model");
  }
}

}  // namespace
}  // namespace bankai::model
