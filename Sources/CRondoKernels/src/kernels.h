// One table of kernels per (level, element type). Each level file compiles the *.inc.h templates once for float and
// once for double and exports a table; dispatch.c chooses among them.
#ifndef RK_KERNELS_H
#define RK_KERNELS_H

#include "rondo_kernels.h"

// Every kernel that exists per level and type: X(name, result, parameters). The template defines it as
// `static result k_name parameters`; rondo_kernels.h documents it as rk_name.
#define RK_KERNEL_LIST(X) \
    X(unary, void, (rk_unary_op op, const void *x, void *y, size_t count))

#define RK_MEMBER(name, result, parameters) result(*name) parameters;
struct rk_kernels {
    RK_KERNEL_LIST(RK_MEMBER)
};
#undef RK_MEMBER

#if defined(__x86_64__)
extern const struct rk_kernels rk_avx2_f32, rk_avx2_f64, rk_avx512_f32, rk_avx512_f64;
#endif
extern const struct rk_kernels rk_baseline_f32, rk_baseline_f64;

/// The kernels of the current level for a type.
const struct rk_kernels *rk_kernels_for(rk_type type);

#endif
