// The speed of models of characters: prompts, generation, and the exact evaluation of flips.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
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

// A prompt of random characters through the layers in blocks, with the logits of the last one:
// tokens per second.
double measure_character_prompt(model::CharacterModel& model, std::size_t tokens,
                                std::size_t repetitions);

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

// Their lines of a table, or one that says why there are none; nothing where that is empty too.
void print_candidates(const std::optional<CandidateSpeed>& speed, const std::string& why_not);

}  // namespace bankai::cli
