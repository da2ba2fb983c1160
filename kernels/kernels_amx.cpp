// The AMX table: products of 16 tokens and more on tiles; everything else is the narrower tables'.
#include <cstddef>
#include <cstdint>

#include "kernels/amx_tiles.h"
#include "kernels/cpu_features.h"
#include "kernels/gemm_amx.h"
#include "kernels/int8_peak_amx.h"
#include "kernels/kernel_table.h"

namespace bankai::kernels {
namespace {

KernelTable::Gemm narrower_gemm(PanelFormat format) {
  const KernelTable* const tables[] = {&kAvx512IclKernels, &kAvx512Kernels, &kAvx2Kernels};
  for (const KernelTable* table : tables) {
    const KernelTable::Gemm gemm = table->gemm[static_cast<std::size_t>(format)];
    if (gemm != nullptr) return gemm;
  }
  return kScalarKernels.gemm[static_cast<std::size_t>(format)];
}

// For few tokens unpacking the weights costs more than the tiles save.
template <PanelFormat kFormat>
void gemm(const Panels& weights, const Activations& activations, float* out,
          std::size_t out_stride) {
  if (activations.tokens < kTileTokens)
    narrower_gemm(kFormat)(weights, activations, out, out_stride);
  else
    amx_gemm<HardwareTiles, kFormat>(weights, activations, out, out_stride);
}

}  // namespace

const KernelTable kAmxKernels = {
    .name = "amx",
    .required_features = kCpuAmx,
    .gemm = {gemm<PanelFormat::kOneBit>, gemm<PanelFormat::kTwoBit>, gemm<PanelFormat::kTwoBit64>,
             gemm<PanelFormat::kInt8>},
    .int8_peak = amx_int8_peak<HardwareTiles>,
};

}  // namespace bankai::kernels
