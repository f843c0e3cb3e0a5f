// One position of linear state spaces, every channel for itself: what streaming needs, with nothing allocated.
#ifndef RONDO_STATE_SPACE_H
#define RONDO_STATE_SPACE_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Complex dynamics, diagonal plus at most rank one: s = λ ⊙ s⁻ + b u - p Re(q · s⁻), y = Re(c · s) + d u.
typedef struct {
    int64_t channels, states;
    const void *lambda_re, *lambda_im;    // λ [channels, states]
    const void *input_re, *input_im;      // b, alike; NULL: 1
    const void *readout_re, *readout_im;  // c, alike
    const void *write_re, *write_im;      // p, alike; NULL: the dynamics are diagonal
    const void *read_re, *read_im;        // q, alike
    const void *skip;                     // d [channels]
    const void *u;                        // [rows, channels]
    int64_t state_stride;                 // elements from one channel's states to the next one's
    void *state_re, *state_im;            // [rows, channels] times `state_stride`, advanced in place
    void *y;                              // [rows, channels]
} rk_diagonal_space;

/// One position of channels begin..<end of one row.
void rk_diagonal_space_step(rk_type type, const rk_diagonal_space *space, size_t row, size_t begin, size_t end);

/// Real dynamics A = -(diag(d) + the part of l rᵀ below the diagonal) shared by all channels, made discrete by the
/// generalised bilinear transform with a step size Δ for each channel:
/// (I - α Δ A) s = (I + (1 - α) Δ A) s⁻ + Δ b u and y = C s + D u. Both sides are running sums over the states.
typedef struct {
    int64_t channels, states, outputs;
    double alpha;
    const void *diagonal, *left, *right, *input;  // d, l, r and b [states]
    const void *step;                             // Δ [channels]
    const void *readout, *skip;                   // C [channels, outputs, states], D [channels, outputs]
    const void *u;                                // [rows, channels]
    void *state;                                  // [rows, channels, states], advanced in place
    void *y;                                      // [rows, channels, outputs]
} rk_semiseparable_space;

/// One position of channels begin..<end of one row.
void rk_semiseparable_space_step(rk_type type, const rk_semiseparable_space *space, size_t row, size_t begin,
                                 size_t end);

#ifdef __cplusplus
}
#endif
#endif
