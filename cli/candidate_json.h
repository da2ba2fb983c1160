// The keys of bankai-bench --json about flips, for every kind of model.
#pragma once

#include <optional>

#include "cli/bench_candidates.h"

namespace bankai::cli {

// Adds them to an object, one of nlohmann's: null where flips were not measured.
template <typename Json>
void add_candidate_figures(const std::optional<CandidateSpeed>& speed, Json& report) {
  const CandidateSpeed none;
  const CandidateSpeed& shown = speed ? *speed : none;
  Json layers = Json::array();
  for (const CandidateSpeed::Layer& layer : shown.layers)
    layers.push_back({{"layer", layer.layer}, {"per_s", layer.per_second}});
  const auto add = [&](const char* key, const auto& value) {
    report[key] = speed ? Json(value) : Json();
  };
  add("candidates_per_s", shown.per_second);
  add("plain_candidates_per_s", shown.plain_per_second);
  add("one_by_one_candidates_per_s", shown.one_by_one_per_second);
  add("candidate_layers", layers);
  add("candidate_tokens", shown.tokens);
  add("candidate_nodes", shown.nodes);
  add("candidate_batch", shown.batch);
}

}  // namespace bankai::cli
