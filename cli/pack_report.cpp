#include "cli/pack_report.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include "core/format.h"

namespace bankai::cli {
namespace {

unsigned long long printable(std::uint64_t value) { return value; }

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// In the order in which kinds come first.
std::vector<packer::LedgerEntry> sums_by_kind(const std::vector<packer::LedgerEntry>& entries) {
  std::vector<packer::LedgerEntry> sums;
  std::map<std::string, std::size_t> places;
  for (const packer::LedgerEntry& entry : entries) {
    const std::string kind = kind_of_tensor(entry.name);
    const auto [place, is_new] = places.try_emplace(kind, sums.size());
    if (is_new) sums.push_back({kind, entry.codec, 0, 0, 0});
    packer::LedgerEntry& sum = sums[place->second];
    sum.bytes += entry.bytes;
    sum.raw_bytes += entry.raw_bytes;
    sum.entropy_bytes += entry.entropy_bytes;
    if (sum.codec != entry.codec) sum.codec = "several";
  }
  return sums;
}

}  // namespace

std::string kind_of_tensor(std::string_view name) {
  std::string kind;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    kind += (begin == 0 ? "" : ".") + (is_number(part) ? "*" : std::string(part));
    begin = end + 1;
  }
  return kind;
}

void print_ledger_text(const packer::PackLedger& ledger, bool verbose) {
  const std::vector<packer::LedgerEntry> entries =
      verbose ? ledger.entries : sums_by_kind(ledger.entries);
  std::size_t width = 4;
  for (const packer::LedgerEntry& entry : entries) width = std::max(width, entry.name.size());
  const int columns = static_cast<int>(width);
  std::cout << format("%-*s  %-14s %12s %12s %12s\n", columns, "name", "codec", "bytes", "raw",
                      "entropy");
  for (const packer::LedgerEntry& entry : entries)
    std::cout << format("%-*s  %-14s %12llu %12llu %12llu\n", columns, entry.name.c_str(),
                        entry.codec.empty() ? "none" : entry.codec.c_str(), printable(entry.bytes),
                        printable(entry.raw_bytes), printable(entry.entropy_bytes));
  std::cout << format(
      "total %llu bytes, %.4f of the model file's %llu\n", printable(ledger.total_bytes),
      static_cast<double>(ledger.total_bytes) / static_cast<double>(ledger.model_bytes),
      printable(ledger.model_bytes));
}

}  // namespace bankai::cli
