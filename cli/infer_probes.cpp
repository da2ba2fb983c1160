#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "bfs/answer_check.h"
#include "bfs/evaluator.h"
#include "bfs/probe.h"
#include "bfs/rivals.h"
#include "cli/infer_jobs.h"
#include "cli/infer_text.h"
#include "cli/json_output.h"
#include "cli/report_text.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;
using bfs::Probe;

constexpr std::size_t kLineColumns = 100;

// How the model does on the probes, in their order.
struct Standing {
  std::vector<double> scores;
  std::vector<bfs::Answer> answers;
  double mean_score = 0.0;
  std::size_t num_correct = 0;
};

Result<std::vector<Probe>> read_probes(const std::vector<std::string>& paths) {
  std::vector<Probe> probes;
  for (const std::string& path : paths) {
    BANKAI_ASSIGN_OR_RETURN(const bfs::DataSet data, bfs::read_data_set(path));
    if (!data.texts.empty())
      return make_error(ErrorCode::kBadInput,
                        "%s: a text where probes are expected (--perplexity measures texts)",
                        path.c_str());
    probes.insert(probes.end(), data.probes.begin(), data.probes.end());
  }
  return probes;
}

// The scores of cli.md. The margin's rivals are the answers of the model that is scored.
Result<std::vector<double>> score_probes(InferSession& session, std::span<const Probe> probes,
                                         const model::RowOverlay& overlay) {
  const bfs::Metric metric = session.options.metric;
  std::vector<bfs::Rival> rivals(probes.size());
  if (metric == bfs::Metric::kMargin)
    rivals = bfs::find_rivals(*session.transformer, {&overlay, {}}, probes);
  bfs::ObjectiveBuilder builder(session.model->tokenizer(), 1);
  for (std::size_t i = 0; i < probes.size(); ++i)
    BANKAI_RETURN_IF_ERROR(builder.add_probe(probes[i], metric, 1.0, false, rivals[i]));
  const bfs::Objective objective = std::move(builder).build();
  bfs::Evaluator evaluator(*session.transformer, objective, {});
  if (overlay.empty())
    return std::vector(evaluator.base_scores().begin(), evaluator.base_scores().end());
  return evaluator.evaluate_overlay(overlay);
}

Result<Standing> examine(InferSession& session, std::span<const Probe> probes,
                         const model::RowOverlay& overlay) {
  Standing standing;
  BANKAI_ASSIGN_OR_RETURN(standing.scores, score_probes(session, probes, overlay));
  standing.answers = bfs::generate_answers(*session.transformer, {&overlay, {}}, probes,
                                           {session.options.answer_tokens});
  standing.num_correct = bfs::count_correct(standing.answers);
  for (const double score : standing.scores) standing.mean_score += score;
  standing.mean_score /= static_cast<double>(probes.size());
  return standing;
}

Json standing_json(const Standing& standing, std::span<const Probe> probes) {
  Json list = Json::array();
  for (std::size_t i = 0; i < probes.size(); ++i)
    list.push_back({{"name", probes[i].name},
                    {"score", standing.scores[i]},
                    {"generated", standing.answers[i].generated},
                    {"correct", standing.answers[i].correct}});
  const bfs::Interval interval = bfs::wilson_interval(standing.num_correct, probes.size());
  return {{"probes", std::move(list)},
          {"num_correct", standing.num_correct},
          {"num_probes", probes.size()},
          {"correct_interval", {interval.low, interval.high}},
          {"mean_score", standing.mean_score}};
}

std::vector<std::string> names_at(const std::vector<std::size_t>& indices,
                                  std::span<const Probe> probes) {
  std::vector<std::string> names;
  for (const std::size_t i : indices) names.push_back(probes[i].name);
  return names;
}

std::string right_text(std::size_t right, std::size_t all) {
  const bfs::Interval interval = bfs::wilson_interval(right, all);
  return format("%zu of %zu, %.1f %% [%.1f, %.1f]", right, all,
                100.0 * static_cast<double>(right) / static_cast<double>(all), 100.0 * interval.low,
                100.0 * interval.high);
}

void print_standing(const Standing& standing, std::span<const Probe> probes,
                    std::string_view metric) {
  constexpr std::size_t kMostNameColumns = 40;
  std::size_t name_columns = 4;
  for (const Probe& probe : probes)
    name_columns =
        std::clamp(count_characters(one_line(probe.name)), name_columns, kMostNameColumns);
  std::cout << column("name", name_columns) << format("  %10s  right  generated\n", "score");
  for (std::size_t i = 0; i < probes.size(); ++i)
    std::cout << without_trailing_blanks(
        column(one_line(probes[i].name), name_columns) +
        format("  %10.4f  %-5s ", standing.scores[i], standing.answers[i].correct ? "yes" : "no") +
        one_line(standing.answers[i].generated) + "\n");
  std::cout << "\nright       " << right_text(standing.num_correct, probes.size()) << '\n'
            << format("mean score  %.4f (%.*s)\n", standing.mean_score,
                      static_cast<int>(metric.size()), metric.data());
}

// "fixed       3: a, b, c", broken at the line's end.
void print_names(const char* title, const std::vector<std::string>& names) {
  constexpr std::size_t kIndent = 12;
  std::string line = format("%-12s%zu", title, names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string item = (i == 0 ? ": " : ", ") + one_line(names[i]);
    if (count_characters(line) + count_characters(item) > kLineColumns) {
      std::cout << line << ",\n";
      line = std::string(kIndent, ' ') + item.substr(2);
    } else {
      line += item;
    }
  }
  std::cout << line << '\n';
}

Status compare(InferSession& session, std::span<const Probe> probes) {
  BANKAI_ASSIGN_OR_RETURN(const Standing before, examine(session, probes, {}));
  BANKAI_ASSIGN_OR_RETURN(const Standing after, examine(session, probes, session.patches.overlay));
  const bfs::AnswerChange change = bfs::compare_answers(before.answers, after.answers);
  const std::vector<std::string> fixed = names_at(change.fixed, probes);
  const std::vector<std::string> broken = names_at(change.broken, probes);
  if (session.line.json()) {
    print_json_line(Json{{"before", standing_json(before, probes)},
                         {"after", standing_json(after, probes)},
                         {"fixed", fixed},
                         {"broken", broken}});
    return {};
  }
  const std::string_view metric = bfs::metric_name(session.options.metric);
  std::cout << "before      " << right_text(before.num_correct, probes.size()) << '\n'
            << "after       " << right_text(after.num_correct, probes.size()) << '\n'
            << format("mean score  %.4f -> %.4f (%.*s)\n", before.mean_score, after.mean_score,
                      static_cast<int>(metric.size()), metric.data());
  print_names("fixed", fixed);
  print_names("broken", broken);
  return {};
}

}  // namespace

Status infer_probes(InferSession& session) {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<Probe> probes, read_probes(session.options.probes));
  if (session.options.compare) return compare(session, probes);
  BANKAI_ASSIGN_OR_RETURN(const Standing standing,
                          examine(session, probes, session.patches.overlay));
  if (session.line.json())
    print_json_line(standing_json(standing, probes));
  else
    print_standing(standing, probes, bfs::metric_name(session.options.metric));
  return {};
}

}  // namespace bankai::cli
