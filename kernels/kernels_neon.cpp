// The NEON table (AArch64).
#include <cstddef>
#include <cstdint>

#include "kernels/attention_body.h"
#include "kernels/change_body.h"
#include "kernels/cpu_features.h"
#include "kernels/elementwise_body.h"
#include "kernels/gemm_int8_body.h"
#include "kernels/gemm_lookup_body.h"
#include "kernels/int8_peak_neon.h"
#include "kernels/kernel_table.h"
#include "kernels/lookup_neon.h"
#include "kernels/outer_body.h"
#include "kernels/quantize_body.h"
#include "kernels/rows_neon.h"
#include "kernels/signs_body.h"
#include "kernels/signs_neon.h"
#include "kernels/vec16_neon.h"

namespace bankai::kernels {

const KernelTable kNeonKernels = {
    .name = "neon",
    .required_features = kCpuNeon,
    .quantize_a8 = quantize_a8<Vec16Neon>,
    .quantize_a16 = quantize_a16<Vec16Neon>,
    .gemm = {lookup::gemm<LookupNeon, 1, 128>, lookup::gemm<LookupNeon, 2, 128>,
             lookup::gemm<LookupNeon, 2, 64>, int8::gemm<Rows4Neon>},
    .attention_scores = {attention_scores<Vec16Neon, KvType::kF16>,
                         attention_scores<Vec16Neon, KvType::kF32>},
    .attention_values = {attention_values<Vec16Neon, KvType::kF16>,
                         attention_values<Vec16Neon, KvType::kF32>},
    .packed_scores = {packed_scores<Vec16Neon, 1>, packed_scores<Vec16Neon, 2>,
                      packed_scores<Vec16Neon, 4>, packed_scores<Vec16Neon, 8>},
    .packed_values = {packed_values<Vec16Neon, 1>, packed_values<Vec16Neon, 2>,
                      packed_values<Vec16Neon, 4>, packed_values<Vec16Neon, 8>},
    .accumulate_outer = accumulate_outer<Vec16Neon>,
    .add_products = add_products<Vec16Neon>,
    .add_silu_changes = add_silu_changes<Vec16Neon>,
    .add_relu2_changes = add_relu2_changes<Vec16Neon>,
    .add_shortfalls = add_shortfalls<Vec16Neon>,
    .add_fixed = add_fixed<Vec16Neon>,
    .dot_signs = dot_signs<SignsNeon>,
    .add_signs = add_signs<SignsNeon>,
    .dot_f32 = dot_f32<Vec16Neon>,
    .add_f32 = add_f32<Vec16Neon>,
    .f32_to_f16 = f32_to_f16<Vec16Neon>,
    .f16_to_f32 = f16_to_f32<Vec16Neon>,
    .rms_norm = rms_norm<Vec16Neon>,
    .rope_neox = rope_neox<Vec16Neon>,
    .silu_mul = silu_mul<Vec16Neon>,
    .relu2_mul = relu2_mul<Vec16Neon>,
    .max_f32 = max_f32<Vec16Neon>,
    .exponentials = exponentials<Vec16Neon>,
    .sum_exp = sum_exp<Vec16Neon>,
    .int8_peak = int8_peak_neon,
};

}  // namespace bankai::kernels
