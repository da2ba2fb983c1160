// Sets of candidates as patches, and what further flips make of them.
//
// A set stands for all of its flips together: whatever its order, negations act before steps
// (patch/flip.h), and a weight has at most one step. So a flip on top of a set, which acts last, is
// not always just added: the same negation again is none, a negation turns the steps of its weights
// around, and steps of one weight add up modulo 3.
#pragma once

#include <span>
#include <vector>

#include "bfs/candidate_space.h"

namespace bankai::bfs {

// `set` with the candidates of `ids` flipped one after the other: new ones at the end, those that
// are taken back out of it.
std::vector<CandidateId> toggled(const CandidateSpace& space, std::vector<CandidateId> set,
                                 std::span<const CandidateId> ids);

// What takes a candidate back where it acts last: the opposite step, or the same negation.
CandidateId inverse_of(const CandidateSpace& space, CandidateId id);

// How many candidates more `set` has with `id` flipped: 1, 0 where a step goes on from one that is
// there, −1 where one is taken back.
int growth(const CandidateSpace& space, std::span<const CandidateId> set, CandidateId id);

// What has to be flipped, in this order, to make `to` of `from`.
std::vector<CandidateId> changes_between(const CandidateSpace& space,
                                         std::span<const CandidateId> from,
                                         std::span<const CandidateId> to);

}  // namespace bankai::bfs
