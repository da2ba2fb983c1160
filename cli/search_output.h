// The files of bankai-search besides its tables, and the result that they are about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bfs/held_out.h"
#include "bfs/search_context.h"
#include "cli/search_report.h"
#include "core/sha256.h"

namespace bankai::cli {

// The content of a checkpoint; empty if there is no such file yet. Errors: kIo, kBadInput (an
// empty file).
Status load_checkpoint(const std::string& path, std::vector<std::byte>& bytes);
// Replaces the checkpoint, whole or not at all.
Status write_checkpoint(const std::string& path, std::span<const std::byte> bytes);
// Appends one line.
Status append_log(const std::string& path, std::string_view line);

// Tokens of a window of text, for what is searched on and what is held out alike.
std::size_t window_tokens(const bfs::SearchOptions& options, const bfs::SearchModel& model);

struct RunFacts {
  Sha256Digest model_hash;
  double seconds = 0.0;
  int ranks = 1;
};

// Generated answers to the held-out probes and the controls, without and with the patch.
struct Proofs {
  std::optional<bfs::HeldOutResult> held_out, controls;
};

// Collective. held_out may be null.
Result<Proofs> make_proofs(bfs::SearchContext& context, const bfs::SearchData& data,
                           bfs::HeldOut* held_out, const bfs::SearchState& state);

// Local. The patch of the accepted flips, bound to its base and with its history, and what it does.
Result<SearchReport> make_report(bfs::SearchContext& context, Proofs proofs,
                                 const bfs::SearchState& state, const RunFacts& facts);

}  // namespace bankai::cli
