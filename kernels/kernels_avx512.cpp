// The AVX-512 table (F, BW, DQ, VL).
#include <cstddef>
#include <cstdint>

#include "kernels/attention_body.h"
#include "kernels/byte_quads_avx512.h"
#include "kernels/change_body.h"
#include "kernels/cpu_features.h"
#include "kernels/elementwise_body.h"
#include "kernels/gemm_bits_avx512.h"
#include "kernels/gemm_int8_body.h"
#include "kernels/int8_peak_body.h"
#include "kernels/kernel_table.h"
#include "kernels/outer_body.h"
#include "kernels/quantize_body.h"
#include "kernels/rows_avx512.h"
#include "kernels/transposed_body.h"
#include "kernels/vec16_avx512.h"
#include "kernels/xnor_avx512.h"
#include "kernels/xnor_body.h"
#include "kernels/xnor_pointer.h"

namespace bankai::kernels {

const KernelTable kAvx512Kernels = {
    .name = "avx512",
    .required_features = kCpuAvx512,
    .quantize_a8 = quantize_a8<Vec16Avx512>,
    .quantize_a16 = quantize_a16<Vec16Avx512>,
    .gemm = {bits_avx512::gemm<1, 8>, bits_avx512::gemm<2, 8>, bits_avx512::gemm<2, 4>,
             int8::gemm<Rows16Avx512>},
    .gemm_transposed = gemm_transposed<ByteQuadsAvx512>,
    .xnor_gemm = xnor_gemm<XnorAvx512>,
    .xnor_threshold = xnor_threshold<XnorAvx512>,
    .xnor_pointer = xnor_pointer<XnorAvx512>,
    .attention_scores = {attention_scores<Vec16Avx512, KvType::kF16>,
                         attention_scores<Vec16Avx512, KvType::kF32>},
    .attention_values = {attention_values<Vec16Avx512, KvType::kF16>,
                         attention_values<Vec16Avx512, KvType::kF32>},
    .packed_scores = {packed_scores<Vec16Avx512, 1>, packed_scores<Vec16Avx512, 2>,
                      packed_scores<Vec16Avx512, 4>, packed_scores<Vec16Avx512, 8>},
    .packed_values = {packed_values<Vec16Avx512, 1>, packed_values<Vec16Avx512, 2>,
                      packed_values<Vec16Avx512, 4>, packed_values<Vec16Avx512, 8>},
    .accumulate_outer = accumulate_outer<Vec16Avx512>,
    .add_products = add_products<Vec16Avx512>,
    .add_silu_changes = add_silu_changes<Vec16Avx512>,
    .add_relu2_changes = add_relu2_changes<Vec16Avx512>,
    .add_shortfalls = add_shortfalls<Vec16Avx512>,
    .add_fixed = add_fixed<Vec16Avx512>,
    .dot_f32 = dot_f32<Vec16Avx512>,
    .add_f32 = add_f32<Vec16Avx512>,
    .f32_to_f16 = f32_to_f16<Vec16Avx512>,
    .f16_to_f32 = f16_to_f32<Vec16Avx512>,
    .rms_norm = rms_norm<Vec16Avx512>,
    .rope_neox = rope_neox<Vec16Avx512>,
    .silu_mul = silu_mul<Vec16Avx512>,
    .relu2_mul = relu2_mul<Vec16Avx512>,
    .max_f32 = max_f32<Vec16Avx512>,
    .exponentials = exponentials<Vec16Avx512>,
    .sum_exp = sum_exp<Vec16Avx512>,
    .int8_peak = int8_peak<ByteQuadsAvx512>,
};

}  // namespace bankai::kernels
