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

#define DELTA_RULE_KERNEL_LIST(X) \
    X(delta_rule_forward, (const rk_delta_rule *rule, size_t first, size_t count), (rule, first, count)) \
    X(delta_rule_backward, (const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient), (rule, gradient))

// --- attention.inc.h --------------------------------------------------------------------------------

#define ATTENTION_KERNEL_LIST(X)

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
