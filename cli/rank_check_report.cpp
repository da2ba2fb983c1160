#include "cli/rank_check_report.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

const char* plural_name(patch::FlipKind kind) {
  switch (kind) {
    case patch::FlipKind::kRow: return "rows";
    case patch::FlipKind::kGroup: return "groups";
    case patch::FlipKind::kBit: return "bits";
    case patch::FlipKind::kStepUp: return "steps up";
    case patch::FlipKind::kStepDown: return "steps down";
  }
  return "";
}

double per_second(std::size_t count, double seconds) {
  return seconds > 0.0 ? static_cast<double>(count) / seconds : 0.0;
}

}  // namespace

void print_rank_check(const bfs::RankCheck& check, bool json) {
  if (json) {
    nlohmann::ordered_json kinds = nlohmann::ordered_json::array();
    for (const bfs::RankCheck::Kind& kind : check.kinds)
      kinds.push_back({{"kind", plural_name(kind.kind)},
                       {"candidates", kind.num_candidates},
                       {"evaluated", kind.agreement.count},
                       {"spearman", kind.agreement.spearman},
                       {"pearson", kind.agreement.pearson},
                       {"top", kind.agreement.top},
                       {"top_improving", kind.agreement.top_improving},
                       {"exact_per_second", per_second(kind.agreement.count, kind.exact_seconds)}});
    const nlohmann::ordered_json object = {{"kinds", std::move(kinds)},
                                           {"forward_seconds", check.forward_seconds},
                                           {"ranking_seconds", check.ranking_seconds}};
    print_json_line(object);
    return;
  }
  std::cout << format("%-10s %12s %10s %10s %10s %14s %10s\n", "kind", "candidates", "evaluated",
                      "Spearman", "Pearson", "best improve", "exact/s");
  for (const bfs::RankCheck::Kind& kind : check.kinds)
    std::cout << format(
        "%-10s %12llu %10zu %10.4f %10.4f %8zu of %2zu %10.1f\n", plural_name(kind.kind),
        static_cast<unsigned long long>(kind.num_candidates), kind.agreement.count,
        kind.agreement.spearman, kind.agreement.pearson, kind.agreement.top_improving,
        kind.agreement.top, per_second(kind.agreement.count, kind.exact_seconds));
  std::cout << format("ranking    %.3f s for all candidates, %.1f forward passes of %.3f s\n",
                      check.ranking_seconds, check.ranking_seconds / check.forward_seconds,
                      check.forward_seconds);
}

}  // namespace bankai::cli
