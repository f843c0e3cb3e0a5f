// The quasi-LSTM: c' = s(f + bias) c + s(i) tanh(z), h' = s(o) tanh(c'). The gates see the input alone, so that only the
// multiplication by s(f) waits for the position before. Channels lie in vector lanes as in diagonal_cell.inc.h.

typedef struct {
    V f, i, z, o;
} quasi_gates;

RK_INLINE quasi_gates quasi_evaluate(const diagonal_cell *d, V bias, size_t t, int v, int ahead) {
    V u[4];
    for (size_t i = 0; i < 4; i++) {
        u[i] = cell_load(d, d->projection, 4 * t + i, v);
        cell_prefetch(d, d->projection, 4 * t + i, v, 4 * ahead);
    }
    return (quasi_gates){v_gate(u[0] + bias), v_gate(u[1]), v_squash(u[2]), v_gate(u[3])};
}

RK_INLINE void quasi_forward(const int n, const diagonal_cell *d) {
    V c[CELL_VECTORS], bias = v_set(d->forget_bias);
    for (int v = 0; v < n; v++) c[v] = cell_load(d, d->initial_cell, 0, v);
    for (size_t t = 0; t < d->time; t++)
        for (int v = 0; v < n; v++) {
            quasi_gates g = quasi_evaluate(d, bias, t, v, CELL_AHEAD);
            c[v] = v_fma(g.f, c[v], g.i * g.z);
            cell_store(d, d->cells, t, v, c[v]);
            cell_store(d, d->hidden, t, v, g.o * v_squash(c[v]));
        }
    for (int v = 0; v < n; v++) cell_store(d, d->final_cell, 0, v, c[v]);
}

RK_INLINE void quasi_backward(const int n, const diagonal_cell *d) {
    V carry[CELL_VECTORS], bias = v_set(d->forget_bias);
    for (int v = 0; v < n; v++) carry[v] = cell_load(d, d->dcell, 0, v);
    for (size_t t = d->time; t-- > 0;)
        for (int v = 0; v < n; v++) {
            quasi_gates g = quasi_evaluate(d, bias, t, v, -CELL_AHEAD);
            V c = cell_load(d, d->cells, t, v), squashed = v_squash(c), dh = v_set(0);
            V before = t > 0 ? cell_load(d, d->cells, t - 1, v) : cell_load(d, d->initial_cell, 0, v);
            cell_prefetch(d, d->cells, t, v, -CELL_AHEAD);
            if (d->dhidden) {
                dh = cell_load(d, d->dhidden, t, v);
                cell_prefetch(d, d->dhidden, t, v, -CELL_AHEAD);
            }
            V dc = v_fma(dh * g.o, v_fma(-squashed, squashed, v_set(1)), carry[v]);
            cell_store(d, d->dprojection, 4 * t, v, dc * before * (g.f * (1 - g.f)));
            cell_store(d, d->dprojection, 4 * t + 1, v, dc * g.z * (g.i * (1 - g.i)));
            cell_store(d, d->dprojection, 4 * t + 2, v, dc * g.i * v_fma(-g.z, g.z, v_set(1)));
            cell_store(d, d->dprojection, 4 * t + 3, v, dh * squashed * (g.o * (1 - g.o)));
            carry[v] = dc * g.f;
        }
    for (int v = 0; v < n; v++) cell_store(d, d->dcell, 0, v, carry[v]);
}

static void quasi_forward_1(const diagonal_cell *d) { quasi_forward(1, d); }
static void quasi_forward_2(const diagonal_cell *d) { quasi_forward(2, d); }
static void quasi_forward_4(const diagonal_cell *d) { quasi_forward(CELL_VECTORS, d); }
static void quasi_backward_1(const diagonal_cell *d) { quasi_backward(1, d); }
static void quasi_backward_2(const diagonal_cell *d) { quasi_backward(2, d); }
static void quasi_backward_4(const diagonal_cell *d) { quasi_backward(CELL_VECTORS, d); }

static void k_quasi_lstm(size_t time, size_t channels, size_t first, size_t last, double forget_bias,
                         const void *projection, const void *initial, void *hidden, void *cells, void *final) {
    diagonal_cell d = {.time = time, .channels = channels, .forget_bias = (T)forget_bias, .projection = projection,
                       .initial_cell = initial, .hidden = hidden, .cells = cells, .final_cell = final};
    cell_run(d, first, last, quasi_forward_1, quasi_forward_2, quasi_forward_4);
}

static void k_quasi_lstm_gradient(size_t time, size_t channels, size_t first, size_t last, double forget_bias,
                                  const void *projection, const void *initial, const void *cells, const void *dhidden,
                                  void *dcell, void *dprojection) {
    diagonal_cell d = {.time = time, .channels = channels, .forget_bias = (T)forget_bias, .projection = projection,
                       .initial_cell = initial, .cells = (T *)cells, .dhidden = dhidden, .dcell = dcell,
                       .dprojection = dprojection};
    cell_run(d, first, last, quasi_backward_1, quasi_backward_2, quasi_backward_4);
}
