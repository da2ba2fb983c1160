// Which atlases belong together, and files that are damaged.
#include "bfs/atlas_json.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bfs/atlas_merge.h"
#include "bfs/atlas_tally.h"

namespace bankai::bfs {
namespace {

// Two rows of one group each, and of two groups; as small as an atlas can be.
Atlas small_atlas() {
  Atlas atlas;
  atlas.settings.model_name = "a <small> \"model\"";
  atlas.settings.model_sha256 = std::string(64, '7');
  atlas.sources = {{false, "a.json", 1.0, 4, 40, 4.0}, {true, "b.txt", 0.5, 2, 30, 1.0}};
  atlas.layers = {{3, LayerImpact{1.25, -1.0, 0.5}}};
  AtlasTensor tensor{{3, Projection::kUp}, 2, 256, {}};
  for (const auto& [kind, per_row] :
       {std::pair(patch::FlipKind::kRow, 1ULL), {patch::FlipKind::kGroup, 2ULL}}) {
    AtlasTally tally(tensor.address, kind, 2, per_row, atlas.settings.control_penalty);
    std::vector<PredictedChange> changes;
    for (std::uint64_t i = 0; i < 2 * per_row; ++i)
      changes.push_back({PredictedChange::to_fixed(0.1 * static_cast<double>(i) - 0.1),
                         PredictedChange::to_fixed(0.01)});
    tally.add(0, changes);
    tensor.kinds.push_back(std::move(tally).finish());
  }
  atlas.tensors = {tensor};
  return atlas;
}

// Of a strictly binary model, with its tables.
Atlas binary_atlas() {
  Atlas atlas = small_atlas();
  atlas.settings.curvature = false;
  atlas.settings.rules = {"latest", "dot", "reached", 0.1};
  AtlasTensor table = atlas.tensors[0];
  table.address = {0, Projection::kEmbedding};
  for (AtlasKind& kind : table.kinds) kind.detail->best.tensor = table.address;
  atlas.tensors.insert(atlas.tensors.begin(), table);
  return atlas;
}

TEST(AtlasMerge, refuses_what_does_not_belong_together) {
  const Atlas first = small_atlas();
  const auto refuse = [&](const std::function<void(Atlas&)>& change, const std::string& says) {
    Atlas other = first;
    change(other);
    const Status status = check_mergeable(first, other);
    ASSERT_FALSE(status.ok()) << says;
    EXPECT_EQ(status.error().code, ErrorCode::kBadInput);
    EXPECT_NE(status.error().message.find(says), std::string::npos) << status.error().message;
  };
  refuse([](Atlas& a) { a.settings.model_sha256[5] = '8'; }, "SHA-256");
  refuse([](Atlas& a) { a.settings.metric = Metric::kMargin; }, "margin");
  refuse([](Atlas& a) { a.settings.control_metric = Metric::kKl; }, "kl");
  refuse([](Atlas& a) { a.settings.control_penalty = 3.0; }, "penalty is 3");
  refuse([](Atlas& a) { a.settings.curvature = false; }, "curvature is off");
  refuse([](Atlas& a) { a.settings.activations = kernels::ActivationMode::kA8; }, "a8");
  refuse([](Atlas& a) { a.settings.text_context = 64; }, "64");
  refuse([](Atlas& a) { a.tensors[0].address.layer = 2; }, "layer 2");
  refuse([](Atlas& a) { a.tensors[0].kinds.pop_back(); }, "2 x 256 rows");
  refuse([](Atlas& a) { a.tensors[0].cols = 128; }, "2 x 128");
  refuse([](Atlas& a) { a.tensors.push_back(a.tensors[0]); }, "number of tensors");
  Atlas renamed = first;
  renamed.settings.model_name = "another name";
  EXPECT_TRUE(check_mergeable(first, renamed).ok());
}

TEST(AtlasMerge, refuses_other_rules_of_strictly_binary_models) {
  const Atlas first = binary_atlas();
  EXPECT_TRUE(check_mergeable(first, first).ok());
  const auto refuse = [&](const std::optional<AtlasRules>& rules) {
    Atlas other = first;
    other.settings.rules = rules;
    EXPECT_FALSE(check_mergeable(first, other).ok());
  };
  refuse({});
  refuse(AtlasRules{"earliest", "dot", "reached", 0.1});
  refuse(AtlasRules{"latest", "popcount", "reached", 0.1});
  refuse(AtlasRules{"latest", "dot", "passed", 0.1});
  refuse(AtlasRules{"latest", "dot", "reached", 0.11});
}

TEST(Atlas, keeps_tables_out_of_layers) {
  Atlas atlas = binary_atlas();
  atlas.tensors[0].address.layer = atlas.tensors[1].address.layer = 0;
  EXPECT_EQ(layer_kinds(atlas, 0)[0].candidates, 2U);
  atlas.tensors.pop_back();
  EXPECT_TRUE(layer_kinds(atlas, 0).empty());
  atlas.layers.clear();
  EXPECT_TRUE(parse_atlas(format_atlas(atlas)).ok());
}

TEST(AtlasJson, reads_a_small_atlas) {
  for (const Atlas& atlas : {small_atlas(), binary_atlas()}) {
    const std::string text = format_atlas(atlas);
    const auto again = parse_atlas(text);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(format_atlas(*again), text);
    EXPECT_NE(text.find("\"activations\"") == std::string::npos,
              text.find("\"rules\"") == std::string::npos);
  }
}

TEST(AtlasJson, refuses_damaged_files) {
  std::string text = format_atlas(small_atlas());
  const auto refuse = [&](const std::string& from, const std::string& to, const std::string& says,
                          ErrorCode code = ErrorCode::kBadInput) {
    std::string damaged = text;
    std::size_t at = damaged.find(from, damaged.find("\"tensors\""));
    if (at == std::string::npos) at = damaged.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    damaged.replace(at, from.size(), to);
    const auto atlas = parse_atlas(damaged);
    ASSERT_FALSE(atlas.ok()) << to;
    EXPECT_EQ(atlas.error().code, code);
    EXPECT_NE(atlas.error().message.find(says), std::string::npos) << atlas.error().message;
    EXPECT_EQ(atlas.error().message.find('\n'), std::string::npos);
  };
  refuse("bankai_atlas", "bankai_map", "not a sensitivity atlas");
  refuse("\"version\":1", "\"version\":2", "version 2", ErrorCode::kUnsupported);
  refuse("\"version\":1", "\"version\":[]", "version");
  refuse("\"7777", "\"x777", "hexadecimal");
  refuse("\"metric\":\"nll\"", "\"metric\":\"luck\"", "luck");
  refuse("\"control_penalty\":2.0", "\"control_penalty\":-1", "control_penalty");
  refuse("\"curvature\":true", "\"curvature\":1", "curvature");
  refuse("\"a16\"", "\"a4\"", "a4");
  refuse("\"role\":\"target\"", "\"role\":\"control\"", "no target");
  refuse("\"a.json\"", "\"a\\u0007\"", "control character");
  refuse("\"item_weight\":4.0", "\"item_weight\":1e300", "item_weight");
  refuse("\"item_weight\":4.0", "\"item_weight\":0", "no target");
  refuse("{\"layer\":3,\"network", "{\"layer\":2,\"network", "not those of the tensors");
  refuse("\"mean_abs_change\":1.25", "\"mean_abs_change\":null", "mean_abs_change");
  refuse("\"rows\":2", "\"rows\":4000000000", "rows");
  refuse("\"rows\":2", "\"rows\":1000000", "candidates");
  refuse("\"cols\":256", "\"cols\":250", "128");
  refuse("\"tensor\":\"up\"", "\"tensor\":\"head\"", "matrix");
  refuse("\"kind\":\"group\"", "\"kind\":\"bit\"", "candidates");
  refuse("\"kind\":\"group\"", "\"kind\":\"row\"", "");
  refuse("\"improving\":[", "\"improving\":[3],\"x\":[", "list of 2 numbers");
  refuse("\"improving\":[0", "\"improving\":[3", "\"improving\"[0]");
  refuse("\"best_fitness\":[", "\"best_fitness\":[1,", "list of 2 numbers");
  refuse("\"best_fitness\":[", "\"best_fitness\":[1e39],\"x\":[", "list of 2 numbers");
  refuse("{\"format\"", std::string(100, '[') + "{\"format\"", "deeper");
  refuse("\"ctx\":512", "\"ctx\":512,\"ctx\":512", "twice");
  text = format_atlas(binary_atlas());
  refuse("\"latest\"", "\"last\"", "rules: \"tie\" is unknown");
  refuse("\"logit_scale\":0.1", "\"logit_scale\":0", "logit_scale");
  refuse("\"curvature\":false", "\"curvature\":true", "rules");
}

// No crash, and either an error or an atlas that can be used.
TEST(AtlasJson, survives_any_damage) {
  const std::string text = format_atlas(small_atlas());
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    ASSERT_FALSE(parse_atlas(text.substr(0, size)).ok()) << size;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const char other : {'0', '9', '-', 'e', '"', '[', ',', ' ', '\xff'}) {
      std::string damaged = text;
      damaged[at] = other;
      const auto atlas = parse_atlas(damaged);
      if (!atlas.ok()) continue;
      const Atlas pair[] = {*atlas, *atlas};
      ASSERT_TRUE(parse_atlas(format_atlas(merge_atlases(pair))).ok()) << damaged;
    }
}

}  // namespace
}  // namespace bankai::bfs
