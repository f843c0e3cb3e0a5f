// Linear attention with decay: matrix states, chunk by chunk.
//
// For every sequence and head, with a state S [K, V]:
//   S_t = Diag(exp(g_t)) S_{t-1} + k_t v_t^T,   o_t = S_t^T q_t
// or, with a bonus u for the current position,  o_t = (S_{t-1} + Diag(u) k_t v_t^T)^T q_t.
#ifndef RONDO_LINEAR_ATTENTION_H
#define RONDO_LINEAR_ATTENTION_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Positions between two saved states.
#define RK_LINEAR_SEGMENT 64
/// Extents of saved states are padded to multiples of this.
#define RK_LINEAR_PAD 16

typedef enum { RK_DECAY_NONE, RK_DECAY_SCALAR, RK_DECAY_VECTOR } rk_linear_decay;

/// A tensor [sequences, time, heads or groups, width] in memory: steps in elements along its first three axes; the
/// last is dense. The data may be NULL: zeros.
typedef struct {
    const void *data;
    ptrdiff_t sequence, time, head;
} rk_linear_operand;

/// The description of one call. Dense tensors have the layouts given; `parts` below is head parts times column parts.
typedef struct {
    rk_linear_decay decay;
    size_t sequences, time, groups, heads, key, value;
    /// Heads of a group, and columns of V (a multiple of RK_LINEAR_PAD), that one unit of work computes.
    size_t unit_heads, unit_columns;
    rk_linear_operand q, k;  // [sequences, time, groups, key]
    rk_linear_operand v;     // [sequences, time, heads, value]
    rk_linear_operand g;     // scalar: [sequences, time, heads], vector: [sequences, time, groups, key]
    const void *bonus;       // [heads, key] or NULL; with a vector decay only
    const void *state;       // [sequences, heads, key, value]
    void *output;            // [sequences, time, heads, value]
    void *final_state;       // as state
    /// [sequences, groups, parts, segments + 1, unit_heads, padded key, padded unit_columns]; NULL: not wanted.
    void *saved;
    // The gradient's part.
    rk_linear_operand output_gradient;
    const void *final_gradient;            // as state, or NULL
    void *q_gradient, *k_gradient;         // [parts, sequences, time, groups, key]: to be summed over parts
    void *v_gradient;                      // as output
    void *g_gradient;                      // [column parts, sequences, time, heads], or as q_gradient
    void *bonus_gradient;                  // [sequences, column parts, heads, key]
    void *state_gradient;                  // as state
} rk_linear_attention;

/// One unit of work of the forward computation: some heads of one group of one sequence, and some columns of V.
/// Units are independent; `part` counts column parts fastest.
void rk_linear_attention_forward(rk_type type, const rk_linear_attention *call, size_t sequence, size_t group,
                                 size_t part);

/// One unit of work of the backward computation.
void rk_linear_attention_backward(rk_type type, const rk_linear_attention *call, size_t sequence, size_t group,
                                  size_t part);

/// One position of one head: updates state [key, value] in place and writes output [value].
/// decay: NULL, or `decays` (1 or key) logarithms; bonus: NULL or [key].
void rk_linear_attention_step(rk_type type, size_t key, size_t value, const void *q, const void *k, const void *v,
                              const void *decay, size_t decays, const void *bonus, void *state, void *output);

typedef struct {
    int64_t heads, groups;        // groups of heads share b and c
    int64_t states, width;        // N and P of a head
    double least, most;           // limits of the step size
    const void *x, *dt;           // [rows, heads, width], [rows, heads]; rows `x_row` and `dt_row` elements apart
    const void *b, *c;            // [rows, groups, states], rows `b_row` and `c_row` elements apart
    const void *gate;             // like x, rows `gate_row` elements apart, or NULL: y is multiplied by its SiLU
    int64_t x_row, dt_row, b_row, c_row, gate_row;
    const void *a, *d, *dt_bias;  // [heads]
    void *state;                  // [rows, heads, states, width], advanced in place
    void *y;                      // [rows, heads, width]
} rk_dual_step;

/// One position of state-space duality, heads begin..<end of a row: with Delta = softplus(dt + dt_bias) within its
/// limits, S = exp(Delta a) S + b (Delta x)^T and y = S^T c + d x, times SiLU(gate).
void rk_state_space_dual_step(rk_type type, const rk_dual_step *step, size_t row, size_t begin, size_t end);

#ifdef __cplusplus
}
#endif
#endif
