#include "bfs/character_search_model.h"

#include <vector>

#include "model/binary_text.h"
#include "model/byte_alphabet.h"
#include "model/tokenizer_metadata.h"

namespace bankai::bfs {
namespace {

Status check_text(const std::string& text, const std::string& where, std::size_t vocabulary) {
  const auto tokens = model::encode_characters(text, vocabulary);
  if (!tokens.ok()) return with_context(tokens.error(), where);
  return {};
}

}  // namespace

Result<model::Tokenizer> character_tokenizer(std::size_t vocabulary) {
  BANKAI_RETURN_IF_ERROR(model::encode_characters("", vocabulary));
  std::vector<std::string> texts(vocabulary);
  model::TokenizerMetadata metadata;
  metadata.source = "characters";
  metadata.pre = "gpt-2";
  metadata.unknown = 0;  // for bytes beyond the vocabulary, which check_binary_data refuses
  for (std::size_t i = 0; i < vocabulary; ++i) {
    const auto byte = static_cast<char>(i);
    model::append_alphabet_text({&byte, 1}, texts[i]);
    metadata.tokens.push_back(texts[i]);
  }
  return model::Tokenizer::from_metadata(metadata);
}

Status check_binary_data(const SearchData& data, std::size_t vocabulary) {
  for (const auto* sources : {&data.targets, &data.controls, &data.held_out})
    for (const WeightedData& source : *sources) {
      const std::string& path = source.data.path;
      for (const std::string& text : source.data.texts)
        BANKAI_RETURN_IF_ERROR(check_text(text, path, vocabulary));
      for (const Probe& probe : source.data.probes) {
        std::vector<std::string> texts = {probe.prompt, probe.correct, probe.wrong};
        texts.insert(texts.end(), probe.alternates.begin(), probe.alternates.end());
        for (const std::string& text : texts)
          BANKAI_RETURN_IF_ERROR(check_text(text, path + ": probe " + probe.name, vocabulary));
      }
    }
  return {};
}

}  // namespace bankai::bfs
