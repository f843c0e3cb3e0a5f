// Chooses the kernels for this CPU.
#include "kernels.h"
#include <stdatomic.h>
#include <stdio.h>

#if defined(__x86_64__)
static const struct rk_kernels *const tables[][2] = {
    [RK_BASELINE] = {&rk_baseline_f32, &rk_baseline_f64},
    [RK_AVX2] = {&rk_avx2_f32, &rk_avx2_f64},
    [RK_AVX512] = {&rk_avx512_f32, &rk_avx512_f64},
};
#else
static const struct rk_kernels *const tables[][2] = {[RK_BASELINE] = {&rk_baseline_f32, &rk_baseline_f64}};
#endif

rk_level rk_best_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
                __builtin_cpu_supports("bmi2");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return RK_AVX512;
    if (avx2) return RK_AVX2;
#endif
    return RK_BASELINE;
}

// -1: not chosen yet. Threads that race to choose store the same value.
static atomic_int current_level = -1;

rk_level rk_current_level(void) {
    int level = atomic_load_explicit(&current_level, memory_order_relaxed);
    if (level < 0) {
        level = (int)rk_best_level();
        atomic_store_explicit(&current_level, level, memory_order_relaxed);
    }
    return (rk_level)level;
}

bool rk_set_level(rk_level level) {
    if (level < RK_BASELINE || level > rk_best_level()) return false;
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
    return true;
}

const struct rk_kernels *rk_kernels_for(rk_type type) { return tables[rk_current_level()][type]; }

void rk_unary(rk_type type, rk_unary_op op, const void *x, void *y, size_t count) {
    rk_kernels_for(type)->unary(op, x, y, count);
}
