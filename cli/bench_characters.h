// How fast a model of characters runs: prompts, generation and the evaluation of flips.
#pragma once

#include <functional>
#include <span>

#include "cli/bench_candidates.h"
#include "cli/bench_character_report.h"
#include "cli/bench_options.h"
#include "cli/command_line.h"
#include "core/result.h"
#include "model/binary_cache.h"
#include "model/stage_times.h"
#include "model/tokenizer.h"

namespace bankai::cli {

// What is measured of a model of characters.
struct CharacterBench {
  std::function<Status()> check_kernels;  // kVerification: other logits than the scalar ones
  // Feeds tokens behind those of a cache; the likeliest token after the last of them.
  std::function<model::TokenId(std::span<const model::TokenId>, model::BinaryCache&)> feed;
  std::function<double()> prompt_limit;  // products per second; 0 where prompts are beside none
  std::function<void(model::StageTimes*)> measure_stages;  // null: it knows of none
  std::function<Result<CandidateSpeed>()> measure_flips;
};

// Checks the kernels, measures prompts of random characters through the layers in blocks,
// generation beside the read bandwidth and flips, and prints them with what the report says
// already. Errors: kUsage where flips are asked for and mean nothing; those of BandwidthMeter and
// of `bench`.
Status bench_characters(const CommandLine& line, const BenchOptions& options,
                        const CharacterBench& bench, CharacterReport report);

}  // namespace bankai::cli
