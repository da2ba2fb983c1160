// Looks for probes that would mislead a search, before it starts.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bfs/objective.h"
#include "bfs/search_options.h"
#include "model/transformer.h"

namespace bankai::bfs {

enum class FindingKind {
  kDead,    // right and wrong answer are the same tokens to the metric: the score can never change
  kOffset,  // the metric looks at one token, but the answer has several
  kDuplicate,    // the same prompt and answer twice in one role
  kLeak,         // a held-out prompt is also a target or control
  kBoundary,     // prompt and answer share a token, so the answer is encoded alone
  kInsideToken,  // the answer ends where the model would go on within one token
  kFewProbes,    // too few targets to generalise from
};

struct Finding {
  FindingKind kind;
  bool is_fatal = false;
  std::string message;  // one line, names the probe
};

// Checks of text and tokens; kInsideToken asks the model for its likeliest token at each answer's
// end.
std::vector<Finding> audit_probes(model::Transformer& transformer, const SearchOptions& options,
                                  const SearchData& data);

}  // namespace bankai::bfs
