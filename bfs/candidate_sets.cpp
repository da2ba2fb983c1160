#include "bfs/candidate_sets.h"

#include <algorithm>

#include "core/bit_matrix.h"

namespace bankai::bfs {
namespace {

using patch::Flip;
using patch::FlipKind;

bool contains(std::span<const CandidateId> set, CandidateId id) {
  return std::find(set.begin(), set.end(), id) != set.end();
}

bool is_step(const CandidateSpace& space, CandidateId id) {
  return patch::is_step(space.flip(id).kind);
}

// Does the row or group flip negate the weight of the step?
bool negates(const Flip& negation, const Flip& step) {
  return negation.tensor == step.tensor && negation.row == step.row &&
         (negation.kind == FlipKind::kRow || negation.index == step.index / kGroupCols);
}

// Those that are in the set are taken out of it, others added.
void flip_one(const CandidateSpace& space, std::vector<CandidateId>& set, CandidateId id) {
  const Flip flip = space.flip(id);
  auto found = std::find(set.begin(), set.end(), id);
  if (!patch::is_step(flip.kind)) {
    if (flip.kind != FlipKind::kBit)
      for (CandidateId& other : set)
        if (is_step(space, other) && negates(flip, space.flip(other)))
          other = inverse_of(space, other);
    if (found == set.end())
      set.push_back(id);
    else
      set.erase(found);
    return;
  }
  if (found != set.end()) {  // twice the same step is the opposite one
    *found = inverse_of(space, id);
    return;
  }
  found = std::find(set.begin(), set.end(), inverse_of(space, id));
  if (found == set.end())
    set.push_back(id);
  else
    set.erase(found);
}

}  // namespace

CandidateId inverse_of(const CandidateSpace& space, CandidateId id) {
  Flip flip = space.flip(id);
  if (!patch::is_step(flip.kind)) return id;
  flip.kind = flip.kind == FlipKind::kStepUp ? FlipKind::kStepDown : FlipKind::kStepUp;
  return space.id_of(flip);
}

std::vector<CandidateId> toggled(const CandidateSpace& space, std::vector<CandidateId> set,
                                 std::span<const CandidateId> ids) {
  for (const CandidateId id : ids) flip_one(space, set, id);
  return set;
}

int growth(const CandidateSpace& space, std::span<const CandidateId> set, CandidateId id) {
  if (contains(set, inverse_of(space, id))) return -1;
  return contains(set, id) ? 0 : 1;
}

std::vector<CandidateId> changes_between(const CandidateSpace& space,
                                         std::span<const CandidateId> from,
                                         std::span<const CandidateId> to) {
  std::vector<CandidateId> changes;
  for (const CandidateId id : from)
    if (!is_step(space, id) && !contains(to, id)) changes.push_back(id);
  for (const CandidateId id : to)
    if (!is_step(space, id) && !contains(from, id)) changes.push_back(id);
  const std::vector<CandidateId> negated = toggled(space, {from.begin(), from.end()}, changes);
  for (const CandidateId id : negated)
    if (is_step(space, id) && !contains(to, id)) {
      // To the opposite step it is one more of the same, to none one back.
      const CandidateId inverse = inverse_of(space, id);
      changes.push_back(contains(to, inverse) ? id : inverse);
    }
  for (const CandidateId id : to)
    if (is_step(space, id) && !contains(negated, id) && !contains(negated, inverse_of(space, id)))
      changes.push_back(id);
  return changes;
}

}  // namespace bankai::bfs
