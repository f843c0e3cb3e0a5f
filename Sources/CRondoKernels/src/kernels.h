// One table of kernels per (level, element type). Each level file compiles the *.inc.h templates once for float and
// once for double and exports a table; dispatch.c chooses among them.
#ifndef RK_KERNELS_H
#define RK_KERNELS_H

#include "recurrent.h"
#include "rondo_kernels.h"
#include "rondo_weights.h"

// Every kernel that exists per level and type: X(name, result, parameters). The template defines it as
// `static result k_name parameters`; rondo_kernels.h documents it as rk_name.
#define RK_KERNEL_LIST(X) \
    X(unary, void, (rk_unary_op op, const void *x, void *y, size_t count)) \
    X(unary_gradient, void, (rk_unary_op op, const void *x, const void *y, const void *g, void *dx, size_t count)) \
    X(affine, void, (const void *x, double scale, double offset, void *y, size_t count)) \
    X(power_scalar, void, (const void *x, double exponent, void *y, size_t count)) \
    X(clamp, void, (const void *x, double low, double high, void *y, size_t count)) \
    X(axpy, void, (double scale, const void *x, void *y, size_t count)) \
    X(fill, void, (double value, void *y, size_t count)) \
    X(binary, void, (rk_binary_op op, int rank, const int64_t *shape, const void *a, const int64_t *a_strides, \
      const void *b, const int64_t *b_strides, void *y, size_t begin, size_t end)) \
    X(select, void, (int rank, const int64_t *shape, const void *mask, const int64_t *mask_strides, const void *a, \
      const int64_t *a_strides, const void *b, const int64_t *b_strides, void *y, size_t begin, size_t end)) \
    X(add_strided, void, (int rank, const int64_t *shape, const void *src, const int64_t *src_strides, void *dst, \
      const int64_t *dst_strides)) \
    X(cast, void, (rk_storage from, rk_storage to, const void *src, void *dst, size_t count)) \
    X(reduce, void, (rk_reduce_op op, size_t outer, size_t axis, size_t inner, const void *x, void *y)) \
    X(arg_reduce, void, (bool smallest, size_t outer, size_t axis, size_t inner, const void *x, int32_t *y)) \
    X(cumulative_sum, void, (bool reverse, size_t outer, size_t axis, size_t inner, const void *x, void *y)) \
    X(sum_of_squares, double, (const void *x, size_t count)) \
    X(all_finite, bool, (const void *x, size_t count)) \
    X(softmax, void, (bool log, size_t rows, size_t columns, const void *x, void *y)) \
    X(softmax_gradient, void, (bool log, size_t rows, size_t columns, const void *y, const void *g, void *dx)) \
    X(log_sum_exp, void, (size_t rows, size_t columns, const void *x, void *y)) \
    X(layer_norm, void, (size_t rows, size_t columns, const void *x, const void *weight, const void *bias, \
      double epsilon, void *y, void *mean, void *rstd)) \
    X(layer_norm_gradient, void, (size_t rows, size_t columns, const void *x, const void *weight, const void *mean, \
      const void *rstd, const void *g, void *dx, void *dweight, void *dbias)) \
    X(rms_norm, void, (size_t rows, size_t columns, const void *x, const void *weight, double epsilon, void *y, \
      void *rstd)) \
    X(rms_norm_gradient, void, (size_t rows, size_t columns, const void *x, const void *weight, const void *rstd, \
      const void *g, void *dx, void *dweight)) \
    X(cross_entropy, void, (size_t rows, size_t classes, const void *logits, const int32_t *targets, \
      double smoothing, int32_t ignore, double scale, void *loss, void *gradient)) \
    X(scatter_add_rows, void, (size_t count, size_t width, size_t begin, size_t end, const void *g, \
      const int32_t *indices, void *table)) \
    X(adamw, void, (size_t count, void *p, const void *g, void *m, void *v, double rate, double beta1, double beta2, \
      double epsilon, double decay, double correction1, double correction2, double gradient_scale)) \
    X(lion, void, (size_t count, void *p, const void *g, void *m, double rate, double beta1, double beta2, \
      double decay, double gradient_scale)) \
    X(sgd, void, (size_t count, void *p, const void *g, void *buffer, double rate, double momentum, double decay, \
      bool decoupled, bool nesterov, bool first, double gradient_scale)) \
    X(causal_convolution, void, (size_t time, size_t channels, size_t width, size_t begin, size_t end, \
      const void *x, const void *history, const void *weight, const void *bias, void *y)) \
    X(causal_convolution_step, void, (size_t channels, size_t width, const void *x, void *history, const void *taps, \
      const void *bias, void *y)) \
    X(causal_convolution_gradient, void, (size_t time, size_t channels, size_t width, size_t begin, size_t end, \
      const void *x, const void *history, const void *weight, const void *g, void *dx, void *dhistory, \
      void *dweight, void *dbias)) \
    X(random_bits, void, (uint64_t key, uint64_t stream, uint64_t offset, uint32_t *out, size_t count)) \
    X(random_uniform, void, (uint64_t key, uint64_t stream, uint64_t offset, double low, double high, void *out, \
      size_t count)) \
    X(random_normal, void, (uint64_t key, uint64_t stream, uint64_t offset, double mean, double deviation, \
      void *out, size_t count)) \
    X(dropout, void, (uint64_t key, uint64_t stream, uint64_t offset, double probability, const void *x, void *y, \
      size_t count)) \
    X(gemm, void, (bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha, const void *a, \
      size_t lda, const void *b, size_t ldb, double beta, void *c, size_t ldc)) \
    X(linear, void, (rk_storage weights, size_t rows, size_t inputs, size_t outputs, const void *x, size_t x_row, \
      const void *w, const void *bias, void *y, size_t y_row)) \
    X(expand_rows, void, (rk_storage weights, size_t rows, size_t columns, const void *w, void *out))

#define RK_MEMBER(name, result, parameters) result(*name) parameters;
struct rk_kernels {
    RK_KERNEL_LIST(RK_MEMBER)
    RECURRENT_KERNEL_LIST(RK_MEMBER)
};
#undef RK_MEMBER

#if defined(__x86_64__)
extern const struct rk_kernels rk_avx2_f32, rk_avx2_f64, rk_avx512_f32, rk_avx512_f64;
#endif
extern const struct rk_kernels rk_baseline_f32, rk_baseline_f64;

/// The kernels of the current level for a type.
const struct rk_kernels *rk_kernels_for(rk_type type);

#endif
