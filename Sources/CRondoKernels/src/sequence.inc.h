// All sequence kernels of one (level, element type), and their table.
#include "scratch.h"
#include "vector.inc.h"
#include "math.inc.h"

/// C = alpha op(A) op(B) + beta C, see rk_gemm: the product of the same level and type.
RK_INLINE void block_product(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, T alpha, const T *a,
                             size_t lda, const T *b, size_t ldb, T beta, T *c, size_t ldc) {
    RK_BASE.gemm(transpose_a, transpose_b, m, n, k, (double)alpha, a, lda, b, ldb, (double)beta, c, ldc);
}

#include "scan.inc.h"
#include "selective_scan.inc.h"
#include "linear_attention.inc.h"
#include "dual_step.inc.h"
#include "delta_rule.inc.h"
#include "attention.inc.h"
#include "elementwise_recurrence.inc.h"
#include "long_convolution.inc.h"
#include "state_space.inc.h"

#define RK_SEQUENCE_ENTRY(name, parameters, arguments) .name = k_##name,
const struct rk_sequence_kernels RK_TABLE = {SEQUENCE_KERNEL_LIST(RK_SEQUENCE_ENTRY)};
