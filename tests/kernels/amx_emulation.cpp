#include "tests/kernels/amx_emulation.h"

#include "kernels/gemm_amx.h"
#include "kernels/int8_peak_amx.h"
#include "tests/kernels/emulated_tiles.h"

namespace bankai::kernels {

void emulated_amx_gemm(const Panels& weights, const Activations& activations, float* out,
                       std::size_t out_stride) {
  constexpr KernelTable::Gemm kGemm[kNumPanelFormats] = {
      amx_gemm<EmulatedTiles, PanelFormat::kOneBit>, amx_gemm<EmulatedTiles, PanelFormat::kTwoBit>,
      amx_gemm<EmulatedTiles, PanelFormat::kTwoBit64>, amx_gemm<EmulatedTiles, PanelFormat::kInt8>};
  kGemm[static_cast<std::size_t>(weights.format)](weights, activations, out, out_stride);
}

std::uint64_t emulated_amx_int8_peak(std::size_t rounds) {
  return amx_int8_peak<EmulatedTiles>(rounds);
}

std::size_t emulated_amx_faults() {
  return EmulatedTiles::faults + (EmulatedTiles::is_configured ? 1 : 0);
}

}  // namespace bankai::kernels
