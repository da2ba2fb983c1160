#include "kernels/dispatch.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <string>

#include "core/format.h"
#include "kernels/cpu_features.h"

namespace bankai::kernels {
namespace {

// Panels and halves are read by plain loads.
static_assert(std::endian::native == std::endian::little, "the kernels need little-endian memory");

constexpr const KernelTable* kCompiledTables[] = {
    &kScalarKernels,
#if BANKAI_X86_KERNELS
    &kAvx2Kernels,   &kAvx512Kernels, &kAvx512IclKernels, &kAmxKernels,
#endif
#if BANKAI_NEON_KERNELS
    &kNeonKernels,
#endif
};
constexpr std::size_t kNumTables = std::size(kCompiledTables);

// `table` with each op that it lacks taken from `lower`.
KernelTable filled_from(KernelTable table, const KernelTable& lower) {
  const auto fill = [](auto& op, auto lower_op) {
    if (op == nullptr) op = lower_op;
  };
  fill(table.quantize_a8, lower.quantize_a8);
  fill(table.quantize_a16, lower.quantize_a16);
  for (std::size_t i = 0; i < kNumPanelFormats; ++i) fill(table.gemm[i], lower.gemm[i]);
  fill(table.gemm_transposed, lower.gemm_transposed);
  fill(table.xnor_gemm, lower.xnor_gemm);
  fill(table.xnor_threshold, lower.xnor_threshold);
  fill(table.xnor_pointer, lower.xnor_pointer);
  for (std::size_t i = 0; i < kNumKvTypes; ++i) {
    fill(table.attention_scores[i], lower.attention_scores[i]);
    fill(table.attention_values[i], lower.attention_values[i]);
  }
  for (std::size_t i = 0; i < kNumKvCodes; ++i) {
    fill(table.packed_scores[i], lower.packed_scores[i]);
    fill(table.packed_values[i], lower.packed_values[i]);
  }
  fill(table.accumulate_outer, lower.accumulate_outer);
  fill(table.add_digit_products, lower.add_digit_products);
  fill(table.add_products, lower.add_products);
  fill(table.add_silu_changes, lower.add_silu_changes);
  fill(table.add_relu2_changes, lower.add_relu2_changes);
  fill(table.add_shortfalls, lower.add_shortfalls);
  fill(table.add_fixed, lower.add_fixed);
  fill(table.dot_signs, lower.dot_signs);
  fill(table.add_signs, lower.add_signs);
  fill(table.dot_f32, lower.dot_f32);
  fill(table.add_f32, lower.add_f32);
  fill(table.f32_to_f16, lower.f32_to_f16);
  fill(table.f16_to_f32, lower.f16_to_f32);
  fill(table.rms_norm, lower.rms_norm);
  fill(table.rope_neox, lower.rope_neox);
  fill(table.silu_mul, lower.silu_mul);
  fill(table.relu2_mul, lower.relu2_mul);
  fill(table.max_f32, lower.max_f32);
  fill(table.exponentials, lower.exponentials);
  fill(table.sum_exp, lower.sum_exp);
  fill(table.int8_peak, lower.int8_peak);
  table.required_features |= lower.required_features;
  return table;
}

struct TableList {
  std::array<KernelTable, kNumTables> tables;
  std::array<const KernelTable*, kNumTables> pointers;

  TableList() {
    for (std::size_t i = 0; i < kNumTables; ++i) {
      const KernelTable& lower = i == 0 ? *kCompiledTables[0] : tables[i - 1];
      tables[i] = filled_from(*kCompiledTables[i], lower);
      pointers[i] = &tables[i];
    }
  }
};

std::string names(bool only_supported) {
  std::string list;
  for (const KernelTable* table : all_kernels()) {
    if (only_supported && !is_supported(*table)) continue;
    if (!list.empty()) list += ", ";
    list += table->name;
  }
  return list;
}

}  // namespace

std::span<const KernelTable* const> all_kernels() {
  static const TableList list;
  return list.pointers;
}

bool is_supported(const KernelTable& table) {
  return (table.required_features & ~cpu_features()) == 0;
}

Result<const KernelTable*> select_kernel(std::string_view name) {
  std::string wanted(name);
  if (wanted.empty()) {
    const char* variable = std::getenv("BANKAI_KERNEL");
    if (variable != nullptr) wanted = variable;
  }
  if (wanted.empty()) {
    const KernelTable* widest = all_kernels().front();
    for (const KernelTable* table : all_kernels())
      if (is_supported(*table)) widest = table;
    return widest;
  }
  for (const KernelTable* table : all_kernels()) {
    if (wanted != table->name) continue;
    if (is_supported(*table)) return table;
    return make_error(ErrorCode::kUsage, "this machine cannot run the kernel '%s'; it can run: %s",
                      wanted.c_str(), names(true).c_str());
  }
  return make_error(ErrorCode::kUsage, "unknown kernel '%s'; there are: %s", wanted.c_str(),
                    names(false).c_str());
}

}  // namespace bankai::kernels
