// The kernels of sequence mixers: one table per (level, element type), like kernels.h, compiled apart from it so that
// a change to one family does not compile the others' basics again.
#ifndef RK_SEQUENCE_H
#define RK_SEQUENCE_H

#include "kernels.h"
#include "rondo_attention.h"
#include "rondo_delta_rule.h"
#include "rondo_elementwise_recurrence.h"
#include "rondo_linear_attention.h"
#include "rondo_long_convolution.h"
#include "rondo_scan.h"
#include "rondo_selective_scan.h"

// Each family lists its kernels as X(name, parameters, arguments); the template <family>.inc.h defines them as
// `static void k_name parameters`, include/rondo_<family>.h declares and documents them as rk_name with the element
// type in front.

// --- scan.inc.h -------------------------------------------------------------------------------------

#define SCAN_KERNEL_LIST(X)

// --- selective_scan.inc.h ---------------------------------------------------------------------------

#define SELECTIVE_SCAN_KERNEL_LIST(X)

// --- linear_attention.inc.h -------------------------------------------------------------------------

#define LINEAR_ATTENTION_KERNEL_LIST(X)

// --- delta_rule.inc.h -------------------------------------------------------------------------------

#define DELTA_RULE_KERNEL_LIST(X)

// --- attention.inc.h --------------------------------------------------------------------------------

#define ATTENTION_KERNEL_LIST(X)

// --- elementwise_recurrence.inc.h -------------------------------------------------------------------

#define ELEMENTWISE_RECURRENCE_KERNEL_LIST(X) \
    X(linear_recurrence_blocks, \
      (size_t block, bool descending, bool transposed, size_t time, size_t channels, size_t first, size_t last, \
       const void *jacobian, const void *x, const void *initial, void *states, void *end, void *product), \
      (block, descending, transposed, time, channels, first, last, jacobian, x, initial, states, end, product)) \
    X(diagonal_gru, \
      (size_t time, size_t channels, size_t first, size_t last, const void *projection, const void *weights, \
       const void *initial, void *hidden, void *final), \
      (time, channels, first, last, projection, weights, initial, hidden, final)) \
    X(diagonal_gru_gradient, \
      (size_t time, size_t channels, size_t first, size_t last, const void *projection, const void *weights, \
       const void *initial, const void *hidden, const void *dhidden, void *dstate, void *dprojection, \
       void *dweights), \
      (time, channels, first, last, projection, weights, initial, hidden, dhidden, dstate, dprojection, dweights)) \
    X(diagonal_lstm, \
      (size_t time, size_t channels, size_t first, size_t last, const void *projection, const void *weights, \
       const void *peepholes, const void *initial, const void *initial_cell, void *hidden, void *cells, \
       void *final, void *final_cell), \
      (time, channels, first, last, projection, weights, peepholes, initial, initial_cell, hidden, cells, final, \
       final_cell)) \
    X(diagonal_lstm_gradient, \
      (size_t time, size_t channels, size_t first, size_t last, const void *projection, const void *weights, \
       const void *peepholes, const void *initial, const void *initial_cell, const void *hidden, const void *cells, \
       const void *dhidden, void *dstate, void *dcell, void *dprojection, void *dweights, void *dpeepholes), \
      (time, channels, first, last, projection, weights, peepholes, initial, initial_cell, hidden, cells, dhidden, \
       dstate, dcell, dprojection, dweights, dpeepholes)) \
    X(diagonal_cell_jacobian, \
      (size_t rows, size_t channels, const void *projection, const void *weights, const void *peepholes, \
       const void *previous, void *next, void *jacobian), \
      (rows, channels, projection, weights, peepholes, previous, next, jacobian)) \
    X(matrix_state, \
      (size_t time, size_t keys, size_t values, size_t heads, size_t q_step, size_t k_step, size_t chunk, \
       const void *q, const void *k, const void *v, const void *f, const void *w, const void *initial, void *y, \
       void *final, void *checkpoints), \
      (time, keys, values, heads, q_step, k_step, chunk, q, k, v, f, w, initial, y, final, checkpoints)) \
    X(matrix_state_gradient, \
      (size_t time, size_t keys, size_t values, size_t heads, size_t q_step, size_t k_step, size_t chunk, \
       const void *q, const void *k, const void *v, const void *f, const void *w, const void *checkpoints, \
       const void *dy, void *dstate, void *dq, void *dk, void *dv, void *df, void *dw), \
      (time, keys, values, heads, q_step, k_step, chunk, q, k, v, f, w, checkpoints, dy, dstate, dq, dk, dv, df, dw)) \
    X(minmax_recurrence, \
      (size_t states_per_channel, size_t time, size_t channels, size_t first, size_t last, const void *upper, \
       const void *lower, const void *initial, void *states, void *final), \
      (states_per_channel, time, channels, first, last, upper, lower, initial, states, final)) \
    X(minmax_recurrence_gradient, \
      (size_t states_per_channel, size_t time, size_t channels, size_t first, size_t last, const void *upper, \
       const void *lower, const void *initial, const void *states, const void *dstates, void *dstate, void *dupper, \
       void *dlower), \
      (states_per_channel, time, channels, first, last, upper, lower, initial, states, dstates, dstate, dupper, \
       dlower))

// --- long_convolution.inc.h -------------------------------------------------------------------------

#define LONG_CONVOLUTION_KERNEL_LIST(X)

// ----------------------------------------------------------------------------------------------------

#define SEQUENCE_KERNEL_LIST(X) \
    SCAN_KERNEL_LIST(X) \
    SELECTIVE_SCAN_KERNEL_LIST(X) \
    LINEAR_ATTENTION_KERNEL_LIST(X) \
    DELTA_RULE_KERNEL_LIST(X) \
    ATTENTION_KERNEL_LIST(X) \
    ELEMENTWISE_RECURRENCE_KERNEL_LIST(X) \
    LONG_CONVOLUTION_KERNEL_LIST(X)

#define RK_SEQUENCE_MEMBER(name, parameters, arguments) void(*name) parameters;
struct rk_sequence_kernels {
    SEQUENCE_KERNEL_LIST(RK_SEQUENCE_MEMBER)
};
#undef RK_SEQUENCE_MEMBER

#if defined(__x86_64__)
extern const struct rk_sequence_kernels rk_sequence_avx2_f32, rk_sequence_avx2_f64, rk_sequence_avx512_f32,
    rk_sequence_avx512_f64;
#endif
extern const struct rk_sequence_kernels rk_sequence_baseline_f32, rk_sequence_baseline_f64;

#endif
