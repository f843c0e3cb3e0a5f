// What the recurrent driver (recurrent.c) and its templates share.
#ifndef RK_RECURRENT_INTERNAL_H
#define RK_RECURRENT_INTERNAL_H

#include <stdatomic.h>
#include <time.h>

#include "rondo_kernels.h"

// X(cell, name, states, projection, recurrent, columns, projection column, saved, extras): the plain cells, whose
// units see each other through R alone.
#define RECURRENT_CELLS(X) \
    X(RK_ELMAN_TANH, elman_tanh, 1, 1, 1, 1, 0, 1, 0) \
    X(RK_ELMAN_RELU, elman_relu, 1, 1, 1, 1, 0, 1, 0) \
    X(RK_LEAKY, leaky, 1, 1, 1, 1, 0, 1, 2) \
    X(RK_LEAKY_OUTSIDE, leaky_outside, 1, 1, 1, 1, 0, 1, 2) \
    X(RK_ELMAN_SIGMOID, elman_sigmoid, 1, 1, 1, 1, 0, 1, 0) \
    X(RK_ELMAN_IDENTITY, elman_identity, 1, 1, 1, 1, 0, 1, 0) \
    X(RK_LSTM, lstm, 2, 4, 4, 4, 0, 4, 0) \
    X(RK_LSTM_NO_FORGET, lstm_no_forget, 2, 3, 3, 3, 0, 3, 0) \
    X(RK_LSTM_1997, lstm_1997, 2, 3, 3, 3, 0, 3, 0) \
    X(RK_LSTM_PEEPHOLE, lstm_peephole, 2, 4, 4, 4, 0, 4, 3) \
    X(RK_GRU, gru, 1, 3, 3, 4, 1, 4, 1) \
    X(RK_SLSTM, slstm, 4, 4, 4, 4, 0, 5, 0)
// The cells that need whole rows within a step.
#define RECURRENT_ROW_CELLS(X) \
    X(RK_LSTM_NORM, lstm_norm, 2, 4, 4, 8, 4, 8, 6) \
    X(RK_GRU_RESET_BEFORE, gru_reset_before, 1, 3, 3, 3, 0, 4, 0)

// Kernels per level and type, see RK_KERNEL_LIST.
#define RECURRENT_KERNEL_LIST(X) \
    X(recurrent_workspace, size_t, (const rk_recurrent *layer, bool backward)) \
    X(recurrent_forward, void, (const rk_recurrent *layer, const void *const *initial, void *const *final)) \
    X(recurrent_backward, void, (const rk_recurrent *layer, const void *dy, int64_t dy_time, int64_t dy_row, \
                                 void *const *dstates, void *dgates, void *dbias, void *dextras))

/// A packed matrix larger than this does not stay in a core's own cache; each row that uses what is read pays for some
/// of the reading.
enum { KEPT_MATRIX_BYTES = 512 << 10, SHARED_MATRIX_ROWS = 16, ALONE_BYTES = 1 << 20 };

/// The rows and the blocks of units that one task carries through the whole sequence.
typedef struct {
    size_t row_begin, row_end, block_begin, block_end, task;
} recurrent_range;

#endif
