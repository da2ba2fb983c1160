// The AVX2 table (with FMA and F16C).
#include <cstddef>
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/elementwise_body.h"
#include "kernels/gemm_q1_0_avx2.h"
#include "kernels/gemm_q8_0_body.h"
#include "kernels/kernel_table.h"
#include "kernels/quantize_body.h"
#include "kernels/rows_avx2.h"
#include "kernels/vec16_avx2.h"

namespace bankai::kernels {

const KernelTable kAvx2Kernels = {
    .name = "avx2",
    .required_features = kCpuAvx2,
    .quantize_a8 = quantize_a8<Vec16Avx2>,
    .quantize_a16 = quantize_a16<Vec16Avx2>,
    .gemm_q1_0 = q1_0_avx2::gemm,
    .gemm_q8_0 = q8_0::gemm<Rows8Avx2>,
    .dot_f32 = dot_f32<Vec16Avx2>,
    .dot_f16 = dot_f16<Vec16Avx2>,
    .axpy_f32 = axpy_f32<Vec16Avx2>,
    .axpy_f16 = axpy_f16<Vec16Avx2>,
    .add_f32 = add_f32<Vec16Avx2>,
    .f32_to_f16 = f32_to_f16<Vec16Avx2>,
    .f16_to_f32 = f16_to_f32<Vec16Avx2>,
    .rms_norm = rms_norm<Vec16Avx2>,
    .rope_neox = rope_neox<Vec16Avx2>,
    .silu_mul = silu_mul<Vec16Avx2>,
    .max_f32 = max_f32<Vec16Avx2>,
    .softmax = softmax<Vec16Avx2>,
    .sum_exp = sum_exp<Vec16Avx2>,
};

}  // namespace bankai::kernels
