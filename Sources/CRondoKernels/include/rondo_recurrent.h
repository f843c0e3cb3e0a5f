// Recurrent cells: one time loop, small cells. See rondo_kernels.h for the conventions.
//
// A layer has H = heads * width units. The caller projects its input (x W' + b, one GEMM for all positions); the loop
// here adds the recurrent products R h_{t-1} and applies the cell. `heads` > 1 makes R block-diagonal.
//
// Position t of a sequence reads the states in slot t and writes slot t + 1; a reversed sequence reads slot t + 1 and
// writes slot t. So the outputs are slots 1... (reversed: 0...) and the states before are slots 0... (reversed: 1...):
// both are dense matrices, and the caller gets the gradient of R from one GEMM.
//
// Gate gradients have `columns` vectors of H a position. The first `recurrent` of them are those of R h_{t-1} in R's
// gate order; the `projection` ones from column `projection_column` are those of the projection in its gate order.
#ifndef RONDO_RECURRENT_H
#define RONDO_RECURRENT_H

typedef enum {
    RK_ELMAN_TANH,       // h = tanh(x + R h)
    RK_ELMAN_RELU,       // h = max(x + R h, 0)
    RK_ELMAN_SIGMOID,    // h = sigmoid(x + R h)
    RK_ELMAN_IDENTITY,   // h = x + R h
    RK_LSTM,             // gates i f z o: c = f c + i z, h = o tanh(c)
    RK_LSTM_NO_FORGET,   // gates i z o: c = c + i z, h = o tanh(c)
    RK_LSTM_1997,        // the same with 4 sigmoid(.) - 2 for z and 2 sigmoid(c) - 1 for tanh(c)
    RK_LSTM_PEEPHOLE,    // extras p_i p_f p_o: i and f also see c before, o sees c after
    RK_LSTM_NORM,        // extras g_i g_f g_z g_o g_c b_c: every R h is normalised (gain g) and so is c inside h
    RK_GRU,              // gates of x: r z n, of R: g r z; extra b_g: n = tanh(x_n + r (R_g h + b_g)), h = z h + (1 - z) n
    RK_GRU_RESET_BEFORE, // gates r z n: n = tanh(x_n + R_n (r h)), h = z h + (1 - z) n
    RK_LEAKY,            // extras rate ρ, slope: h = φ((1 - ρ) h + ρ (x + R h)), φ a leaky ReLU
    RK_LEAKY_OUTSIDE,    // the same extras: h = (1 - ρ) h + ρ φ(x + R h)
    RK_SLSTM,            // gates i f z o, states h c n m: exponential i, sigmoid f, stabilised by m
    RK_CELL_COUNT
} rk_cell;

enum { RK_MAX_STATES = 4 };

typedef struct {
    int states;            // state vectors; the first is h, which R multiplies
    int projection;        // gates in the projection
    int recurrent;         // gates of R
    int columns;           // gate gradient vectors a position
    int projection_column; // the first that belongs to the projection
    int saved;             // vectors a position that backward needs
    int extras;            // parameter vectors beside R
} rk_cell_shape;

rk_cell_shape rk_cell_info(rk_cell cell);

typedef enum {
    RK_FUSED,       // a task carries its rows and heads through all of time and keeps their part of R near
    RK_ALTERNATING, // time outside: at every step the products of all rows and heads, then all cells; R read every time
} rk_schedule;

typedef struct {
    rk_type type;
    rk_cell cell;
    rk_schedule schedule;   // never changes results
    int64_t tile_rows;      // rows multiplied at once, at most; 0: as many as the registers hold. Never changes results
    int64_t heads_together; // heads that a task carries side by side; 0: as many as a core keeps. Never changes results
    bool reverse;           // each row backwards from its own last position
    int64_t time, batch, heads, width;
    const int32_t *lengths; // [batch], each in 0...time; NULL: all `time`
    const void *projection; // [time, batch, projection * H]: dense rows, strides in elements
    int64_t projection_time, projection_row;
    const void *bias;       // [projection, H], added to every position; NULL: none
    const void *recurrent;  // [recurrent, heads, width (out), width (in)]
    const void *extras;     // [extras, H], or NULL
    const void *mask;       // [batch, H] multiplies h_{t-1} inside the gates, or NULL
    const void *zoneout[2]; // [time, batch, H]: share of the old h (and c) that is kept, or NULL
    int64_t zoneout_time, zoneout_row;
    void *states[RK_MAX_STATES]; // [time + 1, batch, H]; without `saved` only the first has slots, the others [batch, H]
    void *inputs;           // mask * h, [time + 1, batch, H]: what R multiplied; NULL without mask
    void *saved;            // [time, batch, saved * H]; NULL: nothing is kept for backward
    void *workspace;        // rk_recurrent_workspace bytes, aligned to 64
    bool packed;            // forward: the workspace still holds this R as an earlier forward call packed it
} rk_recurrent;

/// Bytes of `workspace` for a call, forward or backward.
size_t rk_recurrent_workspace(const rk_recurrent *layer, bool backward);

/// Runs the layer. initial[s] and final[s] are [batch, H]; NULL is zeros, and not wanted. Beyond a row's length the
/// state stays and the outputs are 0 (in a reversed row with an initial state, the slot at its length holds that state).
void rk_recurrent_forward(const rk_recurrent *layer, const void *const *initial, void *const *final);

/// Runs the layer backwards. dy is the gradient of the outputs ([time, batch, H], dense rows, strides in elements), or
/// NULL. dstates[s] ([batch, H]) hold the gradients of the final states and become those of the initial states.
/// Writes dgates [time, batch, columns * H] (may be `saved` if as wide), dbias [projection, H] and dextras [extras, H] (NULL:
/// not wanted).
void rk_recurrent_backward(const rk_recurrent *layer, const void *dy, int64_t dy_time, int64_t dy_row,
                           void *const *dstates, void *dgates, void *dbias, void *dextras);

#endif
