// Nonlinear recurrences that are no matrix products of a layer: diagonal, max-min and matrix-state cells.

// --- divisions without the divider --------------------------------------------------------------

/// a / b within a unit in the last place, for b in [1, 2]: a refined reciprocal where the divider would be the
/// bottleneck (it is not pipelined), else the division itself.
RK_INLINE V v_quotient(V a, V b) {
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__) && RK_FLOAT
    V r = (V)_mm512_rcp14_ps((__m512)b);
    r = v_fma(r, v_fma(-b, r, v_set(1)), r);
    V q = a * r;
    return v_fma(v_fma(-b, q, a), r, q);
#else
    return a / b;
#endif
}

/// 1 / (1 + e^-x), as v_sigmoid.
RK_INLINE V v_gate(V x) {
    V e = v_exp(-v_abs(x));
    return v_quotient(x < 0 ? e : v_set(1), 1 + e);
}

/// tanh(x) = -t / (2 + t) with t = e^(-2|x|) - 1, whose exponent stays so small that 2^n needs no care.
RK_INLINE V v_squash(V x) {
    V n, r = v_reduce_exponential(v_max(v_set(EXPM1_LOWEST), -2 * v_abs(x)), &n);
    V power = v_scale_binary(v_set(1), n), p = v_fma(r * r, v_polynomial(exp_terms, r), r);
    V t = v_fma(p, power, power - 1);
    return v_copysign(v_quotient(-t, 2 + t), x);
}

#include "block_recurrence.inc.h"
#include "diagonal_cell.inc.h"
#include "quasi_lstm.inc.h"
#include "matrix_state.inc.h"
#include "minmax_recurrence.inc.h"
