// Which kernel tables exist, which of them this machine can run, and which one is used.
#pragma once

#include <span>
#include <string_view>

#include "core/result.h"
#include "kernels/kernel_table.h"

namespace bankai::kernels {

// Every table compiled in, from the plainest (scalar) to the widest.
std::span<const KernelTable* const> all_kernels();

// Can this machine run it?
bool is_supported(const KernelTable& table);

// The named table; for an empty name BANKAI_KERNEL if it is set, else the widest supported one.
// Errors: kUsage for an unknown name or one that this machine cannot run (both say which there
// are).
Result<const KernelTable*> select_kernel(std::string_view name);

}  // namespace bankai::kernels
