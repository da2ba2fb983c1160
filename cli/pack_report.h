// What bankai-pack prints of a pack: where its bytes go.
#pragma once

#include <cstdint>
#include <optional>

#include "packer/pack_ledger.h"

namespace bankai::cli {

// The keys of `pack`, `plan` and `info`: total_bytes, budget_bytes (null without one), model_bytes,
// entries. `Json` is nlohmann's ordered type.
template <typename Json>
Json ledger_json(const packer::PackLedger& ledger, std::optional<std::uint64_t> budget) {
  Json object = {{"total_bytes", ledger.total_bytes},
                 {"budget_bytes", budget ? Json(*budget) : Json()},
                 {"model_bytes", ledger.model_bytes},
                 {"entries", Json::array()}};
  for (const packer::LedgerEntry& entry : ledger.entries)
    object["entries"].push_back({{"name", entry.name},
                                 {"codec", entry.codec.empty() ? "none" : entry.codec},
                                 {"bytes", entry.bytes},
                                 {"raw_bytes", entry.raw_bytes},
                                 {"entropy_bytes", entry.entropy_bytes}});
  return object;
}

// The same as a table: entries of a kind summed up, or each with `verbose`.
void print_ledger_text(const packer::PackLedger& ledger, bool verbose);

// "blk.*.ffn_up.weight" of "blk.12.ffn_up.weight": numbers between dots do not count.
std::string kind_of_tensor(std::string_view name);

}  // namespace bankai::cli
