// The model's own best wrong answers, which the margin metric compares with.
#pragma once

#include <span>
#include <vector>

#include "bfs/objective.h"
#include "bfs/probe.h"
#include "bfs/responder.h"
#include "model/transformer.h"
#include "mpi/communicator.h"

namespace bankai::bfs {

// For each probe, as tokens after the prompt and up to the first newline: the greedy answer where
// it is wrong, else the greedy continuation of the likeliest first token that the right answer does
// not have.
std::vector<Rival> find_rivals(Responder& responder, std::span<const Probe> probes);
std::vector<Rival> find_rivals(model::Transformer& transformer,
                               const model::Replacements& replacements,
                               std::span<const Probe> probes);
// Collective. The same, each rank finding those of some probes.
std::vector<Rival> find_rivals(mpi::Communicator& communicator, Responder& responder,
                               std::span<const Probe> probes);
std::vector<Rival> find_rivals(mpi::Communicator& communicator, model::Transformer& transformer,
                               const model::Replacements& replacements,
                               std::span<const Probe> probes);

}  // namespace bankai::bfs
