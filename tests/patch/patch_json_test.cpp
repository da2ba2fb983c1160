#include "patch/patch_json.h"

#include <gtest/gtest.h>

#include <string>

#include "core/mapped_file.h"
#include "tests/patch/patch_samples.h"
#include "tests/patch/trit_samples.h"
#include "tests/support/temp_dir.h"

namespace bankai::patch {
namespace {

Patch parsed(const std::string& text) {
  Result<Patch> patch = parse_json(text, "stem");
  EXPECT_TRUE(patch.ok()) << (patch.ok() ? "" : patch.error().message);
  return patch.ok() ? patch.value() : Patch();
}

std::string refusal(const std::string& text) {
  const Result<Patch> patch = parse_json(text, "stem");
  EXPECT_FALSE(patch.ok()) << text;
  return patch.ok() ? "" : patch.error().message;
}

std::string with_flips(const std::string& flips) { return "{\"flips\": [" + flips + "]}"; }

TEST(ParseJson, FillsInWhatOlderDialectsLeaveOut) {
  const Patch patch = parsed(with_flips(R"({"layer": 3, "proj": "up_proj", "row": 7})"));
  EXPECT_EQ(patch.name, "stem");
  EXPECT_EQ(patch.description, "");
  EXPECT_EQ(patch.base_model, "unknown");
  EXPECT_EQ(patch.metadata, "");
  EXPECT_EQ(patch.flips.flips(), std::vector<Flip>{row_flip({3, Projection::kUp}, 7)});
  EXPECT_FALSE(patch.base.hash.has_value());
  parsed(R"({"version": 1, "type": "row_flip", "flips": [], "n_flips": 0, "patch_size_bytes": 0})");
}

TEST(ParseJson, KeepsMetadataInOrder) {
  const Patch patch = parsed(
      R"({"flips": [], "metadata": {"z": [1, 2.5], "a": {"b": null}, "final": 0.36041666666666666}})");
  EXPECT_EQ(patch.metadata, R"({"z":[1,2.5],"a":{"b":null},"final":0.36041666666666666})");
}

TEST(ParseJson, ReadsAllKindsOfFlips) {
  const Patch patch = parsed(with_flips(R"({"layer": 0, "proj": "gate_proj", "row": 1},
      {"layer": 0, "proj": "gate_proj", "row": 2, "group": 1},
      {"layer": 0, "proj": "lm_head", "row": 2, "col": 130})"));
  EXPECT_EQ(patch.flips.flips(), (std::vector<Flip>{row_flip(kGate0, 1), group_flip(kGate0, 2, 1),
                                                    bit_flip(kHead, 2, 130)}));
}

TEST(ParseJson, ReadsSteps) {
  const Patch patch =
      parsed(with_flips(R"({"layer": 0, "proj": "gate_proj", "row": 1, "col": 7, "step": -1},
      {"layer": 0, "proj": "gate_proj", "row": 1, "col": 6, "step": 1},
      {"layer": 0, "proj": "gate_proj", "row": 1})"));
  EXPECT_EQ(patch.flips.flips(), (std::vector<Flip>{row_flip(kGate0, 1), step_up(kGate0, 1, 6),
                                                    step_down(kGate0, 1, 7)}));
  const std::string step = R"({"layer": 0, "proj": "gate_proj", "row": 1, "col": 7, "step": )";
  for (const char* value :
       {"0", "2", "-2", "1.0", "-1.0", "true", "\"1\"", "null", "18446744073709551615"})
    EXPECT_EQ(refusal(with_flips(step + value + "}")),
              "flips[0]: 'step' is " + std::string(value) + ", expected 1 or -1");
  EXPECT_EQ(refusal(with_flips(R"({"layer": 0, "proj": "gate_proj", "row": 1, "step": 1})")),
            "flips[0]: 'step' without 'col'");
  EXPECT_EQ(refusal(with_flips(step + "1}, " + step + "-1}")),
            "flips[1]: layer 0 gate row 1 column 7 up stands already at flips[0]");
}

TEST(ParseJson, SaysWhatIsWrongWithAFlip) {
  EXPECT_EQ(refusal(with_flips(R"({"layer": 0, "proj": "up_proj", "row": 1, "rowe": 2})")),
            "flips[0]: unknown key \"rowe\" (known: layer, proj, row, group, col, step)");
  EXPECT_EQ(refusal(with_flips(R"({"layer": 0, "row": 1})")), "flips[0]: 'proj' is missing");
  EXPECT_EQ(refusal(with_flips(R"({"proj": "up_proj", "row": 1})")),
            "flips[0]: 'layer' is missing");
  EXPECT_EQ(refusal(with_flips(R"({"layer": 0, "proj": "up_proj"})")),
            "flips[0]: 'row' is missing");
  EXPECT_EQ(refusal(with_flips(R"({"layer": 0, "proj": "up", "row": 1})")),
            "flips[0]: 'proj' is \"up\", expected one of gate_proj, up_proj, down_proj, q_proj, "
            "k_proj, v_proj, o_proj, embed_tokens, lm_head");
  EXPECT_EQ(refusal(with_flips("7")), "flips[0]: expected an object, found 7");
  EXPECT_EQ(
      refusal(with_flips(R"({"layer": 0, "proj": "up_proj", "row": 1, "group": 1, "col": 1})")),
      "flips[0]: both 'group' and 'col'");
  for (const char* row : {"-1", "1.5", "1.0", "1e3", "\"1\"", "null", "true", "[]", "16777216",
                          "2147483648", "18446744073709551616", "1e400", "-0"})
    EXPECT_NE(
        refusal(with_flips(R"({"layer": 0, "proj": "up_proj", "row": )" + std::string(row) + "}")),
        "");
  EXPECT_EQ(refusal(with_flips(R"({"layer": 4096, "proj": "up_proj", "row": 0})")),
            "flips[0]: 'layer' is 4096, expected a whole number from 0 to 4095");
  EXPECT_EQ(refusal(with_flips(R"({"layer": 0, "proj": "up_proj", "row": 0, "group": 131072})")),
            "flips[0]: 'group' is 131072, expected a whole number from 0 to 131071");
}

TEST(ParseJson, NamesDuplicateFlips) {
  const std::string flip = R"({"layer": 2, "proj": "up_proj", "row": 9})";
  const std::string other = R"({"layer": 2, "proj": "up_proj", "row": 8})";
  EXPECT_EQ(refusal(with_flips(flip + "," + other + "," + flip)),
            "flips[2]: layer 2 up row 9 stands already at flips[0]");
}

TEST(ParseJson, RefusesOtherDocuments) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[]",
                           "7",
                           "\"flips\"",
                           "null",
                           "{}",
                           R"({"flips": {}})",
                           R"({"flips": 3})",
                           R"({"flips": []} x)",
                           R"({"flips": [], "version": 2})",
                           R"({"flips": [], "version": "1"})",
                           R"({"flips": [], "format": "lora"})",
                           R"({"flips": [], "type": "col_flip"})",
                           R"({"flips": [], "name": 3})",
                           R"({"flips": [], "metadata": []})",
                           R"({"flips": [], "stats": 1})",
                           R"({"flips": [], "stats": {"n_flips": 1}})",
                           R"({"flips": [], "n_flips": 1})",
                           R"({"flips": [], "flips": []})",
                           "{\"flips\": [], \"name\": \"a\\u0007\"}",
                           "{\"flips\": [], \"name\": \"a\xff\"}",
                           "{\"flips\": [], \"description\": \"\xc0\xaf\"}",
                           "{\"flips\": [], \"name\": \"\\ud800\"}",
                           "{\"flips\": [], \"base_model\": \"a\\nb\"}"})
    EXPECT_NE(refusal(text), "") << text;
}

TEST(ParseJson, BoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return "{\"flips\": [], \"metadata\": {\"x\": " + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
  };
  parsed(nested(30));
  EXPECT_EQ(refusal(nested(31)), "nested deeper than 32");
  EXPECT_EQ(refusal(std::string(1U << 20U, '[')), "nested deeper than 32");
}

TEST(ParseJson, ChecksTheBase) {
  const std::string flip = R"("flips": [{"layer": 0, "proj": "up_proj", "row": 1}])";
  const auto with_base = [&](const std::string& base) {
    return "{" + flip + R"(, "metadata": {"bankai": )" + base + "}}";
  };
  const std::string shape = R"("layer": 0, "proj": "up_proj", "rows": 2, "cols": 128)";
  const std::string hash = R"("base_hash": "00112233445566778899aabbccddeeff")";
  EXPECT_EQ(parsed(with_base("{\"tensors\": [{" + shape + "}]}")).base.shapes,
            (ShapeTable{{kUp0, {2, 128}}}));
  EXPECT_TRUE(
      parsed(with_base("{" + hash + ", \"tensors\": [{" + shape + "}]}")).base.hash.has_value());
  for (const std::string& base :
       {std::string("3"), std::string("{\"x\": 1}"), "{" + hash + "}",
        std::string(R"({"base_hash": "00"})"), std::string(R"({"tensors": 3})"),
        "{\"tensors\": [{" + shape + "}, {" + shape + "}]}",
        std::string(R"({"tensors": [{"layer": 0, "proj": "up_proj", "rows": 2, "cols": 100}]})"),
        std::string(R"({"tensors": [{"layer": 0, "proj": "up_proj", "rows": 1, "cols": 128}]})"),
        std::string(R"({"tensors": [{"layer": 1, "proj": "up_proj", "rows": 2, "cols": 128}]})"),
        "{\"tensors\": [{" + shape + R"(, "sha256": "00"}]})",
        "{" + hash + ", \"tensors\": [{" + shape + R"(, "sha256": ")" + std::string(64, '0') +
            "\"}]}"})
    EXPECT_NE(refusal(with_base(base)), "") << base;
}

TEST(FormatJson, ReadingItGivesThePatchAgain) {
  const SampleModel model;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Patch patch = random_patch(model, seed, seed);
    patch.description = "two\nlines, \"quotes\" and \xc3\xa9";
    if (seed % 2 == 0) patch.metadata = R"({"fitness":0.1,"layers":[1,2]})";
    if (seed % 3 == 0) patch.base.contents.clear();
    if (seed % 6 == 0) patch.base = {};
    const std::string text = format_json(patch);
    const Patch again = parsed(text);
    EXPECT_EQ(again, patch) << text;
    EXPECT_EQ(format_json(again), text);
  }
}

TEST(FormatJson, ReadingItGivesTheTernaryPatchAgain) {
  const TritModel model;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Patch patch = random_trit_patch(model, seed, seed);
    const std::string text = format_json(patch);
    const Patch again = parsed(text);
    EXPECT_EQ(again, patch) << text;
    EXPECT_EQ(format_json(again), text);
    EXPECT_EQ(text.find("\"format\": \"bankai_trit_step_v1\"") != std::string::npos,
              patch.flips.has_steps());
  }
}

TEST(FormatJson, HasTheFormThatOtherLoadersTake) {
  Patch patch;
  patch.name = "n";
  patch.base_model = "b";
  patch.flips = FlipSet::make({row_flip(kUp0, 3), group_flip(kGate0, 1, 2)}).value();
  EXPECT_EQ(format_json(patch), R"({
  "version": 1,
  "format": "bankai_row_xor_v1",
  "name": "n",
  "description": "",
  "base_model": "b",
  "flips": [
    {"layer": 0, "proj": "gate_proj", "row": 1, "group": 2},
    {"layer": 0, "proj": "up_proj", "row": 3}
  ],
  "stats": {"n_flips": 2, "bits_flipped": 4224, "size_bytes": 24},
  "metadata": {}
}
)");
  patch.flips = FlipSet::make({bit_flip(kUp0, 3, 4)}).value();
  EXPECT_NE(format_json(patch).find("bankai_bit_xor_v1"), std::string::npos);
}

TEST(ParseJson, SurvivesEveryCutAndEveryChangedByte) {
  const SampleModel model;
  Patch patch = random_patch(model, 6, 4);
  patch.metadata = R"({"a":[1,{"b":2.5}]})";
  const std::string text = format_json(patch);
  // The file ends in a newline, without which it is still whole.
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_FALSE(parse_json(text.substr(0, size), "stem").ok()) << "cut at " << size;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const char byte : {'\0', '"', '{', ']', '9', '-', '\\', '\xff', ' ', 'e'}) {
      std::string changed = text;
      changed[at] = byte;
      const Result<Patch> again = parse_json(changed, "stem");
      if (again.ok()) format_json(again.value());
    }
}

struct Upstream {
  const char* file;
  const char* name;
  std::size_t rows;
  std::size_t groups;
  std::uint64_t bits;
};
constexpr Upstream kUpstream[] = {
    {"patch_math_v1", "patch_math_v1", 72, 0, 294912},
    {"calculus_v1", "calculus_v1", 72, 0, 294912},
    {"calculus_generalized_v1", "calculus_generalized_v1", 93, 0, 380928},
    {"calculus_corrected_baseline", "calculus_corrected_baseline", 78, 0, 319488},
    {"calculus_corrected_extended", "calculus_corrected_extended", 95, 0, 389120},
    {"calculus_beefy_v1", "calculus_beefy_v1", 73, 0, 299008},
    {"calculus_attn_v1", "calculus_attn_v1", 85, 0, 348160},
    {"calculus_group_v1", "calculus_group_v1", 0, 6, 768},
};

TEST(ParseJson, ReadsThePublishedPatches) {
  if (testing::reference_data_path("upstream_patches").empty())
    GTEST_SKIP() << "the published patches are not beside the project";
  for (const Upstream& expected : kUpstream) {
    const std::string path =
        testing::reference_data_path("upstream_patches/" + std::string(expected.file) + ".json");
    const Patch patch = parse_json(read_file(path).value(), expected.file).value();
    EXPECT_EQ(patch.name, expected.name);
    EXPECT_EQ(patch.flips.count(FlipKind::kRow), expected.rows);
    EXPECT_EQ(patch.flips.count(FlipKind::kGroup), expected.groups);
    EXPECT_EQ(count_flipped_bits(patch.flips, {}).bits, expected.bits);
    EXPECT_EQ(patch.base_model.substr(0, 18), "prism-ml/Bonsai-8B");
    const std::string text = format_json(patch);
    EXPECT_EQ(parsed(text), patch);
    EXPECT_EQ(format_json(parsed(text)), text);
  }
}

}  // namespace
}  // namespace bankai::patch
