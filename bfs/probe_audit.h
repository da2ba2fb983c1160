// Looks for probes that would mislead a search, before it starts.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bfs/objective.h"
#include "bfs/search_model.h"
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
  kFixedWrong,   // the metric's fixed wrong answers are not what the model gets wrong; for a file
  kFewProbes,    // too few targets to generalise from
};

struct Finding {
  FindingKind kind;
  bool is_fatal = false;
  std::string message;  // one line, names file and probe
};

// Checks of text and tokens; kInsideToken and kFixedWrong ask the model for its likeliest tokens
// along each target's answer.
std::vector<Finding> audit_probes(model::Transformer& transformer, const SearchOptions& options,
                                  const SearchData& data);
// The same for any model; one without a transformer is not asked.
std::vector<Finding> audit_probes(SearchModel& model, const SearchOptions& options,
                                  const SearchData& data);

}  // namespace bankai::bfs
