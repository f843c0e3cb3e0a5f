// The CPU kernels of Rondo: one C interface, several instruction sets behind it, chosen at run time.
//
// Conventions
//   * `rk_type` picks float32 or float64; both come from one source. A kernel takes `void *` and its type.
//   * All kernels here are single-threaded and pure functions of their arguments; callers split the work
//     (`rk_parallel`) into pieces that depend on shapes only, never on the number of threads, so that results
//     are the same bits for every thread count.
//   * Arrays are dense and row-major unless strides (in elements) are given. Sizes are in elements.
//   * Output may alias an input only where stated ("in place allowed").
//   * int32 indices are range-checked by the caller.
#ifndef RONDO_KERNELS_H
#define RONDO_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { RK_FLOAT32 = 0, RK_FLOAT64 = 1 } rk_type;

// --- instruction sets ---------------------------------------------------------------------------

typedef enum { RK_BASELINE = 0, RK_AVX2 = 1, RK_AVX512 = 2 } rk_level;

/// The widest level this CPU runs.
rk_level rk_best_level(void);
/// The level in use (the best one unless `rk_set_level` was called).
rk_level rk_current_level(void);
/// Forces a level, for tests and bug reports. Returns false, changing nothing, when the CPU lacks it.
bool rk_set_level(rk_level level);
/// The same for kernels called on this thread only, so that tests do not disturb each other. -1 undoes it.
bool rk_set_thread_level(int level);
/// Space-separated names of the CPU features that matter here ("avx2 fma avx512f avx512vnni ...").
const char *rk_cpu_features(void);

/// Bytes of a core's data cache of level 1, 2 or 3; 0 if the system does not say.
size_t rk_cache_bytes(int level);

// --- threads (pool.c) ---------------------------------------------------------------------------

/// Sets how many threads (the caller included) `rk_parallel` and `rk_team` use. 0: one per core.
void rk_set_threads(int count);
int rk_threads(void);
/// Runs task(context, index) for every index in 0..<count on the pool and the calling thread; returns when all
/// are done. A call from inside a task, or while another thread owns the pool, runs serially on the caller.
void rk_parallel(size_t count, void (*task)(void *context, size_t index), void *context);
typedef struct rk_barrier rk_barrier;
/// Runs body(context, rank, size, barrier) at once on `size` threads, 1 <= size <= min(wanted, rk_threads()).
/// The body may use the barrier to meet the other ranks (all of them must).
void rk_team(int wanted, void (*body)(void *context, int rank, int size, rk_barrier *barrier), void *context);
void rk_barrier_wait(rk_barrier *barrier);

// --- elementwise ----------------------------------------------------------------------------------

typedef enum {
    RK_NEGATE, RK_ABS, RK_SIGN, RK_EXP, RK_EXPM1, RK_LOG, RK_LOG1P, RK_SQRT, RK_RSQRT, RK_RECIPROCAL, RK_SQUARE,
    RK_SIN, RK_COS, RK_TANH, RK_SIGMOID, RK_RELU, RK_GELU /* x Phi(x), exact */, RK_GELU_TANH, RK_SILU, RK_SOFTPLUS,
    RK_LOG_SIGMOID, RK_ERF, RK_FLOOR, RK_ROUND /* half to even */, RK_UNARY_COUNT
} rk_unary_op;

typedef enum {
    RK_ADD, RK_SUBTRACT, RK_MULTIPLY, RK_DIVIDE, RK_POWER, RK_MAXIMUM, RK_MINIMUM, // NaN propagates through max/min
    RK_EQUAL, RK_NOT_EQUAL, RK_LESS, RK_LESS_EQUAL, RK_GREATER, RK_GREATER_EQUAL, // results are 0 or 1
    RK_BINARY_COUNT
} rk_binary_op;

/// y = op(x). In place allowed.
void rk_unary(rk_type type, rk_unary_op op, const void *x, void *y, size_t count);
/// dx = g * op'(x), where y = op(x) is given too (either may be used). dx may alias g.
void rk_unary_gradient(rk_type type, rk_unary_op op, const void *x, const void *y, const void *g, void *dx, size_t count);
/// y = scale * x + offset. In place allowed.
void rk_affine(rk_type type, const void *x, double scale, double offset, void *y, size_t count);
/// y = x ^ exponent (exact for 2, 0.5, -1, ...). In place allowed.
void rk_power_scalar(rk_type type, const void *x, double exponent, void *y, size_t count);
/// y = min(max(x, low), high); NaN stays NaN. In place allowed.
void rk_clamp(rk_type type, const void *x, double low, double high, void *y, size_t count);
/// y += scale * x.
void rk_axpy(rk_type type, double scale, const void *x, void *y, size_t count);

enum { RK_MAX_RANK = 8 };

/// Broadcasting binary operation into a dense y. `shape` has `rank` extents (rank <= RK_MAX_RANK; 0 is one
/// element); strides are in elements, 0 where an operand broadcasts. Computes the elements begin..<end of y in
/// row-major order. y may alias an operand that is dense and unbroadcast.
void rk_binary(rk_type type, rk_binary_op op, int rank, const int64_t *shape, const void *a, const int64_t *a_strides,
               const void *b, const int64_t *b_strides, void *y, size_t begin, size_t end);
/// y = mask != 0 ? a : b, all broadcast as above.
void rk_select(rk_type type, int rank, const int64_t *shape, const void *mask, const int64_t *mask_strides,
               const void *a, const int64_t *a_strides, const void *b, const int64_t *b_strides, void *y,
               size_t begin, size_t end);
/// Strided copy of elements of 1, 2, 4 or 8 bytes: dst[i] = src[i] over `shape`; elements begin..<end in row-major
/// order of `shape`. Transpositions run blocked. dst must not overlap src.
void rk_copy(size_t element_bytes, int rank, const int64_t *shape, const void *src, const int64_t *src_strides,
             void *dst, const int64_t *dst_strides, size_t begin, size_t end);
/// dst[i] += src[i], strided as above; no two indices may address the same dst element.
void rk_add_strided(rk_type type, int rank, const int64_t *shape, const void *src, const int64_t *src_strides,
                    void *dst, const int64_t *dst_strides);
void rk_fill(rk_type type, double value, void *y, size_t count);

/// How elements are stored. The quantised types (rondo_weights.h) are stored in blocks and converted by rows.
typedef enum {
    RK_S_FLOAT32, RK_S_FLOAT64, RK_S_INT32, RK_S_BFLOAT16, RK_S_FLOAT16, RK_S_INT8, RK_S_QUANTIZED8, RK_S_QUANTIZED4
} rk_storage;
/// Converts between storage types of single elements; to bfloat16 / float16 rounds to nearest even, to integers truncates toward zero
/// and saturates (NaN becomes 0).
void rk_cast(rk_storage from, rk_storage to, const void *src, void *dst, size_t count);

// --- reductions over the middle axis of a dense [outer, axis, inner] -------------------------------

typedef enum { RK_SUM, RK_MAX, RK_MIN, RK_PRODUCT } rk_reduce_op;

/// y[outer, inner]. Sums of float32 keep several partial sums (error grows like the logarithm of the length or
/// better). The order of additions depends on the shape only.
void rk_reduce(rk_type type, rk_reduce_op op, size_t outer, size_t axis, size_t inner, const void *x, void *y);
/// Index of the first largest (smallest) element along the axis; NaN counts as largest (smallest).
void rk_arg_reduce(rk_type type, bool smallest, size_t outer, size_t axis, size_t inner, const void *x, int32_t *y);
void rk_cumulative_sum(rk_type type, bool reverse, size_t outer, size_t axis, size_t inner, const void *x, void *y);
/// Sum of squares in double precision.
double rk_sum_of_squares(rk_type type, const void *x, size_t count);
bool rk_all_finite(rk_type type, const void *x, size_t count);
/// Moves the (inverted) register of a CRC-32C on; false, with nothing done, where the processor has no instruction for it.
bool rk_crc32c(uint32_t *state, const void *bytes, size_t count);

// --- rows -----------------------------------------------------------------------------------------

/// Softmax (or its logarithm) of each row. In place allowed. A row of -inf gives NaN, as in the definition.
void rk_softmax(rk_type type, bool log, size_t rows, size_t columns, const void *x, void *y);
void rk_softmax_gradient(rk_type type, bool log, size_t rows, size_t columns, const void *y, const void *g, void *dx);
void rk_log_sum_exp(rk_type type, size_t rows, size_t columns, const void *x, void *y);

/// y = (x - mean) * rstd * weight + bias; weight and bias may be NULL; mean and rstd ([rows]) are saved.
void rk_layer_norm(rk_type type, size_t rows, size_t columns, const void *x, const void *weight, const void *bias,
                   double epsilon, void *y, void *mean, void *rstd);
/// dx, and dweight += , dbias += (either may be NULL) over these rows.
void rk_layer_norm_gradient(rk_type type, size_t rows, size_t columns, const void *x, const void *weight,
                            const void *mean, const void *rstd, const void *g, void *dx, void *dweight, void *dbias);
/// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + epsilon); weight may be NULL.
void rk_rms_norm(rk_type type, size_t rows, size_t columns, const void *x, const void *weight, double epsilon,
                 void *y, void *rstd);
void rk_rms_norm_gradient(rk_type type, size_t rows, size_t columns, const void *x, const void *weight,
                          const void *rstd, const void *g, void *dx, void *dweight);

/// Cross-entropy of each row against `targets`, with label smoothing spread over all classes (target
/// (1-s) one_hot + s/classes). Rows whose target equals `ignore` have loss 0 and gradient 0. When `gradient` is
/// not NULL it gets scale * d loss / d logits, and may alias `logits`.
void rk_cross_entropy(rk_type type, size_t rows, size_t classes, const void *logits, const int32_t *targets,
                      double smoothing, int32_t ignore, double scale, void *loss, void *gradient);

/// out[i, :] = table[indices[i], :], rows of `row_bytes` bytes.
void rk_gather_rows(size_t count, size_t row_bytes, const void *table, const int32_t *indices, void *out);
/// table[indices[i], begin..<end] += g[i, begin..<end] for rows of `width` elements, in order of i.
void rk_scatter_add_rows(rk_type type, size_t count, size_t width, size_t begin, size_t end, const void *g,
                         const int32_t *indices, void *table);

// --- optimisers (one pass, in place) --------------------------------------------------------------

/// `gradient_scale` multiplies g first (clipping). correction1 = 1 - beta1^t, correction2 = 1 - beta2^t.
void rk_adamw(rk_type type, size_t count, void *p, const void *g, void *m, void *v, double rate, double beta1,
              double beta2, double epsilon, double decay, double correction1, double correction2, double gradient_scale);
void rk_lion(rk_type type, size_t count, void *p, const void *g, void *m, double rate, double beta1, double beta2,
             double decay, double gradient_scale);
/// PyTorch's SGD with decoupled or coupled decay; `first` starts the momentum buffer with g. buffer may be NULL
/// when momentum is 0.
void rk_sgd(rk_type type, size_t count, void *p, const void *g, void *buffer, double rate, double momentum,
            double decay, bool decoupled, bool nesterov, bool first, double gradient_scale);

// --- causal depthwise convolution -----------------------------------------------------------------

/// y[t, c] = bias[c] + sum_k weight[c, k] * x[t - (width - 1) + k, c] for one sequence [time, channels]; positions
/// before 0 come from `history` [width - 1, channels] (NULL: zeros). bias may be NULL. Channels begin..<end.
void rk_causal_convolution(rk_type type, size_t time, size_t channels, size_t width, size_t begin, size_t end,
                           const void *x, const void *history, const void *weight, const void *bias, void *y);
/// One position of it, with the weights as `taps` [width, channels]; `history` moves on by x [channels].
void rk_causal_convolution_step(rk_type type, size_t channels, size_t width, const void *x, void *history,
                                const void *taps, const void *bias, void *y);
/// dx, dhistory (NULL allowed) are written; dweight, dbias (NULL allowed) are added to.
void rk_causal_convolution_gradient(rk_type type, size_t time, size_t channels, size_t width, size_t begin, size_t end,
                                    const void *x, const void *history, const void *weight, const void *g, void *dx,
                                    void *dhistory, void *dweight, void *dbias);

// --- counter-based randomness (Philox4x32-10) ------------------------------------------------------
// Element i of a stream depends only on (key, stream, offset + i): any piece can be made anywhere, in any order.

void rk_random_bits(uint64_t key, uint64_t stream, uint64_t offset, uint32_t *out, size_t count);
/// Uniform in [low, high).
void rk_random_uniform(rk_type type, uint64_t key, uint64_t stream, uint64_t offset, double low, double high, void *out,
                       size_t count);
void rk_random_normal(rk_type type, uint64_t key, uint64_t stream, uint64_t offset, double mean, double deviation,
                      void *out, size_t count);
/// y = keep(i) ? x / (1 - probability) : 0; the same call on a gradient is its backward. In place allowed.
void rk_dropout(rk_type type, uint64_t key, uint64_t stream, uint64_t offset, double probability, const void *x, void *y,
                size_t count);

// --- matrix products -------------------------------------------------------------------------------

/// C = alpha * op(A) op(B) + beta * C with row-major storage; beta = 0 never reads C. Each element of C is summed
/// in order of k, in blocks that do not depend on m or n: a row is the same bits whatever rows stand around it.
void rk_gemm(rk_type type, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha,
             const void *a, size_t lda, const void *b, size_t ldb, double beta, void *c, size_t ldc);

#include "rondo_recurrent.h"

#ifdef __cplusplus
}
#endif
#endif
