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
#include "rondo_state_space.h"

// Each family lists its kernels as X(name, parameters, arguments); the template <family>.inc.h defines them as
// `static void k_name parameters`, include/rondo_<family>.h declares and documents them as rk_name with the element
// type in front.

// --- scan.inc.h -------------------------------------------------------------------------------------

#define SCAN_KERNEL_LIST(X) \
    X(diagonal_scan, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, size_t group, const void *a, \
       size_t a_time, const void *b, size_t b_time, const void *h0, void *h), \
      (time, channels, begin, end, stream, group, a, a_time, b, b_time, h0, h)) \
    X(diagonal_scan_gradient, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, size_t group, bool constant, \
       const void *a, size_t a_time, const void *h0, const void *h, const void *g, size_t g_time, void *dh0, \
       void *da, void *db), \
      (time, channels, begin, end, stream, group, constant, a, a_time, h0, h, g, g_time, dh0, da, db)) \
    X(complex_diagonal_scan, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, const void *a_re, const void *a_im, \
       size_t a_time, const void *b_re, const void *b_im, size_t b_time, const void *h0_re, const void *h0_im, \
       void *h_re, void *h_im), \
      (time, channels, begin, end, stream, a_re, a_im, a_time, b_re, b_im, b_time, h0_re, h0_im, h_re, h_im)) \
    X(complex_diagonal_scan_gradient, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, bool constant, const void *a_re, \
       const void *a_im, size_t a_time, const void *h0_re, const void *h0_im, const void *h_re, const void *h_im, \
       const void *g_re, const void *g_im, size_t g_time, void *dh0_re, void *dh0_im, void *da_re, void *da_im, \
       void *db_re, void *db_im), \
      (time, channels, begin, end, stream, constant, a_re, a_im, a_time, h0_re, h0_im, h_re, h_im, g_re, g_im, \
       g_time, dh0_re, dh0_im, da_re, da_im, db_re, db_im)) \
    X(max_plus_scan, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, const void *f, size_t f_time, \
       const void *i, size_t i_time, const void *m0, void *m), \
      (time, channels, begin, end, stream, f, f_time, i, i_time, m0, m)) \
    X(max_plus_scan_gradient, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, bool constant, const void *f, \
       size_t f_time, const void *m0, const void *m, const void *g, size_t g_time, void *dm0, void *df, void *di), \
      (time, channels, begin, end, stream, constant, f, f_time, m0, m, g, g_time, dm0, df, di)) \
    X(spiking_scan, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, double keep, double gain, \
       double threshold, const void *x, size_t x_time, void *h, void *s, void *v), \
      (time, channels, begin, end, stream, keep, gain, threshold, x, x_time, h, s, v)) \
    X(spiking_scan_gradient, \
      (size_t time, size_t channels, size_t begin, size_t end, bool stream, double keep, double gain, \
       double threshold, double sharpness, const void *h, const void *g, size_t g_time, void *dx, void *dv), \
      (time, channels, begin, end, stream, keep, gain, threshold, sharpness, h, g, g_time, dx, dv))

// --- selective_scan.inc.h ---------------------------------------------------------------------------

#define SELECTIVE_SCAN_KERNEL_LIST(X) \
    X(selective_scan_forward, (const rk_selective_scan *scan, size_t row, size_t block), (scan, row, block)) \
    X(selective_scan_backward, \
      (const rk_selective_scan *scan, const rk_selective_scan_gradients *gradients, size_t row, size_t block), \
      (scan, gradients, row, block)) \
    X(selective_scan_step, (const rk_selective_step *step, size_t row, size_t begin, size_t end), \
      (step, row, begin, end))

// --- linear_attention.inc.h -------------------------------------------------------------------------

#define LINEAR_ATTENTION_KERNEL_LIST(X) \
    X(linear_attention_forward, (const rk_linear_attention *call, size_t sequence, size_t group, size_t part), \
      (call, sequence, group, part)) \
    X(linear_attention_backward, (const rk_linear_attention *call, size_t sequence, size_t group, size_t part), \
      (call, sequence, group, part)) \
    X(linear_attention_step, \
      (size_t key, size_t value, const void *q, const void *k, const void *v, const void *decay, size_t decays, \
       const void *bonus, void *state, void *output), \
      (key, value, q, k, v, decay, decays, bonus, state, output)) \
    X(state_space_dual_step, (const rk_dual_step *step, size_t row, size_t begin, size_t end), (step, row, begin, end))

// --- delta_rule.inc.h -------------------------------------------------------------------------------

#define DELTA_RULE_KERNEL_LIST(X) \
    X(delta_rule_forward, (const rk_delta_rule *rule, size_t first, size_t count), (rule, first, count)) \
    X(delta_rule_backward, (const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient), (rule, gradient))

// --- attention.inc.h --------------------------------------------------------------------------------

#define ATTENTION_KERNEL_LIST(X) \
    X(attention_plan, (const rk_attention *attention, rk_attention_layout *layout), (attention, layout)) \
    X(attention_pack, (const rk_attention *attention, int64_t row, int64_t group, int64_t block, void *packed), \
      (attention, row, group, block, packed)) \
    X(attention_forward, (const rk_attention *attention, int64_t row, int64_t head, int64_t first, const void *packed, \
                          void *output, void *logarithms), \
      (attention, row, head, first, packed, output, logarithms)) \
    X(attention_step, (const rk_attention *attention, int64_t row, int64_t first, void *segment), \
      (attention, row, first, segment)) \
    X(attention_join, (const rk_attention *attention, int64_t row, int64_t count, const void *segments, void *output, \
                       void *logarithms), \
      (attention, row, count, segments, output, logarithms)) \
    X(attention_pack_queries, (const rk_attention *attention, int64_t row, int64_t head, int64_t first, \
                               int64_t count, const rk_attention_operand *dy, const void *output, void *queries, \
                               void *gradients, void *products), \
      (attention, row, head, first, count, dy, output, queries, gradients, products)) \
    X(attention_backward, (const rk_attention *attention, int64_t row, int64_t group, int64_t first, int64_t step, \
                           const rk_attention_gradients *gradients), \
      (attention, row, group, first, step, gradients)) \
    X(attention_sum_queries, (const rk_attention *attention, int64_t row, int64_t head, int64_t first, int64_t count, \
                              int64_t parts, int64_t part, const void *shares, void *dq), \
      (attention, row, head, first, count, parts, part, shares, dq))

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
    X(quasi_lstm, \
      (size_t time, size_t channels, size_t first, size_t last, double forget_bias, const void *projection, \
       const void *initial, void *hidden, void *cells, void *final), \
      (time, channels, first, last, forget_bias, projection, initial, hidden, cells, final)) \
    X(quasi_lstm_gradient, \
      (size_t time, size_t channels, size_t first, size_t last, double forget_bias, const void *projection, \
       const void *initial, const void *cells, const void *dhidden, void *dcell, void *dprojection), \
      (time, channels, first, last, forget_bias, projection, initial, cells, dhidden, dcell, dprojection)) \
    X(matrix_state, \
      (bool linear, size_t time, size_t keys, size_t values, size_t heads, size_t q_step, size_t k_step, size_t chunk, \
       const void *q, const void *k, const void *v, const void *f, const void *w, const void *initial, void *y, \
       void *final, void *checkpoints), \
      (linear, time, keys, values, heads, q_step, k_step, chunk, q, k, v, f, w, initial, y, final, checkpoints)) \
    X(matrix_state_gradient, \
      (bool linear, size_t time, size_t keys, size_t values, size_t heads, size_t q_step, size_t k_step, size_t chunk, \
       const void *q, const void *k, const void *v, const void *f, const void *w, const void *initial, \
       const void *checkpoints, const void *dy, void *dstate, void *dq, void *dk, void *dv, void *df, void *dw), \
      (linear, time, keys, values, heads, q_step, k_step, chunk, q, k, v, f, w, initial, checkpoints, dy, dstate, dq, dk, dv, \
       df, dw)) \
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

#define LONG_CONVOLUTION_KERNEL_LIST(X) \
    X(long_convolution_layout, (size_t time, size_t *lanes, size_t *elements), (time, lanes, elements)) \
    X(long_convolution_spectrum, \
      (size_t time, size_t taps, size_t count, const void *kernel, void *spectrum), \
      (time, taps, count, kernel, spectrum)) \
    X(long_convolution, \
      (size_t time, size_t channels, size_t count, const void *spectrum, const void *u, void *y), \
      (time, channels, count, spectrum, u, y)) \
    X(long_convolution_gradient, \
      (size_t time, size_t channels, size_t count, bool accumulates, const void *spectrum, const void *u, \
       const void *g, void *du, void *sums), \
      (time, channels, count, accumulates, spectrum, u, g, du, sums)) \
    X(long_convolution_taps, \
      (size_t time, size_t taps, size_t count, size_t parts, size_t stride, void *sums, void *dkernel), \
      (time, taps, count, parts, stride, sums, dkernel)) \
    X(cauchy, \
      (bool conjugated, size_t count, size_t poles, size_t length, size_t numerator_stride, size_t node_stride, \
       const void *vre, const void *vim, const void *pre, const void *pim, const void *zre, const void *zim, \
       void *kre, void *kim), \
      (conjugated, count, poles, length, numerator_stride, node_stride, vre, vim, pre, pim, zre, zim, kre, kim)) \
    X(cauchy_gradient, \
      (bool conjugated, size_t count, size_t poles, size_t length, size_t numerator_stride, size_t node_stride, \
       const void *vre, const void *vim, const void *pre, const void *pim, const void *zre, const void *zim, \
       const void *gre, const void *gim, void *dvre, void *dvim, void *dpre, void *dpim, void *dzre, void *dzim), \
      (conjugated, count, poles, length, numerator_stride, node_stride, vre, vim, pre, pim, zre, zim, gre, gim, dvre, \
       dvim, dpre, dpim, dzre, dzim)) \
    X(vandermonde, \
      (size_t poles, size_t length, const void *wre, const void *wim, const void *are, const void *aim, void *k), \
      (poles, length, wre, wim, are, aim, k)) \
    X(vandermonde_gradient, \
      (size_t poles, size_t length, const void *wre, const void *wim, const void *are, const void *aim, \
       const void *g, void *dwre, void *dwim, void *dare, void *daim), \
      (poles, length, wre, wim, are, aim, g, dwre, dwim, dare, daim))

// --- state_space.inc.h ------------------------------------------------------------------------------

#define STATE_SPACE_KERNEL_LIST(X) \
    X(diagonal_space_step, (const rk_diagonal_space *space, size_t row, size_t begin, size_t end), \
      (space, row, begin, end)) \
    X(semiseparable_space_step, (const rk_semiseparable_space *space, size_t row, size_t begin, size_t end), \
      (space, row, begin, end))

// ----------------------------------------------------------------------------------------------------

#define SEQUENCE_KERNEL_LIST(X) \
    SCAN_KERNEL_LIST(X) \
    SELECTIVE_SCAN_KERNEL_LIST(X) \
    LINEAR_ATTENTION_KERNEL_LIST(X) \
    DELTA_RULE_KERNEL_LIST(X) \
    ATTENTION_KERNEL_LIST(X) \
    ELEMENTWISE_RECURRENCE_KERNEL_LIST(X) \
    LONG_CONVOLUTION_KERNEL_LIST(X) \
    STATE_SPACE_KERNEL_LIST(X)

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
