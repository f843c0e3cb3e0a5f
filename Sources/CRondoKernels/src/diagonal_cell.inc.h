// Recurrent cells whose recurrent matrices are diagonal (ParaGRU and ParaLSTM of ParaRNN): every channel is a
// recurrence of its own. Channels lie in vector lanes, and CELL_VECTORS vectors are in flight, because one step of one vector is a
// long chain of dependent operations. Nothing but the states is kept for the derivative: between known states the
// gates of all positions are independent, so computing them again costs throughput only.

enum { CELL_VECTORS = 4, CELL_AHEAD = 8 };

typedef struct {
    size_t time, channels, count;  // `count` channels from here on
    T forget_bias;                 // of the quasi-LSTM
    const T *projection, *weights, *peepholes, *initial, *initial_cell;
    T *hidden, *cells, *final, *final_cell;  // forward writes all states and the last ones
    // backward: derivatives of the hidden states in; the final states' become the initial ones'
    const T *dhidden;
    T *dstate, *dcell, *dprojection, *dweights, *dpeepholes;
} diagonal_cell;

/// Row `row` of an array [rows, channels], vector `v` of this block.
RK_INLINE V cell_load(const diagonal_cell *d, const T *p, size_t row, int v) {
    size_t at = (size_t)v * LANES;
    return v_load_up_to(p + row * d->channels + at, d->count - at);
}

RK_INLINE void cell_store(const diagonal_cell *d, T *p, size_t row, int v, V x) {
    size_t at = (size_t)v * LANES;
    v_store_up_to(p + row * d->channels + at, x, d->count - at);
}

/// Fetches what is read CELL_AHEAD positions later; strides of a row of memory defeat the processor's own prefetching.
RK_INLINE void cell_prefetch(const diagonal_cell *d, const T *p, size_t row, int v, int ahead) {
    prefetch_next(p + row * d->channels + (size_t)v * LANES, (size_t)((int64_t)ahead * (int64_t)d->channels));
}

// --- ParaGRU ------------------------------------------------------------------------------------
// z = s(A_z h + u_z), r = s(A_r h + u_r), c = tanh(A_c h r + u_c), h' = (1 - z) h + z c

typedef struct {
    V z, r, c;
} gru_gates;

RK_INLINE gru_gates gru_evaluate(V h, const V u[3], const V a[3]) {
    gru_gates g;
    g.z = v_gate(v_fma(a[0], h, u[0]));
    g.r = v_gate(v_fma(a[1], h, u[1]));
    g.c = v_squash(v_fma(a[2] * h, g.r, u[2]));
    return g;
}

RK_INLINE void gru_forward(const int n, const diagonal_cell *d) {
    V h[CELL_VECTORS];
    for (int v = 0; v < n; v++) h[v] = cell_load(d, d->initial, 0, v);
    for (size_t t = 0; t < d->time; t++)
        for (int v = 0; v < n; v++) {
            V u[3], a[3];
            for (size_t i = 0; i < 3; i++) {
                u[i] = cell_load(d, d->projection, 3 * t + i, v);
                a[i] = cell_load(d, d->weights, i, v);
                cell_prefetch(d, d->projection, 3 * t + i, v, 3 * CELL_AHEAD);
            }
            gru_gates g = gru_evaluate(h[v], u, a);
            h[v] = v_fma(g.z, g.c - h[v], h[v]);
            cell_store(d, d->hidden, t, v, h[v]);
        }
    for (int v = 0; v < n; v++) cell_store(d, d->final, 0, v, h[v]);
}

RK_INLINE void gru_backward(const int n, const diagonal_cell *d) {
    V carry[CELL_VECTORS], dweights[CELL_VECTORS][3];
    for (int v = 0; v < n; v++) {
        carry[v] = cell_load(d, d->dstate, 0, v);
        for (int i = 0; i < 3; i++) dweights[v][i] = 0;
    }
    for (size_t t = d->time; t-- > 0;)
        for (int v = 0; v < n; v++) {
            V u[3], a[3], e[3];
            for (size_t i = 0; i < 3; i++) {
                u[i] = cell_load(d, d->projection, 3 * t + i, v);
                a[i] = cell_load(d, d->weights, i, v);
                cell_prefetch(d, d->projection, 3 * t + i, v, -3 * CELL_AHEAD);
            }
            V h = t > 0 ? cell_load(d, d->hidden, t - 1, v) : cell_load(d, d->initial, 0, v), lambda = carry[v];
            cell_prefetch(d, d->hidden, t, v, -CELL_AHEAD);
            if (d->dhidden) {
                lambda += cell_load(d, d->dhidden, t, v);
                cell_prefetch(d, d->dhidden, t, v, -CELL_AHEAD);
            }
            gru_gates g = gru_evaluate(h, u, a);
            e[2] = lambda * g.z * v_fma(-g.c, g.c, v_set(1));
            e[0] = lambda * (g.c - h) * (g.z * (1 - g.z));
            V through = e[2] * a[2];
            e[1] = through * h * (g.r * (1 - g.r));
            carry[v] = v_fma(e[0], a[0], v_fma(e[1], a[1], v_fma(through, g.r, lambda * (1 - g.z))));
            dweights[v][0] = v_fma(e[0], h, dweights[v][0]);
            dweights[v][1] = v_fma(e[1], h, dweights[v][1]);
            dweights[v][2] = v_fma(e[2] * g.r, h, dweights[v][2]);
            for (size_t i = 0; i < 3; i++) cell_store(d, d->dprojection, 3 * t + i, v, e[i]);
        }
    for (int v = 0; v < n; v++) {
        cell_store(d, d->dstate, 0, v, carry[v]);
        for (size_t i = 0; i < 3; i++) cell_store(d, d->dweights, i, v, dweights[v][i]);
    }
}

// --- ParaLSTM -----------------------------------------------------------------------------------
// f = s(A_f h + u_f + C_f c), k = tanh(A_c h + u_c), c' = f c + (1 - f) k, o = s(A_o h + u_o + C_o c'), h' = o tanh(c')

typedef struct {
    V f, o, candidate, cell, squashed;
} lstm_gates;

/// The rows of u and a are f, o, c; those of p are f, o.
RK_INLINE lstm_gates lstm_evaluate(V h, V c, const V u[3], const V a[3], const V p[2]) {
    lstm_gates g;
    g.f = v_gate(v_fma(p[0], c, v_fma(a[0], h, u[0])));
    g.candidate = v_squash(v_fma(a[2], h, u[2]));
    g.cell = v_fma(g.f, c - g.candidate, g.candidate);
    g.o = v_gate(v_fma(p[1], g.cell, v_fma(a[1], h, u[1])));
    g.squashed = v_squash(g.cell);
    return g;
}

RK_INLINE void lstm_operands(const diagonal_cell *d, size_t t, int v, int ahead, V u[3], V a[3], V p[2]) {
    for (size_t i = 0; i < 3; i++) {
        u[i] = cell_load(d, d->projection, 3 * t + i, v);
        a[i] = cell_load(d, d->weights, i, v);
        cell_prefetch(d, d->projection, 3 * t + i, v, 3 * ahead);
    }
    for (size_t i = 0; i < 2; i++) p[i] = cell_load(d, d->peepholes, i, v);
}

RK_INLINE void lstm_forward(const int n, const diagonal_cell *d) {
    V h[CELL_VECTORS], c[CELL_VECTORS];
    for (int v = 0; v < n; v++) {
        h[v] = cell_load(d, d->initial, 0, v);
        c[v] = cell_load(d, d->initial_cell, 0, v);
    }
    for (size_t t = 0; t < d->time; t++)
        for (int v = 0; v < n; v++) {
            V u[3], a[3], p[2];
            lstm_operands(d, t, v, CELL_AHEAD, u, a, p);
            lstm_gates g = lstm_evaluate(h[v], c[v], u, a, p);
            h[v] = g.o * g.squashed;
            c[v] = g.cell;
            cell_store(d, d->hidden, t, v, h[v]);
            cell_store(d, d->cells, t, v, c[v]);
        }
    for (int v = 0; v < n; v++) {
        cell_store(d, d->final, 0, v, h[v]);
        cell_store(d, d->final_cell, 0, v, c[v]);
    }
}

RK_INLINE void lstm_backward(const int n, const diagonal_cell *d) {
    V carry[CELL_VECTORS], carry_cell[CELL_VECTORS], dweights[CELL_VECTORS][3], dpeepholes[CELL_VECTORS][2];
    for (int v = 0; v < n; v++) {
        carry[v] = cell_load(d, d->dstate, 0, v);
        carry_cell[v] = cell_load(d, d->dcell, 0, v);
        for (int i = 0; i < 3; i++) dweights[v][i] = 0;
        for (int i = 0; i < 2; i++) dpeepholes[v][i] = 0;
    }
    for (size_t t = d->time; t-- > 0;)
        for (int v = 0; v < n; v++) {
            V u[3], a[3], p[2], e[3];
            lstm_operands(d, t, v, -CELL_AHEAD, u, a, p);
            V h = t > 0 ? cell_load(d, d->hidden, t - 1, v) : cell_load(d, d->initial, 0, v);
            V c = t > 0 ? cell_load(d, d->cells, t - 1, v) : cell_load(d, d->initial_cell, 0, v);
            V lambda = carry[v];
            cell_prefetch(d, d->hidden, t, v, -CELL_AHEAD);
            cell_prefetch(d, d->cells, t, v, -CELL_AHEAD);
            if (d->dhidden) {
                lambda += cell_load(d, d->dhidden, t, v);
                cell_prefetch(d, d->dhidden, t, v, -CELL_AHEAD);
            }
            lstm_gates g = lstm_evaluate(h, c, u, a, p);
            e[1] = lambda * g.squashed * (g.o * (1 - g.o));
            V through = lambda * g.o * v_fma(-g.squashed, g.squashed, v_set(1));
            V cell = carry_cell[v] + v_fma(e[1], p[1], through);
            e[0] = cell * (c - g.candidate) * (g.f * (1 - g.f));
            e[2] = cell * (1 - g.f) * v_fma(-g.candidate, g.candidate, v_set(1));
            carry[v] = v_fma(e[0], a[0], v_fma(e[1], a[1], e[2] * a[2]));
            carry_cell[v] = v_fma(e[0], p[0], cell * g.f);
            dpeepholes[v][0] = v_fma(e[0], c, dpeepholes[v][0]);
            dpeepholes[v][1] = v_fma(e[1], g.cell, dpeepholes[v][1]);
            for (size_t i = 0; i < 3; i++) {
                dweights[v][i] = v_fma(e[i], h, dweights[v][i]);
                cell_store(d, d->dprojection, 3 * t + i, v, e[i]);
            }
        }
    for (int v = 0; v < n; v++) {
        cell_store(d, d->dstate, 0, v, carry[v]);
        cell_store(d, d->dcell, 0, v, carry_cell[v]);
        for (size_t i = 0; i < 3; i++) cell_store(d, d->dweights, i, v, dweights[v][i]);
        for (size_t i = 0; i < 2; i++) cell_store(d, d->dpeepholes, i, v, dpeepholes[v][i]);
    }
}

// --- Jacobians ----------------------------------------------------------------------------------

/// The next state of every position from the one before, and d next / d previous.
RK_INLINE void gru_jacobian(const diagonal_cell *d, const T *previous, T *next, T *jacobian) {
    for (size_t t = 0; t < d->time; t++) {
        V u[3], a[3], h = cell_load(d, previous, t, 0);
        for (size_t i = 0; i < 3; i++) {
            u[i] = cell_load(d, d->projection, 3 * t + i, 0);
            a[i] = cell_load(d, d->weights, i, 0);
        }
        gru_gates g = gru_evaluate(h, u, a);
        V through = g.z * a[2] * v_fma(-g.c, g.c, v_set(1));
        V reset = v_fma(h * a[1], g.r * (1 - g.r), g.r), update = (g.c - h) * a[0] * (g.z * (1 - g.z));
        cell_store(d, next, t, 0, v_fma(g.z, g.c - h, h));
        cell_store(d, jacobian, t, 0, (1 - g.z) + v_fma(through, reset, update));
    }
}

/// The same with states (h, c) and blocks [[dh'/dh, dh'/dc], [dc'/dh, dc'/dc]].
RK_INLINE void lstm_jacobian(const diagonal_cell *d, const T *previous, T *next, T *jacobian) {
    for (size_t t = 0; t < d->time; t++) {
        V u[3], a[3], p[2], h = cell_load(d, previous, 2 * t, 0), c = cell_load(d, previous, 2 * t + 1, 0);
        for (size_t i = 0; i < 3; i++) {
            u[i] = cell_load(d, d->projection, 3 * t + i, 0);
            a[i] = cell_load(d, d->weights, i, 0);
        }
        for (size_t i = 0; i < 2; i++) p[i] = cell_load(d, d->peepholes, i, 0);
        lstm_gates g = lstm_evaluate(h, c, u, a, p);
        V slope = (c - g.candidate) * (g.f * (1 - g.f)), open = g.squashed * (g.o * (1 - g.o));
        V cell_cell = v_fma(slope, p[0], g.f);
        V cell_hidden = v_fma((1 - g.f) * a[2], v_fma(-g.candidate, g.candidate, v_set(1)), slope * a[0]);
        V q = v_fma(open, p[1], g.o * v_fma(-g.squashed, g.squashed, v_set(1)));
        cell_store(d, next, 2 * t, 0, g.o * g.squashed);
        cell_store(d, next, 2 * t + 1, 0, g.cell);
        cell_store(d, jacobian, 4 * t, 0, v_fma(cell_hidden, q, open * a[1]));
        cell_store(d, jacobian, 4 * t + 1, 0, cell_cell * q);
        cell_store(d, jacobian, 4 * t + 2, 0, cell_hidden);
        cell_store(d, jacobian, 4 * t + 3, 0, cell_cell);
    }
}

// --- entries ------------------------------------------------------------------------------------

static void gru_forward_1(const diagonal_cell *d) { gru_forward(1, d); }
static void gru_forward_2(const diagonal_cell *d) { gru_forward(2, d); }
static void gru_forward_4(const diagonal_cell *d) { gru_forward(CELL_VECTORS, d); }
static void gru_backward_1(const diagonal_cell *d) { gru_backward(1, d); }
static void gru_backward_2(const diagonal_cell *d) { gru_backward(2, d); }
static void gru_backward_4(const diagonal_cell *d) { gru_backward(CELL_VECTORS, d); }
static void lstm_forward_1(const diagonal_cell *d) { lstm_forward(1, d); }
static void lstm_forward_2(const diagonal_cell *d) { lstm_forward(2, d); }
static void lstm_forward_4(const diagonal_cell *d) { lstm_forward(CELL_VECTORS, d); }
static void lstm_backward_1(const diagonal_cell *d) { lstm_backward(1, d); }
static void lstm_backward_2(const diagonal_cell *d) { lstm_backward(2, d); }
static void lstm_backward_4(const diagonal_cell *d) { lstm_backward(CELL_VECTORS, d); }

typedef void cell_function(const diagonal_cell *d);

/// `d` moved on by `by` channels.
static diagonal_cell cell_advanced(diagonal_cell d, size_t by) {
    const T **readable[] = {&d.projection, &d.weights, &d.peepholes, &d.initial, &d.initial_cell, &d.dhidden};
    T **writable[] = {&d.hidden, &d.cells, &d.final, &d.final_cell, &d.dstate, &d.dcell, &d.dprojection, &d.dweights,
                      &d.dpeepholes};
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        if (*readable[i]) *readable[i] += by;
    for (size_t i = 0; i < sizeof writable / sizeof *writable; i++)
        if (*writable[i]) *writable[i] += by;
    return d;
}

/// Four vectors at a time, then two, then one.
static void cell_run(diagonal_cell d, size_t first, size_t last, cell_function *one, cell_function *two,
                     cell_function *four) {
    d = cell_advanced(d, first);
    for (size_t left = last - first; left > 0;) {
        size_t vectors = (left + LANES - 1) / LANES, taken = vectors >= 4 ? 4 : vectors >= 2 ? 2 : 1;
        d.count = left < taken * LANES ? left : taken * LANES;
        (taken == 4 ? four : taken == 2 ? two : one)(&d);
        d = cell_advanced(d, d.count);
        left -= d.count;
    }
}

static void k_diagonal_gru(size_t time, size_t channels, size_t first, size_t last, const void *projection,
                           const void *weights, const void *initial, void *hidden, void *final) {
    diagonal_cell d = {.time = time, .channels = channels, .projection = projection, .weights = weights,
                       .initial = initial, .hidden = hidden, .final = final};
    cell_run(d, first, last, gru_forward_1, gru_forward_2, gru_forward_4);
}

static void k_diagonal_gru_gradient(size_t time, size_t channels, size_t first, size_t last, const void *projection,
                                    const void *weights, const void *initial, const void *hidden, const void *dhidden,
                                    void *dstate, void *dprojection, void *dweights) {
    diagonal_cell d = {.time = time, .channels = channels, .projection = projection, .weights = weights,
                       .initial = initial, .hidden = (T *)hidden, .dhidden = dhidden, .dstate = dstate,
                       .dprojection = dprojection, .dweights = dweights};
    cell_run(d, first, last, gru_backward_1, gru_backward_2, gru_backward_4);
}

static void k_diagonal_lstm(size_t time, size_t channels, size_t first, size_t last, const void *projection,
                            const void *weights, const void *peepholes, const void *initial, const void *initial_cell,
                            void *hidden, void *cells, void *final, void *final_cell) {
    diagonal_cell d = {.time = time, .channels = channels, .projection = projection, .weights = weights,
                       .peepholes = peepholes, .initial = initial, .initial_cell = initial_cell, .hidden = hidden,
                       .cells = cells, .final = final, .final_cell = final_cell};
    cell_run(d, first, last, lstm_forward_1, lstm_forward_2, lstm_forward_4);
}

static void k_diagonal_lstm_gradient(size_t time, size_t channels, size_t first, size_t last, const void *projection,
                                     const void *weights, const void *peepholes, const void *initial,
                                     const void *initial_cell, const void *hidden, const void *cells,
                                     const void *dhidden, void *dstate, void *dcell, void *dprojection, void *dweights,
                                     void *dpeepholes) {
    diagonal_cell d = {.time = time, .channels = channels, .projection = projection, .weights = weights,
                       .peepholes = peepholes, .initial = initial, .initial_cell = initial_cell,
                       .hidden = (T *)hidden, .cells = (T *)cells, .dhidden = dhidden, .dstate = dstate,
                       .dcell = dcell, .dprojection = dprojection, .dweights = dweights, .dpeepholes = dpeepholes};
    cell_run(d, first, last, lstm_backward_1, lstm_backward_2, lstm_backward_4);
}

static void k_diagonal_cell_jacobian(size_t rows, size_t channels, const void *projection, const void *weights,
                                     const void *peepholes, const void *previous, void *next, void *jacobian) {
    diagonal_cell d = {.time = rows, .channels = channels, .projection = projection, .weights = weights,
                       .peepholes = peepholes};
    for (size_t c = 0; c < channels; c += LANES) {
        diagonal_cell part = cell_advanced(d, c);
        part.count = channels - c;
        const T *from = previous;
        T *to = next, *slope = jacobian;
        if (peepholes)
            lstm_jacobian(&part, from + c, to + c, slope + c);
        else
            gru_jacobian(&part, from + c, to + c, slope + c);
    }
}
