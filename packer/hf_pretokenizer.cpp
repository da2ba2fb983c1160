#include "packer/hf_pretokenizer.h"

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/format.h"

namespace bankai::packer {
namespace {

// What the steps before the byte alphabet do: a pattern, or one of these words.
constexpr const char* kByteLevelPattern = "(ByteLevel)";  // GPT-2's own pattern
constexpr const char* kDigits = "(Digits)";               // every digit alone

#define BANKAI_HF_CL100K(digits)                                       \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

struct KnownSteps {
  std::string_view steps;
  std::string_view pre;
};
constexpr std::array<KnownSteps, 4> kKnownSteps = {{
    {"(ByteLevel)", "gpt-2"},
    {"(Digits)(ByteLevel)", "smollm"},
    {BANKAI_HF_CL100K("\\p{N}{1,3}"), "llama-bpe"},
    {BANKAI_HF_CL100K("\\p{N}"), "qwen2"},
}};

struct Steps {
  std::string text;  // of all that cut the text, one after the other
  bool is_byte_level = false;
};

Status refuse(const JsonTree& step, const char* key, const char* expected) {
  return make_error(ErrorCode::kUnsupported, "%s: '%s' is not as expected: %s",
                    step.where().c_str(), key, expected);
}

Status add_split(const JsonTree& step, Steps& steps) {
  BANKAI_ASSIGN_OR_RETURN(const std::string behavior, step.text_of("behavior", ""));
  BANKAI_ASSIGN_OR_RETURN(const bool inverts, step.truth_of("invert", false));
  if (behavior != "Isolated" || inverts) return refuse(step, "behavior", "Isolated, not inverted");
  const auto pattern = step.find("pattern");
  if (!pattern || !pattern->find("Regex")) return refuse(step, "pattern", "a regular expression");
  BANKAI_ASSIGN_OR_RETURN(const std::string regex, pattern->text_of("Regex", ""));
  steps.text += regex;
  return {};
}

Status add_byte_level(const JsonTree& step, Steps& steps) {
  BANKAI_ASSIGN_OR_RETURN(const bool adds_space, step.truth_of("add_prefix_space", true));
  if (adds_space) return refuse(step, "add_prefix_space", "false");
  BANKAI_ASSIGN_OR_RETURN(const bool cuts, step.truth_of("use_regex", true));
  if (cuts) steps.text += kByteLevelPattern;
  steps.is_byte_level = true;
  return {};
}

Status add_step(const JsonTree& step, Steps& steps) {
  BANKAI_ASSIGN_OR_RETURN(const std::string type, step.text_of("type", ""));
  if (steps.is_byte_level)
    return make_error(ErrorCode::kUnsupported, "%s: %s comes after the byte alphabet",
                      step.where().c_str(), bankai::quoted(type).c_str());
  if (type == "Split") return add_split(step, steps);
  if (type == "ByteLevel") return add_byte_level(step, steps);
  if (type == "Digits") {
    BANKAI_ASSIGN_OR_RETURN(const bool individual, step.truth_of("individual_digits", false));
    if (!individual) return refuse(step, "individual_digits", "true");
    steps.text += kDigits;
    return {};
  }
  return make_error(ErrorCode::kUnsupported,
                    "%s: the pre-tokenizer is %s; only byte-level BPE can be converted",
                    step.where().c_str(), bankai::quoted(type).c_str());
}

}  // namespace

Result<std::string> find_pre_tokenizer(const JsonTree& tokenizer) {
  const auto root = tokenizer.find("pre_tokenizer");
  if (!root)
    return make_error(ErrorCode::kUnsupported,
                      "%s: there is no 'pre_tokenizer'; only byte-level BPE can be converted",
                      tokenizer.where().c_str());
  Steps steps;
  BANKAI_ASSIGN_OR_RETURN(const std::string type, root->text_of("type", ""));
  if (type == "Sequence") {
    const auto list = root->find("pretokenizers");
    if (!list)
      return make_error(ErrorCode::kBadInput, "%s: 'pretokenizers' is missing",
                        root->where().c_str());
    BANKAI_ASSIGN_OR_RETURN(const std::vector<JsonTree> several, list->items());
    for (const JsonTree& step : several) BANKAI_RETURN_IF_ERROR(add_step(step, steps));
  } else {
    BANKAI_RETURN_IF_ERROR(add_step(*root, steps));
  }
  for (const KnownSteps& known : kKnownSteps)
    if (steps.is_byte_level && steps.text == known.steps) return std::string(known.pre);
  std::string names;
  for (const KnownSteps& known : kKnownSteps)
    names.append(names.empty() ? "" : ", ").append(known.pre);
  return make_error(ErrorCode::kUnsupported,
                    "%s: the steps %s are none of the known pre-tokenizers (%s)",
                    root->where().c_str(), bankai::quoted(steps.text).c_str(), names.c_str());
}

std::string pre_tokenizer_json(const std::string& pre) {
  using Json = nlohmann::ordered_json;
  for (const KnownSteps& known : kKnownSteps) {
    if (known.pre != pre) continue;
    std::string_view rest = known.steps;
    Json steps = Json::array();
    if (rest.starts_with(kDigits)) {
      steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
      rest.remove_prefix(std::string_view(kDigits).size());
    }
    const bool uses_own_pattern = rest == kByteLevelPattern;
    if (!uses_own_pattern)
      steps.push_back({{"type", "Split"},
                       {"pattern", {{"Regex", std::string(rest)}}},
                       {"behavior", "Isolated"},
                       {"invert", false}});
    steps.push_back({{"type", "ByteLevel"},
                     {"add_prefix_space", false},
                     {"trim_offsets", false},
                     {"use_regex", uses_own_pattern}});
    return Json{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}}.dump();
  }
  return {};
}

}  // namespace bankai::packer
