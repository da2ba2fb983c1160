#include "cli/pack_report.h"

#include <algorithm>
#include <iostream>

#include "core/format.h"

namespace bankai::cli {
namespace {

unsigned long long printable(std::uint64_t value) { return value; }

}  // namespace

void print_ledger_text(const packer::PackLedger& ledger) {
  std::size_t width = 4;
  for (const packer::LedgerEntry& entry : ledger.entries)
    width = std::max(width, entry.name.size());
  const int columns = static_cast<int>(width);
  std::cout << format("%-*s  %-14s %12s %12s %12s\n", columns, "name", "codec", "bytes", "raw",
                      "entropy");
  for (const packer::LedgerEntry& entry : ledger.entries)
    std::cout << format("%-*s  %-14s %12llu %12llu %12llu\n", columns, entry.name.c_str(),
                        entry.codec.empty() ? "none" : entry.codec.c_str(), printable(entry.bytes),
                        printable(entry.raw_bytes), printable(entry.entropy_bytes));
  std::cout << format(
      "total %llu bytes, %.4f of the model file's %llu\n", printable(ledger.total_bytes),
      static_cast<double>(ledger.total_bytes) / static_cast<double>(ledger.model_bytes),
      printable(ledger.model_bytes));
}

}  // namespace bankai::cli
