// The selective scan of Mamba. See rondo_kernels.h for the conventions.
//
//   h_t[d, n] = exp(dt_t[d] A[d, n]) h_{t-1}[d, n] + dt_t[d] B_t[n] x_t[d]
//   y_t[d]    = sum_n C_t[n] h_t[d, n] + D[d] x_t[d]
//
// Channels do not meet except through B and C, so a task is one row of the batch and one block of channels. The state
// before every chunk of time is kept; the gradient recomputes the states in between.
#ifndef RONDO_SELECTIVE_SCAN_H
#define RONDO_SELECTIVE_SCAN_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RK_SELECTIVE_CHANNELS = 64, // channels a block
    RK_SELECTIVE_CHUNK = 16     // positions between two kept states
};

typedef struct {
    int64_t batch, time, channels, states;
    int64_t symmetric;    // whether the transition is 2 exp(dt A) - 1 instead of exp(dt A)
    const void *x, *dt;   // [batch, time, channels]
    const void *a;        // [channels, states]
    const void *b, *c;    // [batch, time, states]
    const void *d;        // [channels]
    const void *initial;  // [batch, channels, states]
    void *y;              // [batch, time, channels]
    void *final;          // [batch, channels, states]
    void *checkpoints;    // [batch, blocks, ceil(time / RK_SELECTIVE_CHUNK), states, RK_SELECTIVE_CHANNELS], or NULL
} rk_selective_scan;

typedef struct {
    const void *dy, *dfinal; // like y and final; NULL: zeros
    void *dx, *ddt;          // like x
    void *da, *dd;           // [batch, channels, states], [batch, channels]: still to be summed over the batch
    void *db, *dc;           // [blocks, batch, time, states]: still to be summed over the blocks
    void *dinitial;          // like initial
} rk_selective_scan_gradients;

/// One block of channels of one row: writes its part of y, final and checkpoints.
void rk_selective_scan_forward(rk_type type, const rk_selective_scan *scan, size_t row, size_t block);

/// The gradients of one block of channels of one row. Reads all of `scan` but y and final; the instruction set may be
/// another than the forward pass had.
void rk_selective_scan_backward(rk_type type, const rk_selective_scan *scan,
                                const rk_selective_scan_gradients *gradients, size_t row, size_t block);

typedef struct {
    int64_t channels, states;
    int64_t symmetric;           // as above
    int64_t softplus;            // 1: dt is softplus of what `dt` holds
    const void *x, *dt;          // [rows, channels], rows `x_row` and `dt_row` elements apart
    const void *a, *d;           // [channels, states], [channels]
    const void *b, *c;           // [rows, states], rows `b_row` and `c_row` elements apart
    const void *gate;            // [rows, channels], rows `gate_row` elements apart, or NULL: y is multiplied by its SiLU
    int64_t x_row, dt_row, b_row, c_row, gate_row;
    void *state;                 // [rows, channels, states], advanced in place
    void *y;                     // [rows, channels]
} rk_selective_step;

/// One position of channels begin..<end of one row.
void rk_selective_scan_step(rk_type type, const rk_selective_step *step, size_t row, size_t begin, size_t end);

#ifdef __cplusplus
}
#endif
#endif
