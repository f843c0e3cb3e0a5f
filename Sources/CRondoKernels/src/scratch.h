// Memory that a thread keeps for its kernels.
#ifndef RK_SCRATCH_H
#define RK_SCRATCH_H

#include <stddef.h>

typedef enum {
    RK_SCRATCH_WEIGHTS,
    RK_SCRATCH_SUMS,
    RK_SCRATCH_PACKED_A,
    RK_SCRATCH_PACKED_B,
    RK_SCRATCH_SCAN_GATES,
    RK_SCRATCH_SCAN_SLOPES,
    RK_SCRATCH_ATTENTION,
    RK_SCRATCH_CONVOLUTION_TAPS,
    RK_SCRATCH_CONVOLUTION_INPUT,
    RK_SCRATCH_CONVOLUTION_SLOPES,
    RK_SCRATCH_VANDERMONDE,
    RK_SCRATCH_MATRIX_STATE,
    RK_SCRATCH_LINEAR_ATTENTION,
    RK_SCRATCH_SELECTIVE,
    RK_SCRATCH_DELTA_RULE,
    RK_SCRATCH_COUNT
} rk_scratch_use;

/// At least `bytes` bytes, aligned to 64, of unspecified content; valid until this thread asks again for the same use.
void *rk_scratch(rk_scratch_use use, size_t bytes);

#endif
