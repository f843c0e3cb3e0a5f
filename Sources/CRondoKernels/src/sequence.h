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

#define ELEMENTWISE_RECURRENCE_KERNEL_LIST(X)

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
