// The cells whose step needs whole rows of a head: a second product within the step, or norms over the units.
//
// They take a group of at most TILE_ROWS rows through one head at a time, with vectors of `l->lanes` padded units in
// `scratch`: scratch + (row * ROW_VECTORS + i) * l->lanes.

enum { ROW_VECTORS = 6 };

/// Vector i of a row of the group.
#define SCRATCH(row, i) (scratch + ((size_t)(row) * ROW_VECTORS + (size_t)(i)) * l->lanes)

/// All columns of a packed head times a group of rows: gate g goes to SCRATCH(row, first + g).
static void multiply_head(const loop *l, const packed *pack, bool transposed, runs k, const T *const *a, int group,
                          size_t head, T *scratch, int first) {
    const int gates = transposed ? 1 : pack->gates, vectors = pack->vectors;
    const T *panel = pack->data + head * pack->panels * pack->panel_size;
    T products[TILE_SIZE];
    int panels = 1;
    for (size_t done = 0; done < pack->panels; done += (size_t)panels, panel += (size_t)panels * pack->panel_size) {
        const T *from = products;
        panels = panels_at_once((size_t)group, pack->panels - done);
        multiply_panels(panels, group, gates * vectors, a, k, panel, products);
        for (int p = 0; p < panels; p++)
            for (int row = 0; row < group; row++)
                for (int g = 0; g < gates; g++, from += vectors * LANES)
                    memcpy(SCRATCH(row, first + g) + (done + (size_t)p) * (size_t)vectors * LANES, from,
                           (size_t)vectors * LANES * sizeof(T));
    }
}

/// The projection and bias of gate i.
RK_INLINE V gate_input(const loop *l, const row_place *row, int i, size_t u, size_t part) {
    V x = v_load_up_to(row->x + (size_t)i * l->units + u, part);
    const T *bias = l->layer->bias;
    return bias ? x + v_load_up_to(bias + (size_t)i * l->units + u, part) : x;
}

/// Stores the gradient of gate i, and adds it to the bias's.
RK_INLINE void put_gate(const loop *l, const row_place *row, int i, size_t u, size_t part, V g) {
    v_store_up_to(row->dgates + (size_t)(l->cell.projection_column + i) * l->units + u, g, part);
    if (l->layer->bias) add_to(row->dbias + (size_t)i * l->units + u, g, part);
}

RK_INLINE void save_vector(const loop *l, const row_place *row, int i, size_t u, size_t part, V v) {
    if (row->saved) v_store_up_to(row->saved + (size_t)i * l->units + u, v, part);
}

RK_INLINE V saved_vector(const loop *l, const row_place *row, int i, size_t u, size_t part) {
    return v_load_up_to(row->saved + (size_t)i * l->units + u, part);
}

/// Adds to the gradient of h before what came through R: scratch vector `i`, and the mask.
static void add_through(const loop *l, const row_place *row, size_t unit, const T *through) {
    const size_t width = (size_t)l->layer->width;
    for (size_t u = 0; u < width; u += LANES) {
        V d = v_load(through + u);
        if (row->mask) d = d * v_load_up_to(row->mask + unit + u, width - u);
        add_to(row->dstate[0] + unit + u, d, width - u);
    }
}

// --- GRU with the reset gate before the product ---------------------------------------------------

static void gru_reset_before_step(const loop *l, const row_place *rows, int group, size_t head, T *scratch) {
    const size_t width = (size_t)l->layer->width, unit = head * width;
    const runs k = {1, width, 0};
    const T *a[TILE_ROWS];
    for (int i = 0; i < group; i++) a[i] = rows[i].input + unit;
    multiply_head(l, &l->pack[0], false, k, a, group, head, scratch, 0);
    for (int i = 0; i < group; i++) {
        a[i] = SCRATCH(i, 3);
        for (size_t u = 0; u < width; u += LANES) {
            const size_t part = width - u;
            V r = v_sigmoid(gate_input(l, rows + i, 0, unit + u, part) + v_load(SCRATCH(i, 0) + u));
            V z = v_sigmoid(gate_input(l, rows + i, 1, unit + u, part) + v_load(SCRATCH(i, 1) + u));
            V q = r * v_load_up_to(rows[i].input + unit + u, part);
            v_store(SCRATCH(i, 1) + u, z);
            v_store(SCRATCH(i, 3) + u, q);
            save_vector(l, rows + i, 0, unit + u, part, r);
            save_vector(l, rows + i, 1, unit + u, part, z);
            save_vector(l, rows + i, 3, unit + u, part, q);
        }
    }
    multiply_head(l, &l->pack[1], false, k, a, group, head, scratch, 2);
    for (int i = 0; i < group; i++)
        for (size_t u = 0; u < width; u += LANES) {
            const size_t part = width - u;
            V n = v_tanh(gate_input(l, rows + i, 2, unit + u, part) + v_load(SCRATCH(i, 2) + u));
            V h = v_load_up_to(rows[i].before[0] + unit + u, part), after = v_fma(v_load(SCRATCH(i, 1) + u), h - n, n);
            save_vector(l, rows + i, 2, unit + u, part, n);
            put_states(l, rows + i, gru_reset_before_shape, unit + u, part, &h, &after);
        }
}

static void gru_reset_before_step_back(const loop *l, const row_place *rows, int group, size_t head, T *scratch) {
    const size_t width = (size_t)l->layer->width, unit = head * width;
    const T *a[TILE_ROWS];
    for (int i = 0; i < group; i++) {
        const row_place *row = rows + i;
        a[i] = row->dgates + 2 * l->units + unit;
        for (size_t u = 0; u < width; u += LANES) {
            const size_t part = width - u, at = unit + u;
            V d, past, z = saved_vector(l, row, 1, at, part), n = saved_vector(l, row, 2, at, part);
            get_gradients(row, gru_reset_before_shape, at, part, &d, &past);
            put_gate(l, row, 1, at, part, d * (v_load_up_to(row->before[0] + at, part) - n) * z * (1 - z));
            put_gate(l, row, 2, at, part, d * (1 - z) * (1 - n * n));
            v_store_up_to(row->dstate[0] + at, v_fma(d, z, past), part);
        }
    }
    multiply_head(l, &l->pack[1], true, (runs){1, width, 0}, a, group, head, scratch, 0);  // the gradient of r h
    for (int i = 0; i < group; i++) {
        const row_place *row = rows + i;
        a[i] = row->dgates + unit;
        for (size_t u = 0; u < width; u += LANES) {
            const size_t part = width - u, at = unit + u;
            V dq = v_load(SCRATCH(i, 0) + u), r = saved_vector(l, row, 0, at, part);
            put_gate(l, row, 0, at, part, dq * v_load_up_to(row->input + at, part) * r * (1 - r));
            v_store(SCRATCH(i, 0) + u, dq * r);
        }
    }
    multiply_head(l, &l->pack[0], true, (runs){2, width, l->units}, a, group, head, scratch, 1);
    for (int i = 0; i < group; i++) {
        add_through(l, rows + i, unit, SCRATCH(i, 0));
        add_through(l, rows + i, unit, SCRATCH(i, 1));
    }
}

// --- LSTM with layer norm ---------------------------------------------------------------------------

#define NORM_EPSILON ((T)1e-5)

typedef struct {
    T mean, rstd;
} moments;

/// v with zeros from lane `part` on.
RK_INLINE V first_lanes(V v, size_t part) {
    if (part >= LANES) return v;
    T lanes[LANES] = {0};
    v_store_part(lanes, v, part);
    return v_load(lanes);
}

static moments moments_of(const T *x, size_t count) {
    V sum = v_set(0), squares = v_set(0);
    for (size_t u = 0; u < count; u += LANES) sum += v_load_up_to(x + u, count - u);
    T mean = v_sum(sum) / (T)count;
    for (size_t u = 0; u < count; u += LANES) {
        V d = first_lanes(v_load_up_to(x + u, count - u) - mean, count - u);
        squares = v_fma(d, d, squares);
    }
    return (moments){mean, v_sqrt(v_set(1 / (v_sum(squares) / (T)count + NORM_EPSILON)))[0]};
}

RK_INLINE V extra_vector(const loop *l, int i, size_t u, size_t part) {
    return v_load_up_to((const T *)l->layer->extras + (size_t)i * l->units + u, part);
}

static void lstm_norm_step(const loop *l, const row_place *rows, int group, size_t head, T *scratch) {
    const size_t width = (size_t)l->layer->width, unit = head * width;
    const T *a[TILE_ROWS];
    for (int i = 0; i < group; i++) a[i] = rows[i].input + unit;
    multiply_head(l, &l->pack[0], false, (runs){1, width, 0}, a, group, head, scratch, 0);
    for (int i = 0; i < group; i++) {
        const row_place *row = rows + i;
        moments norm[4];
        for (int g = 0; g < 4; g++) norm[g] = moments_of(SCRATCH(i, g), width);
        for (size_t u = 0; u < width; u += LANES) {
            const size_t part = width - u, at = unit + u;
            V gate[4];
            for (int g = 0; g < 4; g++) {
                V product = v_load(SCRATCH(i, g) + u);
                save_vector(l, row, 4 + g, at, part, product);
                gate[g] = v_fma(extra_vector(l, g, at, part), (product - norm[g].mean) * norm[g].rstd,
                                gate_input(l, row, g, at, part));
                gate[g] = g == 2 ? v_tanh(gate[g]) : v_sigmoid(gate[g]);
                save_vector(l, row, g, at, part, gate[g]);
            }
            v_store(SCRATCH(i, 3) + u, gate[3]);
            v_store(SCRATCH(i, 4) + u, v_fma(gate[1], v_load_up_to(row->before[1] + at, part), gate[0] * gate[2]));
        }
        const moments cell = moments_of(SCRATCH(i, 4), width);
        for (size_t u = 0; u < width; u += LANES) {
            const size_t part = width - u, at = unit + u;
            V c = v_load(SCRATCH(i, 4) + u), scaled = (c - cell.mean) * cell.rstd;
            V before[2] = {v_load_up_to(row->before[0] + at, part), v_load_up_to(row->before[1] + at, part)};
            V inner = v_fma(extra_vector(l, 4, at, part), scaled, extra_vector(l, 5, at, part));
            V after[2] = {v_load(SCRATCH(i, 3) + u) * v_tanh(inner), c};
            put_states(l, row, lstm_norm_shape, at, part, before, after);
        }
    }
}

/// out = the gradient of x from that of its normalised form, both `count` long; out may be either.
static void norm_back(const T *x, moments m, const T *gradient, size_t count, T *out) {
    V sum = v_set(0), product = v_set(0);
    for (size_t u = 0; u < count; u += LANES) {
        V g = v_load_up_to(gradient + u, count - u);
        sum += g;
        product = v_fma(g, (v_load_up_to(x + u, count - u) - m.mean) * m.rstd, product);
    }
    const T mean = v_sum(sum) / (T)count, slope = v_sum(product) / (T)count;
    for (size_t u = 0; u < count; u += LANES) {
        V scaled = (v_load_up_to(x + u, count - u) - m.mean) * m.rstd;
        V g = v_load_up_to(gradient + u, count - u) - mean - scaled * slope;
        v_store_up_to(out + u, g * m.rstd, count - u);
    }
}

/// From the gradients of h and c to those of the gates before their nonlinearities, and of c before.
static void lstm_norm_cell_back(const loop *l, const row_place *row, size_t unit, int i, T *scratch) {
    const size_t width = (size_t)l->layer->width;
    T *c = SCRATCH(i, 0), *dc = SCRATCH(i, 1), *dscaled = SCRATCH(i, 2), *past = SCRATCH(i, 3);
    for (size_t u = 0; u < width; u += LANES) {
        const size_t part = width - u, at = unit + u;
        V before = v_load_up_to(row->before[1] + at, part);
        v_store(c + u, v_fma(saved_vector(l, row, 1, at, part), before,
                             saved_vector(l, row, 0, at, part) * saved_vector(l, row, 2, at, part)));
    }
    const moments m = moments_of(c, width);
    for (size_t u = 0; u < width; u += LANES) {
        const size_t part = width - u, at = unit + u;
        V d[2], kept[2], o = saved_vector(l, row, 3, at, part), gain = extra_vector(l, 4, at, part);
        get_gradients(row, lstm_norm_shape, at, part, d, kept);
        V scaled = (v_load(c + u) - m.mean) * m.rstd, t = v_tanh(v_fma(gain, scaled, extra_vector(l, 5, at, part)));
        V inner = d[0] * o * (1 - t * t);
        put_gate(l, row, 3, at, part, d[0] * t * o * (1 - o));
        add_to(row->dextras + 4 * l->units + at, inner * scaled, part);
        add_to(row->dextras + 5 * l->units + at, inner, part);
        v_store(dc + u, d[1]);
        v_store(dscaled + u, inner * gain);
        v_store(past + u, kept[1]);
        v_store_up_to(row->dstate[0] + at, kept[0], part);
    }
    norm_back(c, m, dscaled, width, dscaled);
    for (size_t u = 0; u < width; u += LANES) {
        const size_t part = width - u, at = unit + u;
        V save[4], g[4], d = v_load(dc + u) + v_load(dscaled + u);
        for (int k = 0; k < 4; k++) save[k] = saved_vector(l, row, k, at, part);
        lstm_gates_backward(save, v_load_up_to(row->before[1] + at, part), d, v_set(0), g);
        for (int k = 0; k < 3; k++) put_gate(l, row, k, at, part, g[k]);
        v_store_up_to(row->dstate[1] + at, v_fma(d, save[1], v_load(past + u)), part);
    }
}

static void lstm_norm_step_back(const loop *l, const row_place *rows, int group, size_t head, T *scratch) {
    const size_t width = (size_t)l->layer->width, unit = head * width;
    const T *a[TILE_ROWS];
    for (int i = 0; i < group; i++) {
        const row_place *row = rows + i;
        a[i] = row->dgates + unit;
        lstm_norm_cell_back(l, row, unit, i, scratch);
        for (int g = 0; g < 4; g++) {
            const T *product = row->saved + (size_t)(4 + g) * l->units + unit;
            const T *gate = row->dgates + (size_t)(4 + g) * l->units + unit;
            T *dproduct = row->dgates + (size_t)g * l->units + unit;
            const moments m = moments_of(product, width);
            for (size_t u = 0; u < width; u += LANES) {
                const size_t part = width - u;
                V d = v_load_up_to(gate + u, part), scaled = (v_load_up_to(product + u, part) - m.mean) * m.rstd;
                add_to(row->dextras + (size_t)g * l->units + unit + u, d * scaled, part);
                v_store_up_to(dproduct + u, d * extra_vector(l, g, unit + u, part), part);
            }
            norm_back(product, m, dproduct, width, dproduct);
        }
    }
    multiply_head(l, &l->pack[0], true, (runs){4, width, l->units}, a, group, head, scratch, 0);
    for (int i = 0; i < group; i++) add_through(l, rows + i, unit, SCRATCH(i, 0));
}
