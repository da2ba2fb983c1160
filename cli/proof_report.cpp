#include "cli/proof_report.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "core/format.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

Json interval_json(std::size_t successes, std::size_t trials) {
  const bfs::Interval interval = bfs::wilson_interval(successes, trials);
  return {interval.low, interval.high};
}

std::string percent_text(std::size_t successes, std::size_t trials) {
  const bfs::Interval interval = bfs::wilson_interval(successes, trials);
  const double share =
      trials > 0 ? static_cast<double>(successes) / static_cast<double>(trials) : 0.0;
  return format("%.1f %% [%.1f, %.1f]", 100.0 * share, 100.0 * interval.low, 100.0 * interval.high);
}

}  // namespace

std::string proof_json(const bfs::HeldOutResult& proof) {
  Json json;
  if (proof.num_probes == 0) {
    json = {
        {"before", proof.score_before}, {"after", proof.score_after}, {"fixed", 0}, {"broken", 0}};
  } else {
    json = {{"before", proof.correct_before},
            {"after", proof.correct_after},
            {"fixed", proof.fixed.size()},
            {"broken", proof.broken.size()},
            {"num_probes", proof.num_probes},
            {"before_interval", interval_json(proof.correct_before, proof.num_probes)},
            {"after_interval", interval_json(proof.correct_after, proof.num_probes)},
            {"fixed_names", proof.fixed},
            {"broken_names", proof.broken}};
  }
  json["score_before"] = proof.score_before;
  json["score_after"] = proof.score_after;
  return json.dump();
}

void print_proof(const char* title, const bfs::HeldOutResult& proof) {
  if (proof.num_probes > 0) {
    std::cout << format("%-10s %zu -> %zu of %zu right (fixed %zu, broken %zu)\n", title,
                        proof.correct_before, proof.correct_after, proof.num_probes,
                        proof.fixed.size(), proof.broken.size());
    std::cout << format("%-10s %s -> %s\n", "",
                        percent_text(proof.correct_before, proof.num_probes).c_str(),
                        percent_text(proof.correct_after, proof.num_probes).c_str());
  }
  std::cout << format("%-10s mean log-probability %.4f -> %.4f nats\n",
                      proof.num_probes > 0 ? "" : title, proof.score_before, proof.score_after);
}

}  // namespace bankai::cli
