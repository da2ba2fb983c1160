#include "bfs/probe_audit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

Probe simple(const std::string& prompt, const std::string& correct, const std::string& wrong = "") {
  return {"the_probe", "", prompt, correct, wrong, {}};
}

SearchData targets(std::vector<Probe> probes) {
  SearchData data;
  data.targets = {{{"targets.json", std::move(probes), {}}, 1.0}};
  return data;
}

std::vector<Finding> audit(const SearchData& data, Metric metric = Metric::kNll) {
  model::Transformer transformer = make_transformer(demo_model());
  SearchOptions options;
  options.metric = metric;
  return audit_probes(transformer, options, data);
}

// The findings of a kind; each names its file and its probe.
std::vector<Finding> of_kind(const std::vector<Finding>& findings, FindingKind kind) {
  std::vector<Finding> some;
  for (const Finding& finding : findings)
    if (finding.kind == kind) some.push_back(finding);
  return some;
}

TEST(AuditProbes, finds_nothing_in_the_demo_sets) {
  SearchData data;
  data.targets = {demo_data("sums.search", 0, 60)};
  data.controls = {demo_data("capitals", 0, 40)};
  data.held_out = {demo_data("sums.heldout", 0, 60)};
  for (const Metric metric : {Metric::kNll, Metric::kMargin})
    for (const Finding& finding : audit(data, metric)) ADD_FAILURE() << finding.message;
}

TEST(AuditProbes, a_score_that_can_never_change_is_fatal) {
  const SearchData same = targets({simple("12 + 30 =", " 42", " 42")});
  const SearchData same_end = targets({simple("12 + 30 =", " 42", " 52")});
  ASSERT_EQ(of_kind(audit(same, Metric::kSeqLogprob), FindingKind::kDead).size(), 1U);
  const Finding dead = of_kind(audit(same, Metric::kSeqLogprob), FindingKind::kDead)[0];
  EXPECT_TRUE(dead.is_fatal);
  EXPECT_NE(dead.message.find("targets.json"), std::string::npos);
  EXPECT_NE(dead.message.find("the_probe"), std::string::npos);
  // " 42" and " 52" end in the same token: dead to the metric that looks at the last token alone.
  EXPECT_TRUE(of_kind(audit(same_end, Metric::kSeqLogprob), FindingKind::kDead).empty());
  EXPECT_EQ(of_kind(audit(same_end, Metric::kTokenGap), FindingKind::kDead).size(), 1U);
  EXPECT_TRUE(of_kind(audit(same, Metric::kNll), FindingKind::kDead).empty());
}

TEST(AuditProbes, tells_when_one_token_stands_for_a_longer_answer) {
  const SearchData data = targets({simple("12 + 30 =", " 42", " 57")});
  EXPECT_EQ(of_kind(audit(data, Metric::kTokenGap), FindingKind::kOffset).size(), 1U);
  EXPECT_TRUE(of_kind(audit(data, Metric::kNll), FindingKind::kOffset).empty());
}

TEST(AuditProbes, tells_when_prompt_and_answer_share_a_token) {
  EXPECT_EQ(of_kind(audit(targets({simple("The capit", "al")})), FindingKind::kBoundary).size(),
            1U);
  EXPECT_TRUE(
      of_kind(audit(targets({simple("12 + 30 =", " 42")})), FindingKind::kBoundary).empty());
}

TEST(AuditProbes, tells_when_the_answer_ends_inside_a_token) {
  // At the end of a line the model writes full stop and newline as one token.
  const std::string prompt = "Ruth has 19 nuts. Ruth gives 18 to Eva. Now Ruth has";
  const auto with_newline = demo_model().tokenizer().encode(".\n");
  ASSERT_EQ(with_newline.size(), 1U);
  const auto findings_for = [&](const std::string& answer) {
    return of_kind(audit(targets({simple(prompt, answer)})), FindingKind::kInsideToken).size();
  };
  EXPECT_EQ(findings_for(" 1 nuts."), 1U);
  EXPECT_EQ(findings_for(" 1 nuts"), 0U);
}

// On "stories" the model counts right and names the wrong object, which both answers have in
// common; in half of the "sums" it writes a third number. In "calculus" and "capitals" it is mostly
// right.
TEST(AuditProbes, tells_when_fixed_wrong_answers_miss_what_the_model_gets_wrong) {
  const auto findings_for = [&](const std::string& name, Metric metric) {
    SearchData data;
    data.targets = {demo_data(name, 0, 48)};
    return of_kind(audit(data, metric), FindingKind::kFixedWrong);
  };
  const std::vector<Finding> stories = findings_for("stories.search", Metric::kSeqLogprob);
  ASSERT_EQ(stories.size(), 1U);
  EXPECT_FALSE(stories[0].is_fatal);
  EXPECT_NE(stories[0].message.find("stories.search"), std::string::npos);
  EXPECT_NE(stories[0].message.find("23 of 48 probes (47 %)"), std::string::npos);
  EXPECT_NE(stories[0].message.find("23 times"), std::string::npos) << stories[0].message;
  EXPECT_EQ(findings_for("stories.search", Metric::kTokenGap).size(), 1U);
  EXPECT_EQ(findings_for("sums.search", Metric::kSeqLogprob).size(), 1U);
  for (const std::string name : {"stories.search", "sums.search"})
    for (const Metric metric : {Metric::kNll, Metric::kMargin})
      EXPECT_TRUE(findings_for(name, metric).empty()) << name;
  for (const std::string name : {"calculus.search", "capitals"})
    EXPECT_TRUE(findings_for(name, Metric::kSeqLogprob).empty()) << name;
}

TEST(AuditProbes, an_alternate_answer_is_no_error) {
  // The model writes " 42"; as an alternate it is right, and the expected answer alone is not.
  const auto findings_for = [&](std::vector<std::string> alternates) {
    Probe probe = simple("12 + 30 =", " 57", " 99");
    probe.alternates = std::move(alternates);
    return of_kind(audit(targets({probe}), Metric::kSeqLogprob), FindingKind::kFixedWrong).size();
  };
  EXPECT_EQ(findings_for({}), 1U);
  EXPECT_EQ(findings_for({" 43"}), 1U);
  EXPECT_EQ(findings_for({" 43", " 42"}), 0U);
}

TEST(AuditProbes, a_wrong_answer_that_the_model_gives_is_a_good_one) {
  const SearchData data = targets({simple("12 + 30 =", " 57", " 42")});
  EXPECT_TRUE(of_kind(audit(data, Metric::kSeqLogprob), FindingKind::kFixedWrong).empty());
}

TEST(AuditProbes, finds_repetitions_within_a_role) {
  SearchData data = targets({simple("a", " b"), simple("a", " c"), simple("a", " b")});
  EXPECT_EQ(of_kind(audit(data), FindingKind::kDuplicate).size(), 1U);
  data.controls = {{{"controls.json", {simple("a", " b")}, {}}, 1.0}};
  EXPECT_EQ(of_kind(audit(data), FindingKind::kDuplicate).size(), 1U);
}

TEST(AuditProbes, finds_held_out_prompts_that_are_searched_on) {
  SearchData data = targets({simple("a", " b")});
  data.controls = {{{"controls.json", {simple("c", " d")}, {}}, 1.0}};
  data.held_out = {
      {{"heldout.json", {simple("a", " x"), simple("c", " d"), simple("e", " f")}, {}}, 1.0}};
  const std::vector<Finding> leaks = of_kind(audit(data), FindingKind::kLeak);
  ASSERT_EQ(leaks.size(), 2U);
  EXPECT_FALSE(leaks[0].is_fatal);
  EXPECT_NE(leaks[0].message.find("heldout.json"), std::string::npos);
}

TEST(AuditProbes, warns_of_few_targets_unless_there_is_text) {
  SearchData data = targets({simple("a", " b")});
  EXPECT_EQ(of_kind(audit(data), FindingKind::kFewProbes).size(), 1U);
  data.targets[0].data.texts = {"some text"};
  EXPECT_TRUE(of_kind(audit(data), FindingKind::kFewProbes).empty());
}

}  // namespace
}  // namespace bankai::bfs
