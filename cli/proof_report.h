// The proof of a patch on probes it was not made from, for people and for programs.
#pragma once

#include <string>

#include "bfs/held_out.h"

namespace bankai::cli {

// Three lines on standard output: answers right before and after, with Wilson intervals, and
// scores.
void print_proof(const char* title, const bfs::HeldOutResult& proof);

// A JSON object: before, after (right answers; scores where there are only texts), fixed, broken
// (counts), their names, intervals, and the mean scores.
std::string proof_json(const bfs::HeldOutResult& proof);

}  // namespace bankai::cli
