#include "model/attention_parts.h"

namespace bankai::model {
namespace {

void append(const std::vector<float>& from, std::vector<float>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

void AttentionParts::clear() {
  for (std::vector<float>* values :
       {&query, &key, &rotated.query, &rotated.key, &rotated.value, &mixed})
    values->clear();
}

void append_attention(Transformer& transformer, std::size_t layer, std::size_t tokens,
                      const float* x, std::span<const Segment> segments,
                      const Replacements& replacements, AttentionProjections& scratch,
                      AttentionParts& parts) {
  transformer.project_attention(layer, tokens, x, replacements, scratch);
  append(scratch.query, parts.query);
  append(scratch.key, parts.key);
  append(transformer.mix_values(layer, segments, scratch), parts.mixed);
  append(scratch.query, parts.rotated.query);
  append(scratch.key, parts.rotated.key);
  append(scratch.value, parts.rotated.value);
}

}  // namespace bankai::model
