// Recurrent cells: their table, and the choice of the kernels for this CPU.
#include "recurrent.h"
#include "kernels.h"

rk_cell_shape rk_cell_info(rk_cell cell) {
#define CELL_SHAPE(id, name, states, projection, recurrent, columns, projection_column, saved, extras) \
    [id] = {states, projection, recurrent, columns, projection_column, saved, extras},
    static const rk_cell_shape shapes[RK_CELL_COUNT] = {RECURRENT_CELLS(CELL_SHAPE) RECURRENT_ROW_CELLS(CELL_SHAPE)};
    return shapes[cell];
}

size_t rk_recurrent_workspace(const rk_recurrent *layer, bool backward) {
    return rk_kernels_for(layer->type)->recurrent_workspace(layer, backward);
}

void rk_recurrent_forward(const rk_recurrent *layer, const void *const *initial, void *const *final) {
    rk_kernels_for(layer->type)->recurrent_forward(layer, initial, final);
}

void rk_recurrent_backward(const rk_recurrent *layer, const void *dy, int64_t dy_time, int64_t dy_row,
                           void *const *dstates, void *dgates, void *dbias, void *dextras) {
    rk_kernels_for(layer->type)->recurrent_backward(layer, dy, dy_time, dy_row, dstates, dgates, dbias, dextras);
}
