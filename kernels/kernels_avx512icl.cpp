// The AVX-512 table with VNNI, VBMI and VPOPCNTDQ (Ice Lake, Zen 4 and later).
#include <cstddef>
#include <cstdint>

#include "kernels/byte_quads_avx512icl.h"
#include "kernels/cpu_features.h"
#include "kernels/digit_sums_avx512icl.h"
#include "kernels/int8_peak_body.h"
#include "kernels/kernel_table.h"
#include "kernels/outer_digits_body.h"
#include "kernels/transposed_body.h"
#include "kernels/xnor_avx512icl.h"
#include "kernels/xnor_body.h"
#include "kernels/xnor_pointer.h"

namespace bankai::kernels {

const KernelTable kAvx512IclKernels = {
    .name = "avx512icl",
    .required_features = kCpuAvx512Icl,
    .gemm_transposed = gemm_transposed<ByteQuadsAvx512Icl>,
    .xnor_gemm = xnor_gemm<XnorAvx512Icl>,
    .xnor_threshold = xnor_threshold<XnorAvx512Icl>,
    .xnor_pointer = xnor_pointer<XnorAvx512Icl>,
    .add_digit_products = add_digit_products<DigitSumsAvx512Icl>,
    .int8_peak = int8_peak<ByteQuadsAvx512Icl>,
};

}  // namespace bankai::kernels
