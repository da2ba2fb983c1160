// Atlases of one model over different calibration data as one.
//
// The merged atlas is that of a run over all items of all atlases with the weights they had, an
// item of two atlases counted twice. Gains are weighted means over the targets, losses over the
// controls, so those of a candidate merge as means weighted by the items' weights; so do means over
// candidates, and the changes of whole networks. Extremes, counts and best candidates follow from
// the merged values of the candidates: they are known for row flips, whose values an atlas holds,
// and unknown (no detail) for groups and bits.
#pragma once

#include <span>

#include "bfs/atlas.h"
#include "core/result.h"

namespace bankai::bfs {

// Errors: kBadInput, telling what differs: the model, the tensors or their kinds, a setting.
Status check_mergeable(const Atlas& first, const Atlas& other);

// One atlas comes back as it is. Sources keep their order, targets first.
// REQUIRES: at least one atlas, and each can be merged with the first.
Atlas merge_atlases(std::span<const Atlas> atlases);

}  // namespace bankai::bfs
