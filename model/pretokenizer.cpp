#include "model/pretokenizer.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/format.h"
#include "model/utf8.h"

// The published patterns (GPT-2's encoder; tiktoken's cl100k_base, which Llama 3 and Qwen2 vary),
// with two spellings changed because PCRE2's own differ from other engines':
// - white space is listed, as Unicode's White_Space; PCRE2's \s has U+180E besides;
// - contractions are matched as ASCII letters; PCRE2's caseless s is U+017F as well.
#define BANKAI_SPACE \
  R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})"
#define BANKAI_OTHER "[^" BANKAI_SPACE R"(\p{L}\p{N}])"
#define BANKAI_SPACES "[" BANKAI_SPACE "]+(?![^" BANKAI_SPACE "])|[" BANKAI_SPACE "]+"
#define BANKAI_CL100K(digits)                                                        \
  "'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
  "| ?" BANKAI_OTHER "+[\\r\\n]*|[" BANKAI_SPACE "]*[\\r\\n]+|" BANKAI_SPACES

namespace bankai::model {
namespace {

constexpr std::array<PreTokenizerRule, 4> kRules = {{
    {"gpt-2", "'(?:[stmd]|re|ve|ll)| ?\\p{L}+| ?\\p{N}+| ?" BANKAI_OTHER "+|" BANKAI_SPACES,
     /*whole_words_first=*/false,
     /*adds_bos=*/false},
    {"llama-bpe", BANKAI_CL100K("\\p{N}{1,3}"), /*whole_words_first=*/true, /*adds_bos=*/true},
    {"qwen2", BANKAI_CL100K("\\p{N}"), /*whole_words_first=*/false, /*adds_bos=*/false},
    // Digits stand alone, and what is between them is cut as by gpt-2, as if it were the whole
    // text.
    {"smollm",
     "\\p{N}|'(?:[stmd]|re|ve|ll)| ?\\p{L}+| ?" BANKAI_OTHER "+|[" BANKAI_SPACE
     "]+(?![^" BANKAI_SPACE "\\p{N}])|[" BANKAI_SPACE "]+",
     /*whole_words_first=*/false,
     /*adds_bos=*/false},
}};

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
using Code = std::unique_ptr<pcre2_code, Free>;
using MatchData = std::unique_ptr<pcre2_match_data, Free>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free>;

Result<const PreTokenizerRule*> find_rule(std::string_view name) {
  std::string known;
  for (const PreTokenizerRule& rule : kRules) {
    if (rule.name == name) return &rule;
    known += (known.empty() ? "" : ", ") + std::string(rule.name);
  }
  return make_error(ErrorCode::kUnsupported, "tokenizer.ggml.pre is %s, and known are: %s",
                    quoted(name).c_str(), known.c_str());
}

// Bytes at the start of `text` that are UTF-8 (if `well_formed`) or that are not.
std::size_t run_bytes(std::string_view text, bool well_formed) {
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t character = utf8_character_bytes(text.substr(end));
    if ((character != 0) != well_formed) break;
    end += well_formed ? character : 1;
  }
  return end;
}

}  // namespace

struct PreTokenizer::Pattern {
  Code code;
  MatchContext context;
};

PreTokenizer::PreTokenizer(const PreTokenizerRule& rule, std::unique_ptr<Pattern> pattern)
    : rule_(&rule), pattern_(std::move(pattern)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

std::span<const PreTokenizerRule> pre_tokenizer_rules() { return kRules; }

Result<PreTokenizer> PreTokenizer::create(std::string_view name) {
  BANKAI_ASSIGN_OR_RETURN(const PreTokenizerRule* rule, find_rule(name));
  int error = 0;
  std::size_t error_offset = 0;
  // PCRE2 accepts PCRE2_ANCHORED together with its JIT compiler only here, not per match.
  constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_ANCHORED;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rule->pattern), PCRE2_ZERO_TERMINATED,
                          kOptions, &error, &error_offset, nullptr));
  if (code == nullptr)
    return make_error(ErrorCode::kUnsupported,
                      "PCRE2 (built without Unicode?) refuses the pattern of %s: error %d at %zu",
                      rule->name.data(), error, error_offset);
  // Where the JIT compiler is missing, the interpreter finds the same matches.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);

  MatchContext context(pcre2_match_context_create(nullptr));
  if (context == nullptr) return make_error(ErrorCode::kInternal, "PCRE2 is out of memory");
  // The patterns never backtrack over more than one run of white space, but that run may be long.
  pcre2_set_match_limit(context.get(), std::numeric_limits<std::uint32_t>::max());
  pcre2_set_depth_limit(context.get(), std::numeric_limits<std::uint32_t>::max());
  return PreTokenizer(*rule,
                      std::make_unique<Pattern>(Pattern{std::move(code), std::move(context)}));
}

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  const MatchData match(pcre2_match_data_create(1, nullptr));
  BANKAI_CHECK(match != nullptr, "PCRE2 is out of memory");
  while (!text.empty()) {
    if (const std::size_t foreign = run_bytes(text, false); foreign != 0) {
      pieces.push_back(text.substr(0, foreign));
      text.remove_prefix(foreign);
    }
    std::string_view run = text.substr(0, run_bytes(text, true));
    text.remove_prefix(run.size());
    while (!run.empty()) {
      // Without PCRE2_NO_UTF_CHECK every call would validate all of the rest.
      const int found =
          pcre2_match(pattern_->code.get(), reinterpret_cast<PCRE2_SPTR>(run.data()), run.size(), 0,
                      PCRE2_NO_UTF_CHECK, match.get(), pattern_->context.get());
      // No match (only a limit could cause it): the rest is one piece, and nothing is lost.
      const std::size_t length = found > 0 ? pcre2_get_ovector_pointer(match.get())[1] : run.size();
      pieces.push_back(run.substr(0, length));
      run.remove_prefix(length);
    }
  }
}

}  // namespace bankai::model
