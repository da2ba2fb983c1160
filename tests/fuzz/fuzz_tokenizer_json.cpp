// Fuzz target: any bytes as a tokenizer.json. What is accepted is written as GGUF metadata; if the
// tokenizer accepts that too, text survives it, and its own tokenizer.json is accepted again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "model/gguf_file.h"
#include "model/tokenizer.h"
#include "packer/hf_tokenizer.h"
#include "packer/hf_write.h"

namespace {

using bankai::model::GgufFile;
using bankai::packer::HfTokenizer;
using bankai::packer::JsonTree;

constexpr std::uint64_t kVocabulary = 400;  // enough for the seeds, and quick

void check_use(const HfTokenizer& found) {
  bankai::model::GgufBuilder builder;
  add_tokenizer(builder, found);
  const auto header = builder.header();
  BANKAI_CHECK(header.ok(), "metadata that cannot be written");
  const auto file = GgufFile::parse(*header, "new");
  BANKAI_CHECK(file.ok(), "metadata that cannot be read");
  const auto metadata = bankai::model::read_tokenizer_metadata(*file);
  BANKAI_CHECK(metadata.ok(), "metadata of no tokenizer");
  const auto tokenizer = bankai::model::Tokenizer::from_metadata(*metadata);
  if (!tokenizer.ok()) return;  // a byte without a token, a merge twice
  tokenizer->decode(tokenizer->encode("the 12 cats' \xff\n"));
  const auto written = bankai::packer::tokenizer_json(*metadata);
  BANKAI_CHECK(written.ok(), "a tokenizer that cannot be written");
  const auto tree = JsonTree::parse(*written, "written");
  BANKAI_CHECK(tree.ok(), "a tokenizer.json that is no JSON");
  BANKAI_CHECK(bankai::packer::parse_hf_tokenizer(*tree, kVocabulary, "", {}).ok(),
               "a tokenizer.json that cannot be read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tree =
      JsonTree::parse(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!tree.ok()) return 0;
  const auto found = bankai::packer::parse_hf_tokenizer(*tree, kVocabulary, "", {});
  if (found.ok()) check_use(*found);
  return 0;
}
