// Nonlinear recurrences that are no matrix products of a layer: diagonal, max-min and matrix-state cells.
#ifndef RONDO_ELEMENTWISE_RECURRENCE_H
#define RONDO_ELEMENTWISE_RECURRENCE_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// s_t = J_t s_{t-1} + x_t for states of `block` (1 to 4) numbers a channel: jacobian [time, block, block, channels],
/// x and states [time, block, channels], initial [block, channels] (NULL: zero, and the first J is not read).
/// Channels `first` to `last`. `descending` goes from the last position to the first, `transposed` multiplies by J'.
/// Writes all states, the last one to `end` [block, channels] and the product of all J to `product` [block, block,
/// channels]; each of the three may be NULL.
void rk_linear_recurrence_blocks(rk_type type, size_t block, bool descending, bool transposed, size_t time,
                                 size_t channels, size_t first, size_t last, const void *jacobian, const void *x,
                                 const void *initial, void *states, void *end, void *product);

/// ParaGRU on one sequence: projection [time, 3, channels] and weights [3, channels] in the order z, r, c; initial
/// and final [channels]; hidden [time, channels]. Channels `first` to `last`.
void rk_diagonal_gru(rk_type type, size_t time, size_t channels, size_t first, size_t last, const void *projection,
                     const void *weights, const void *initial, void *hidden, void *final);

/// Its derivative from the hidden states. dhidden may be NULL (zero); dstate holds that of the final state and
/// becomes the initial one's; dprojection and dweights are written.
void rk_diagonal_gru_gradient(rk_type type, size_t time, size_t channels, size_t first, size_t last,
                              const void *projection, const void *weights, const void *initial, const void *hidden,
                              const void *dhidden, void *dstate, void *dprojection, void *dweights);

/// ParaLSTM on one sequence: rows f, o, c of projection and weights, f, o of peepholes [2, channels]; also writes the
/// cells of all positions [time, channels].
void rk_diagonal_lstm(rk_type type, size_t time, size_t channels, size_t first, size_t last, const void *projection,
                      const void *weights, const void *peepholes, const void *initial, const void *initial_cell,
                      void *hidden, void *cells, void *final, void *final_cell);

/// Its derivative; dstate and dcell go from the final states to the initial ones.
void rk_diagonal_lstm_gradient(rk_type type, size_t time, size_t channels, size_t first, size_t last,
                               const void *projection, const void *weights, const void *peepholes,
                               const void *initial, const void *initial_cell, const void *hidden, const void *cells,
                               const void *dhidden, void *dstate, void *dcell, void *dprojection, void *dweights,
                               void *dpeepholes);

/// One step of the cell (ParaLSTM if peepholes, else ParaGRU) from each of `rows` states, [rows, block, channels],
/// and its Jacobian [rows, block, block, channels] (block 2, states h and c; ParaGRU 1).
void rk_diagonal_cell_jacobian(rk_type type, size_t rows, size_t channels, const void *projection,
                               const void *weights, const void *peepholes, const void *previous, void *next,
                               void *jacobian);

/// The quasi-LSTM, whose gates see the input alone: c' = s(f + forget_bias) c + s(i) tanh(z), h' = s(o) tanh(c'), channels
/// [first, last). Rows f, i, z, o of projection [time, 4, channels]; hidden and cells [time, channels].
void rk_quasi_lstm(rk_type type, size_t time, size_t channels, size_t first, size_t last, double forget_bias,
                   const void *projection, const void *initial, void *hidden, void *cells, void *final);

/// Its derivative: dhidden may be NULL (zero), dcell goes from the final to the initial cell, dprojection is written.
void rk_quasi_lstm_gradient(rk_type type, size_t time, size_t channels, size_t first, size_t last, double forget_bias,
                            const void *projection, const void *initial, const void *cells, const void *dhidden,
                            void *dcell, void *dprojection);

/// One head of M2RNN: H = f H + (1 - f) tanh(H W + k v'), `linear` without tanh; y = H' q after the update. H is [keys, values], W [values,
/// values]. Position t of q and k stands q_step and k_step elements on, of v and y heads * values, of f heads. Writes
/// H before positions chunk, 2 chunk, ... to checkpoints [chunks - 1, keys, values].
void rk_matrix_state(rk_type type, bool linear, size_t time, size_t keys, size_t values, size_t heads, size_t q_step,
                     size_t k_step, size_t chunk, const void *q, const void *k, const void *v, const void *f,
                     const void *w, const void *initial, void *y, void *final, void *checkpoints);

/// Its derivative, computing the states of a chunk again from its checkpoint. dy may be NULL (zero); dstate goes from
/// the final to the initial state; positions of dq and dk stand heads * keys elements apart; dw [values, values] is
/// written.
void rk_matrix_state_gradient(rk_type type, bool linear, size_t time, size_t keys, size_t values, size_t heads, size_t q_step,
                              size_t k_step, size_t chunk, const void *q, const void *k, const void *v, const void *f,
                              const void *w, const void *initial, const void *checkpoints, const void *dy, void *dstate,
                              void *dq, void *dk, void *dv, void *df, void *dw);

/// x_t[i] = max(max_j min(A_t[i, j], x_{t-1}[j]), b_t[i]) for `states_per_channel` (1 to 4) numbers N a channel:
/// upper A [time, N, N, channels], lower b and states [time, N, channels], initial and final [N, channels].
void rk_minmax_recurrence(rk_type type, size_t states_per_channel, size_t time, size_t channels, size_t first,
                          size_t last, const void *upper, const void *lower, const void *initial, void *states,
                          void *final);

/// Its derivative: each value's goes to its one source. dstates may be NULL (zero); dstate goes from the final to the
/// initial state; dupper and dlower are written.
void rk_minmax_recurrence_gradient(rk_type type, size_t states_per_channel, size_t time, size_t channels,
                                   size_t first, size_t last, const void *upper, const void *lower,
                                   const void *initial, const void *states, const void *dstates, void *dstate,
                                   void *dupper, void *dlower);

#ifdef __cplusplus
}
#endif
#endif
