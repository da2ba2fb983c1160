// The AVX2 table (with FMA and F16C).
#include <cstddef>
#include <cstdint>

#include "kernels/attention_body.h"
#include "kernels/byte_quads_avx2.h"
#include "kernels/change_body.h"
#include "kernels/cpu_features.h"
#include "kernels/digit_sums_avx2.h"
#include "kernels/elementwise_body.h"
#include "kernels/gemm_int8_body.h"
#include "kernels/gemm_lookup_body.h"
#include "kernels/int8_peak_body.h"
#include "kernels/kernel_table.h"
#include "kernels/lookup_avx2.h"
#include "kernels/outer_body.h"
#include "kernels/outer_digits_body.h"
#include "kernels/quantize_body.h"
#include "kernels/rows_avx2.h"
#include "kernels/signs_avx2.h"
#include "kernels/signs_body.h"
#include "kernels/transposed_body.h"
#include "kernels/vec16_avx2.h"
#include "kernels/xnor_avx2.h"
#include "kernels/xnor_body.h"
#include "kernels/xnor_pointer.h"

namespace bankai::kernels {

const KernelTable kAvx2Kernels = {
    .name = "avx2",
    .required_features = kCpuAvx2,
    .quantize_a8 = quantize_a8<Vec16Avx2>,
    .quantize_a16 = quantize_a16<Vec16Avx2>,
    .gemm = {lookup::gemm<LookupAvx2, 1, 128>, lookup::gemm<LookupAvx2, 2, 128>,
             lookup::gemm<LookupAvx2, 2, 64>, int8::gemm<Rows8Avx2>},
    .gemm_transposed = gemm_transposed<ByteQuadsAvx2>,
    .xnor_gemm = xnor_gemm<XnorAvx2>,
    .xnor_threshold = xnor_threshold<XnorAvx2>,
    .xnor_pointer = xnor_pointer<XnorAvx2>,
    .attention_scores = {attention_scores<Vec16Avx2, KvType::kF16>,
                         attention_scores<Vec16Avx2, KvType::kF32>},
    .attention_values = {attention_values<Vec16Avx2, KvType::kF16>,
                         attention_values<Vec16Avx2, KvType::kF32>},
    .packed_scores = {packed_scores<Vec16Avx2, 1>, packed_scores<Vec16Avx2, 2>,
                      packed_scores<Vec16Avx2, 4>, packed_scores<Vec16Avx2, 8>},
    .packed_values = {packed_values<Vec16Avx2, 1>, packed_values<Vec16Avx2, 2>,
                      packed_values<Vec16Avx2, 4>, packed_values<Vec16Avx2, 8>},
    .accumulate_outer = accumulate_outer<Vec16Avx2>,
    .add_digit_products = add_digit_products<DigitSumsAvx2>,
    .add_products = add_products<Vec16Avx2>,
    .add_silu_changes = add_silu_changes<Vec16Avx2>,
    .add_relu2_changes = add_relu2_changes<Vec16Avx2>,
    .add_shortfalls = add_shortfalls<Vec16Avx2>,
    .add_fixed = add_fixed<Vec16Avx2>,
    .dot_signs = dot_signs<SignsAvx2>,
    .add_signs = add_signs<SignsAvx2>,
    .dot_f32 = dot_f32<Vec16Avx2>,
    .add_f32 = add_f32<Vec16Avx2>,
    .f32_to_f16 = f32_to_f16<Vec16Avx2>,
    .f16_to_f32 = f16_to_f32<Vec16Avx2>,
    .rms_norm = rms_norm<Vec16Avx2>,
    .rope_neox = rope_neox<Vec16Avx2>,
    .silu_mul = silu_mul<Vec16Avx2>,
    .relu2_mul = relu2_mul<Vec16Avx2>,
    .max_f32 = max_f32<Vec16Avx2>,
    .exponentials = exponentials<Vec16Avx2>,
    .sum_exp = sum_exp<Vec16Avx2>,
    .int8_peak = int8_peak<ByteQuadsAvx2>,
};

}  // namespace bankai::kernels
