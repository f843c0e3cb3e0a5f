// The public sequence kernels, on the tables of this CPU.
#include "sequence.h"

#if defined(__x86_64__)
static const struct rk_sequence_kernels *const tables[][2] = {
    [RK_BASELINE] = {&rk_sequence_baseline_f32, &rk_sequence_baseline_f64},
    [RK_AVX2] = {&rk_sequence_avx2_f32, &rk_sequence_avx2_f64},
    [RK_AVX512] = {&rk_sequence_avx512_f32, &rk_sequence_avx512_f64},
};
#else
static const struct rk_sequence_kernels *const tables[][2] = {
    [RK_BASELINE] = {&rk_sequence_baseline_f32, &rk_sequence_baseline_f64}};
#endif

#define PLAIN(...) __VA_ARGS__
#define PUBLIC_FUNCTION(name, parameters, arguments) \
    void rk_##name(rk_type type, PLAIN parameters) { tables[rk_current_level()][type]->name arguments; }
SEQUENCE_KERNEL_LIST(PUBLIC_FUNCTION)
