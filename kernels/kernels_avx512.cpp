// The AVX-512 table (F, BW, DQ, VL).
#include <cstddef>
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/elementwise_body.h"
#include "kernels/gemm_q1_0_avx512.h"
#include "kernels/gemm_q8_0_body.h"
#include "kernels/kernel_table.h"
#include "kernels/quantize_body.h"
#include "kernels/rows_avx512.h"
#include "kernels/vec16_avx512.h"

namespace bankai::kernels {

const KernelTable kAvx512Kernels = {
    .name = "avx512",
    .required_features = kCpuAvx512,
    .quantize_a8 = quantize_a8<Vec16Avx512>,
    .quantize_a16 = quantize_a16<Vec16Avx512>,
    .gemm_q1_0 = q1_0_avx512::gemm,
    .gemm_q8_0 = q8_0::gemm<Rows16Avx512>,
    .dot_f32 = dot_f32<Vec16Avx512>,
    .dot_f16 = dot_f16<Vec16Avx512>,
    .axpy_f32 = axpy_f32<Vec16Avx512>,
    .axpy_f16 = axpy_f16<Vec16Avx512>,
    .add_f32 = add_f32<Vec16Avx512>,
    .f32_to_f16 = f32_to_f16<Vec16Avx512>,
    .f16_to_f32 = f16_to_f32<Vec16Avx512>,
    .rms_norm = rms_norm<Vec16Avx512>,
    .rope_neox = rope_neox<Vec16Avx512>,
    .silu_mul = silu_mul<Vec16Avx512>,
    .max_f32 = max_f32<Vec16Avx512>,
    .softmax = softmax<Vec16Avx512>,
    .sum_exp = sum_exp<Vec16Avx512>,
};

}  // namespace bankai::kernels
