// One step of some rows and units: from the products of R to new states, and back.

// The counts of each cell, as constants, so that the loops over gates and states unroll.
#define CELL_SHAPE(id, name, states, projection, recurrent, columns, projection_column, saved, extras) \
    static const rk_cell_shape name##_shape = {states, projection, recurrent, columns, projection_column, saved, extras};
RECURRENT_CELLS(CELL_SHAPE)
RECURRENT_ROW_CELLS(CELL_SHAPE)

/// Everything about a call, with types.
typedef struct loop loop;

/// One row at one step: where its vectors of H units begin.
typedef struct {
    size_t row;
    const T *x, *input, *before[RK_MAX_STATES], *mask, *zoneout[2], *dy;
    T *after[RK_MAX_STATES], *next_input, *saved, *dgates, *dstate[RK_MAX_STATES], *dextras, *dbias;
} row_place;

struct loop {
    const rk_recurrent *layer;
    rk_cell_shape cell;
    size_t units;  // H
    packed pack[2];
    int block_vectors;
    size_t blocks, lanes;  // of a head; lanes: its units, padded to blocks
    size_t tile_rows;
    row_place *places;     // alternating: all rows of a step
    T *products;           // alternating: of all rows of a step, [head, panel, row, gate, lane]
    T *scratch;            // of the first task
    const void *dy;
    int64_t dy_time, dy_row;
    T *dstates[RK_MAX_STATES], *dgates, *dextras, *dbias;  // the last two: sums for every row
    void (*forward)(const loop *l, const row_place *rows, int count, size_t unit, size_t left, int vectors, const T *products);
    void (*backward)(const loop *l, const row_place *rows, size_t count, size_t unit, size_t left);
    // Instead of these two, for cells that need whole rows: a step of a group of rows in one head.
    void (*row_step)(const loop *l, const row_place *rows, int group, size_t head, T *scratch);
    double *waited;  // seconds that the first member of a team has waited for the others
};

enum { MAX_GATES = 4, MAX_COLUMNS = 8, MAX_EXTRAS = 6 };

// `part` is LANES (a constant, so that the test vanishes) or the number of units left.

/// Stores the new states; zoneout keeps its share of the old h and c.
RK_INLINE void put_states(const loop *l, const row_place *row, const rk_cell_shape cell, size_t u, size_t part,
                          const V *before, V *after) {
    _Pragma("unroll") for (int s = 0; s < cell.states; s++) {
        if (s < 2 && row->zoneout[s]) after[s] = v_fma(v_load_up_to(row->zoneout[s] + u, part), before[s] - after[s], after[s]);
        v_store_up_to(row->after[s] + u, after[s], part);
    }
    if (row->next_input) v_store_up_to(row->next_input + u, after[0] * v_load_up_to(row->mask + u, part), part);
}

typedef void forward_function(const V *x, const V *r, const V *p, V *s, V *save);
typedef void backward_function(const V *save, const V *s, const V *p, V *d, V *g, V *dp);

RK_INLINE void forward_vector(forward_function f, const loop *l, const rk_cell_shape cell, const row_place *row, size_t u,
                              size_t part, const T *products, size_t gate_stride) {
    const size_t units = l->units;
    const T *extras = l->layer->extras, *bias = l->layer->bias;
    V x[MAX_GATES], r[MAX_GATES], p[MAX_EXTRAS], before[RK_MAX_STATES], s[RK_MAX_STATES], save[MAX_COLUMNS];
    _Pragma("unroll") for (int i = 0; i < cell.projection; i++) {
        x[i] = v_load_up_to(row->x + (size_t)i * units + u, part);
        if (bias) x[i] = x[i] + v_load_up_to(bias + (size_t)i * units + u, part);
    }
    _Pragma("unroll") for (int i = 0; i < cell.recurrent; i++) r[i] = v_load(products + (size_t)i * gate_stride);
    _Pragma("unroll") for (int i = 0; i < cell.extras; i++) p[i] = v_load_up_to(extras + (size_t)i * units + u, part);
    _Pragma("unroll") for (int i = 0; i < cell.states; i++) s[i] = before[i] = v_load_up_to(row->before[i] + u, part);
    f(x, r, p, s, save);
    put_states(l, row, cell, u, part, before, s);
    if (row->saved) {
        _Pragma("unroll") for (int i = 0; i < cell.saved; i++) v_store_up_to(row->saved + (size_t)i * units + u, save[i], part);
    }
}

/// The cell for `vectors` vectors of units from `unit` on; products are [row][gate][vector].
RK_INLINE void forward_units(forward_function f, const loop *l, const rk_cell_shape cell, const row_place *rows,
                             int count, size_t unit, size_t left, int vectors, const T *products) {
    const size_t gate_stride = (size_t)vectors * LANES;
    for (int r = 0; r < count; r++, products += (size_t)cell.recurrent * gate_stride)
        for (size_t u = 0; u < gate_stride && u < left; u += LANES) {
            if (left - u >= LANES) forward_vector(f, l, cell, rows + r, unit + u, LANES, products + u, gate_stride);
            else forward_vector(f, l, cell, rows + r, unit + u, left - u, products + u, gate_stride);
        }
}

/// Loads the gradients of the states after a step; zoneout's share goes past the cell.
RK_INLINE void get_gradients(const row_place *row, const rk_cell_shape cell, size_t u, size_t part, V *d, V *past) {
    _Pragma("unroll") for (int s = 0; s < cell.states; s++) {
        d[s] = v_load_up_to(row->dstate[s] + u, part);
        if (s == 0 && row->dy) d[s] = d[s] + v_load_up_to(row->dy + u, part);
        past[s] = v_set(0);
        if (s < 2 && row->zoneout[s]) {
            past[s] = d[s] * v_load_up_to(row->zoneout[s] + u, part);
            d[s] = d[s] - past[s];
        }
    }
}

RK_INLINE void backward_vector(backward_function f, const loop *l, const rk_cell_shape cell, const row_place *row,
                               size_t u, size_t part) {
    const size_t units = l->units;
    const T *extras = l->layer->extras;
    V save[MAX_COLUMNS], s[RK_MAX_STATES], p[MAX_EXTRAS], d[RK_MAX_STATES], past[RK_MAX_STATES], g[MAX_COLUMNS];
    V dp[MAX_EXTRAS];
    _Pragma("unroll") for (int i = 0; i < cell.saved; i++) save[i] = v_load_up_to(row->saved + (size_t)i * units + u, part);
    _Pragma("unroll") for (int i = 0; i < cell.states; i++) s[i] = v_load_up_to(row->before[i] + u, part);
    _Pragma("unroll") for (int i = 0; i < cell.extras; i++) p[i] = v_load_up_to(extras + (size_t)i * units + u, part);
    get_gradients(row, cell, u, part, d, past);
    f(save, s, p, d, g, dp);
    _Pragma("unroll") for (int i = 0; i < cell.states; i++) v_store_up_to(row->dstate[i] + u, d[i] + past[i], part);
    _Pragma("unroll") for (int i = 0; i < cell.columns; i++) v_store_up_to(row->dgates + (size_t)i * units + u, g[i], part);
    _Pragma("unroll") for (int i = 0; i < cell.extras; i++) add_to(row->dextras + (size_t)i * units + u, dp[i], part);
    if (!l->layer->bias) return;
    _Pragma("unroll") for (int i = 0; i < cell.projection; i++)
        add_to(row->dbias + (size_t)i * units + u, g[cell.projection_column + i], part);
}

RK_INLINE void backward_units(backward_function f, const loop *l, const rk_cell_shape cell, const row_place *rows,
                              size_t count, size_t unit, size_t left) {
    for (size_t r = 0; r < count; r++)
        for (size_t u = 0; u < left; u += LANES) {
            if (left - u >= LANES) backward_vector(f, l, cell, rows + r, unit + u, LANES);
            else backward_vector(f, l, cell, rows + r, unit + u, left - u);
        }
}

#define CELL_STEPS(id, name, ...) \
    static void name##_step(const loop *l, const row_place *rows, int count, size_t unit, size_t left, int vectors, \
                            const T *products) { \
        forward_units(name##_forward, l, name##_shape, rows, count, unit, left, vectors, products); \
    } \
    static void name##_step_back(const loop *l, const row_place *rows, size_t count, size_t unit, size_t left) { \
        backward_units(name##_backward, l, name##_shape, rows, count, unit, left); \
    }
RECURRENT_CELLS(CELL_STEPS)
