// How many flips per second are evaluated exactly on a model of characters.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "bfs/search_model.h"
#include "cli/bench_candidates.h"
#include "cli/bench_options.h"
#include "core/result.h"
#include "model/binary_model.h"
#include "model/character_model.h"
#include "patch/flip.h"

namespace bankai::cli {

// Calls use(model) with a model that has these flips.
using UseFlipped = std::function<void(std::span<const patch::Flip> flips,
                                      const std::function<void(model::CharacterModel&)>& use)>;

// Why no flips of a model of this shape are measured; empty where they are, and where `options` ask
// for none. Errors: kUsage where they ask for some.
Result<std::string> why_no_flips(const BenchOptions& options, const model::BinaryShape& shape);

// Row flips of gate and up, evenly spaced, in up to eight layers spread over the depth, on texts of
// random characters of which all are scored; `options.candidates` of them in each layer. Plain
// passes are those of CharacterModel, text by text. Errors: kVerification unless the scores are
// those of plain passes, bit for bit, for a flip of each layer. REQUIRES: why_no_flips is empty.
Result<CandidateSpeed> measure_character_candidates(bfs::SearchModel& searched,
                                                    const UseFlipped& use_flipped,
                                                    const BenchOptions& options);

}  // namespace bankai::cli
