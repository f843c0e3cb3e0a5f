// The recurrent layers of one (level, element type): set-up around the time loop. See rondo_recurrent.h.
#include "recurrent_cells.inc.h"
#include "recurrent_multiply.inc.h"
#include "recurrent_step.inc.h"
#include "recurrent_rows.inc.h"
#include "recurrent_loop.inc.h"
#include "recurrent_alternating.inc.h"

RK_INLINE size_t aligned_bytes(size_t count) { return (count * sizeof(T) + 63) / 64 * 64; }
RK_INLINE size_t packed_size(packed p, size_t heads) { return aligned_bytes(p.panels * p.panel_size * heads) / sizeof(T); }

/// The typed view of a call, with the layout of its workspace; returns the bytes that it needs.
static size_t make_loop(const rk_recurrent *y, bool backward, loop *l) {
    const size_t width = (size_t)y->width, heads = (size_t)y->heads;
    const size_t head_vectors = (width + LANES - 1) / LANES;
    *l = (loop){.layer = y, .cell = rk_cell_info(y->cell), .units = width * heads};
    l->block_vectors = head_vectors < TILE_VECTORS ? (int)head_vectors : TILE_VECTORS;
    l->tile_rows = y->tile_rows > 0 && y->tile_rows < TILE_ROWS ? (size_t)y->tile_rows : TILE_ROWS;
    size_t lanes = (size_t)l->block_vectors * LANES;
    l->blocks = (width + lanes - 1) / lanes;
    T *at = y->workspace, *begin = at;
    l->lanes = l->blocks * lanes;
    // The last gate of a GRU that resets before the product is a product of its own.
    int second = y->cell == RK_GRU_RESET_BEFORE ? 1 : 0, gates = l->cell.recurrent - second;
    int vectors = backward || gates == 1 ? l->block_vectors : 1;
    l->pack[0] = packed_layout(at, 0, gates, vectors, width);
    at += packed_size(l->pack[0], heads);
    l->pack[1] = packed_layout(at, gates, second, l->block_vectors, width);
    at += packed_size(l->pack[1], heads);
    if (backward) {
        l->dextras = at;
        at += (size_t)(y->batch * l->cell.extras) * l->units;
        l->dbias = at;
        at += aligned_bytes((size_t)(y->bias ? y->batch * l->cell.projection : 0) * l->units) / sizeof(T);
    }
    switch (y->cell) {
#define SET_STEPS(id, name, ...) case id: l->forward = name##_step, l->backward = name##_step_back; break;
        RECURRENT_CELLS(SET_STEPS)
#define SET_ROW_STEPS(id, name, ...) case id: l->row_step = backward ? name##_step_back : name##_step; break;
        RECURRENT_ROW_CELLS(SET_ROW_STEPS)
    default: break;
    }
    if (l->row_step) {
        size_t tasks = (size_t)rk_threads() * heads;
        l->scratch = at;
        at += aligned_bytes(tasks * TILE_ROWS * ROW_VECTORS * l->lanes) / sizeof(T);
    }
    if (y->schedule == RK_ALTERNATING) {
        at = begin + aligned_bytes((size_t)(at - begin)) / sizeof(T);
        l->places = (row_place *)at;
        at += ((size_t)y->batch * sizeof(row_place) + 63) / 64 * 64 / sizeof(T);
        l->products = at;
        if (!backward) at += heads * l->pack[0].panels * (size_t)y->batch * product_size(l);
    }
    return (size_t)((char *)at - (char *)begin);
}

static size_t k_recurrent_workspace(const rk_recurrent *y, bool backward) {
    rk_recurrent sized = *y;
    loop l;
    sized.workspace = NULL;
    return make_loop(&sized, backward, &l);
}

static void pack_matrix(const loop *l, bool backward) {
    for (int i = 0; i < 2; i++) {
        packing p = {l->pack[i], l->layer->recurrent, (size_t)l->layer->heads, (size_t)l->layer->width, backward};
        if (p.to.gates > 0) rk_parallel(p.heads * p.to.panels, pack_task, &p);
    }
}

/// The slot of a state before the first step, or after the last: the caller's [batch, H] goes in and out there.
static T *edge_state(const loop *l, int s, size_t row, bool last) {
    const rk_recurrent *y = l->layer;
    size_t slot = last != y->reverse ? row_length(y, row) : 0;
    if (s > 0 && !y->saved) slot = 0;
    return (T *)y->states[s] + (slot * (size_t)y->batch + row) * l->units;
}

static void begin_states(const loop *l, const void *const *initial) {
    const rk_recurrent *y = l->layer;
    const size_t units = l->units, batch = (size_t)y->batch, saved = (size_t)l->cell.saved * units;
    for (size_t row = 0; row < batch; row++) {
        for (size_t slot = row_length(y, row) + 1; slot <= (size_t)y->time; slot++) {
            memset((T *)y->states[0] + (slot * batch + row) * units, 0, units * sizeof(T));
            if (y->mask) memset((T *)y->inputs + (slot * batch + row) * units, 0, units * sizeof(T));
        }
        // The caller's products run over all positions.
        for (size_t t = row_length(y, row); y->saved && t < (size_t)y->time; t++)
            memset((T *)y->saved + (t * batch + row) * saved, 0, saved * sizeof(T));
        for (int s = 0; s < l->cell.states; s++) {
            T *to = edge_state(l, s, row, false);
            if (initial && initial[s]) memcpy(to, (const T *)initial[s] + row * units, units * sizeof(T));
            else memset(to, 0, units * sizeof(T));
        }
        if (!y->mask) continue;
        const T *h = edge_state(l, 0, row, false), *mask = (const T *)y->mask + row * units;
        T *input = (T *)y->inputs + (h - (const T *)y->states[0]);
        for (size_t u = 0; u < units; u++) input[u] = h[u] * mask[u];
    }
}

static void k_recurrent_forward(const rk_recurrent *y, const void *const *initial, void *const *final) {
    loop l;
    make_loop(y, false, &l);
    if (!y->packed) pack_matrix(&l, false);
    begin_states(&l, initial);
    if (y->schedule == RK_ALTERNATING) alternate_forward(&l);
    else split(&l, run_forward);
    for (int s = 0; final && s < l.cell.states; s++)
        for (size_t row = 0; final[s] && row < (size_t)y->batch; row++)
            memcpy((T *)final[s] + row * l.units, edge_state(&l, s, row, true), l.units * sizeof(T));
}

/// out = the sum of the rows, in order.
static void sum_rows(const T *rows, size_t count, size_t width, T *out) {
    if (!out) return;
    memset(out, 0, width * sizeof(T));
    for (size_t row = 0; row < count; row++)
        for (size_t i = 0; i < width; i++) out[i] += rows[row * width + i];
}

static void k_recurrent_backward(const rk_recurrent *y, const void *dy, int64_t dy_time, int64_t dy_row,
                                 void *const *dstates, void *dgates, void *dbias, void *dextras) {
    loop l;
    make_loop(y, true, &l);
    pack_matrix(&l, true);
    l.dy = dy, l.dy_time = dy_time, l.dy_row = dy_row, l.dgates = dgates;
    for (int s = 0; s < l.cell.states; s++) l.dstates[s] = dstates[s];
    const size_t batch = (size_t)y->batch, columns = (size_t)l.cell.columns * l.units;
    const size_t extras = (size_t)l.cell.extras * l.units, bias = y->bias ? (size_t)l.cell.projection * l.units : 0;
    memset(l.dextras, 0, batch * extras * sizeof(T));
    memset(l.dbias, 0, batch * bias * sizeof(T));
    for (size_t row = 0; row < batch; row++)
        for (size_t t = row_length(y, row); t < (size_t)y->time; t++)
            memset(l.dgates + (t * batch + row) * columns, 0, columns * sizeof(T));
    if (y->schedule == RK_ALTERNATING) alternate_backward(&l);
    else split(&l, run_backward);
    sum_rows(l.dextras, batch, extras, dextras);
    sum_rows(l.dbias, batch, bias, dbias);
}
