// Chooses the kernels for this CPU.
#include "kernels.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

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

size_t rk_cache_bytes(int level) {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    long bytes = level >= 1 && level <= 3 ? sysconf(names[level - 1]) : 0;
    return bytes > 0 ? (size_t)bytes : 0;
#else
    (void)level;
    return 0;
#endif
}

#if defined(__x86_64__)
static char feature_names[256];

static void name_features(void) {
    size_t used = 0;
    __builtin_cpu_init();
#define NAME(feature) \
    if (__builtin_cpu_supports(feature)) \
        used += (size_t)snprintf(feature_names + used, sizeof feature_names - used, used > 0 ? " %s" : "%s", feature);
    NAME("avx2") NAME("fma") NAME("f16c") NAME("bmi2") NAME("avx512f") NAME("avx512vl") NAME("avx512dq")
    NAME("avx512bw") NAME("avx512vnni") NAME("avx512bf16")
#undef NAME
}
#endif

// -1: not chosen yet. Threads that race to choose store the same value.
static atomic_int current_level = -1;

static _Thread_local int thread_level = -1;

rk_level rk_current_level(void) {
    if (thread_level >= 0) return (rk_level)thread_level;
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

bool rk_set_thread_level(int level) {
    if (level > (int)rk_best_level()) return false;
    thread_level = level < 0 ? -1 : level;
    return true;
}

const char *rk_cpu_features(void) {
#if defined(__x86_64__)
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, name_features);
    return feature_names;
#elif defined(__aarch64__)
    return "neon fma";
#else
    return "";
#endif
}

const struct rk_kernels *rk_kernels_for(rk_type type) { return tables[rk_current_level()][type]; }

// --- the public functions ------------------------------------------------------------------------

void rk_unary(rk_type type, rk_unary_op op, const void *x, void *y, size_t count) {
    rk_kernels_for(type)->unary(op, x, y, count);
}

void rk_unary_gradient(rk_type type, rk_unary_op op, const void *x, const void *y, const void *g, void *dx,
                       size_t count) {
    rk_kernels_for(type)->unary_gradient(op, x, y, g, dx, count);
}

void rk_affine(rk_type type, const void *x, double scale, double offset, void *y, size_t count) {
    rk_kernels_for(type)->affine(x, scale, offset, y, count);
}

void rk_power_scalar(rk_type type, const void *x, double exponent, void *y, size_t count) {
    rk_kernels_for(type)->power_scalar(x, exponent, y, count);
}

void rk_clamp(rk_type type, const void *x, double low, double high, void *y, size_t count) {
    rk_kernels_for(type)->clamp(x, low, high, y, count);
}

void rk_axpy(rk_type type, double scale, const void *x, void *y, size_t count) {
    rk_kernels_for(type)->axpy(scale, x, y, count);
}

void rk_fill(rk_type type, double value, void *y, size_t count) {
    rk_kernels_for(type)->fill(value, y, count);
}

void rk_binary(rk_type type, rk_binary_op op, int rank, const int64_t *shape, const void *a, const int64_t *a_strides,
               const void *b, const int64_t *b_strides, void *y, size_t begin, size_t end) {
    rk_kernels_for(type)->binary(op, rank, shape, a, a_strides, b, b_strides, y, begin, end);
}

void rk_select(rk_type type, int rank, const int64_t *shape, const void *mask, const int64_t *mask_strides,
               const void *a, const int64_t *a_strides, const void *b, const int64_t *b_strides, void *y, size_t begin,
               size_t end) {
    rk_kernels_for(type)->select(rank, shape, mask, mask_strides, a, a_strides, b, b_strides, y, begin, end);
}

void rk_add_strided(rk_type type, int rank, const int64_t *shape, const void *src, const int64_t *src_strides,
                    void *dst, const int64_t *dst_strides) {
    rk_kernels_for(type)->add_strided(rank, shape, src, src_strides, dst, dst_strides);
}

void rk_cast(rk_storage from, rk_storage to, const void *src, void *dst, size_t count) {
    bool wide = from == RK_S_FLOAT64 || to == RK_S_FLOAT64 || from == RK_S_INT32 || to == RK_S_INT32;
    rk_kernels_for(wide ? RK_FLOAT64 : RK_FLOAT32)->cast(from, to, src, dst, count);
}

void rk_reduce(rk_type type, rk_reduce_op op, size_t outer, size_t axis, size_t inner, const void *x, void *y) {
    rk_kernels_for(type)->reduce(op, outer, axis, inner, x, y);
}

void rk_arg_reduce(rk_type type, bool smallest, size_t outer, size_t axis, size_t inner, const void *x, int32_t *y) {
    rk_kernels_for(type)->arg_reduce(smallest, outer, axis, inner, x, y);
}

void rk_cumulative_sum(rk_type type, bool reverse, size_t outer, size_t axis, size_t inner, const void *x, void *y) {
    rk_kernels_for(type)->cumulative_sum(reverse, outer, axis, inner, x, y);
}

double rk_sum_of_squares(rk_type type, const void *x, size_t count) {
    return rk_kernels_for(type)->sum_of_squares(x, count);
}

bool rk_all_finite(rk_type type, const void *x, size_t count) {
    return rk_kernels_for(type)->all_finite(x, count);
}

void rk_softmax(rk_type type, bool log, size_t rows, size_t columns, const void *x, void *y) {
    rk_kernels_for(type)->softmax(log, rows, columns, x, y);
}

void rk_softmax_gradient(rk_type type, bool log, size_t rows, size_t columns, const void *y, const void *g, void *dx) {
    rk_kernels_for(type)->softmax_gradient(log, rows, columns, y, g, dx);
}

void rk_log_sum_exp(rk_type type, size_t rows, size_t columns, const void *x, void *y) {
    rk_kernels_for(type)->log_sum_exp(rows, columns, x, y);
}

void rk_layer_norm(rk_type type, size_t rows, size_t columns, const void *x, const void *weight, const void *bias,
                   double epsilon, void *y, void *mean, void *rstd) {
    rk_kernels_for(type)->layer_norm(rows, columns, x, weight, bias, epsilon, y, mean, rstd);
}

void rk_layer_norm_gradient(rk_type type, size_t rows, size_t columns, const void *x, const void *weight,
                            const void *mean, const void *rstd, const void *g, void *dx, void *dweight, void *dbias) {
    rk_kernels_for(type)->layer_norm_gradient(rows, columns, x, weight, mean, rstd, g, dx, dweight, dbias);
}

void rk_rms_norm(rk_type type, size_t rows, size_t columns, const void *x, const void *weight, double epsilon, void *y,
                 void *rstd) {
    rk_kernels_for(type)->rms_norm(rows, columns, x, weight, epsilon, y, rstd);
}

void rk_rms_norm_gradient(rk_type type, size_t rows, size_t columns, const void *x, const void *weight,
                          const void *rstd, const void *g, void *dx, void *dweight) {
    rk_kernels_for(type)->rms_norm_gradient(rows, columns, x, weight, rstd, g, dx, dweight);
}

void rk_cross_entropy(rk_type type, size_t rows, size_t classes, const void *logits, const int32_t *targets,
                      double smoothing, int32_t ignore, double scale, void *loss, void *gradient) {
    rk_kernels_for(type)->cross_entropy(rows, classes, logits, targets, smoothing, ignore, scale, loss, gradient);
}

void rk_scatter_add_rows(rk_type type, size_t count, size_t width, size_t begin, size_t end, const void *g,
                         const int32_t *indices, void *table) {
    rk_kernels_for(type)->scatter_add_rows(count, width, begin, end, g, indices, table);
}

void rk_adamw(rk_type type, size_t count, void *p, const void *g, void *m, void *v, double rate, double beta1,
              double beta2, double epsilon, double decay, double correction1, double correction2,
              double gradient_scale) {
    rk_kernels_for(type)->adamw(count, p, g, m, v, rate, beta1, beta2, epsilon, decay, correction1, correction2,
                                gradient_scale);
}

void rk_lion(rk_type type, size_t count, void *p, const void *g, void *m, double rate, double beta1, double beta2,
             double decay, double gradient_scale) {
    rk_kernels_for(type)->lion(count, p, g, m, rate, beta1, beta2, decay, gradient_scale);
}

void rk_sgd(rk_type type, size_t count, void *p, const void *g, void *buffer, double rate, double momentum,
            double decay, bool decoupled, bool nesterov, bool first, double gradient_scale) {
    rk_kernels_for(type)->sgd(count, p, g, buffer, rate, momentum, decay, decoupled, nesterov, first, gradient_scale);
}

void rk_causal_convolution(rk_type type, size_t time, size_t channels, size_t width, size_t begin, size_t end,
                           const void *x, const void *history, const void *weight, const void *bias, void *y) {
    rk_kernels_for(type)->causal_convolution(time, channels, width, begin, end, x, history, weight, bias, y);
}

void rk_causal_convolution_step(rk_type type, size_t channels, size_t width, const void *x, void *history,
                                const void *taps, const void *bias, void *y) {
    rk_kernels_for(type)->causal_convolution_step(channels, width, x, history, taps, bias, y);
}

void rk_causal_convolution_gradient(rk_type type, size_t time, size_t channels, size_t width, size_t begin, size_t end,
                                    const void *x, const void *history, const void *weight, const void *g, void *dx,
                                    void *dhistory, void *dweight, void *dbias) {
    rk_kernels_for(type)->causal_convolution_gradient(time, channels, width, begin, end, x, history, weight, g, dx,
                                                      dhistory, dweight, dbias);
}

void rk_random_bits(uint64_t key, uint64_t stream, uint64_t offset, uint32_t *out, size_t count) {
    rk_kernels_for(RK_FLOAT32)->random_bits(key, stream, offset, out, count);
}

void rk_random_uniform(rk_type type, uint64_t key, uint64_t stream, uint64_t offset, double low, double high, void *out,
                       size_t count) {
    rk_kernels_for(type)->random_uniform(key, stream, offset, low, high, out, count);
}

void rk_random_normal(rk_type type, uint64_t key, uint64_t stream, uint64_t offset, double mean, double deviation,
                      void *out, size_t count) {
    rk_kernels_for(type)->random_normal(key, stream, offset, mean, deviation, out, count);
}

void rk_dropout(rk_type type, uint64_t key, uint64_t stream, uint64_t offset, double probability, const void *x,
                void *y, size_t count) {
    rk_kernels_for(type)->dropout(key, stream, offset, probability, x, y, count);
}

void rk_gemm(rk_type type, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha,
             const void *a, size_t lda, const void *b, size_t ldb, double beta, void *c, size_t ldc) {
    rk_kernels_for(type)->gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void rk_linear(rk_type type, rk_storage weights, size_t rows, size_t inputs, size_t outputs, const void *x, size_t x_row,
               const void *w, const void *bias, void *y, size_t y_row) {
    rk_kernels_for(type)->linear(weights, rows, inputs, outputs, x, x_row, w, bias, y, y_row);
}

void rk_expand_rows(rk_type type, rk_storage weights, size_t rows, size_t columns, const void *w, void *out) {
    rk_kernels_for(type)->expand_rows(weights, rows, columns, w, out);
}
