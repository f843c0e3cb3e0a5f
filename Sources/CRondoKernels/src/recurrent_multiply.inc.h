// The products of the recurrent loop: a few rows times one panel of a packed matrix.
//
// A panel holds, for each k, VECTORS vectors of neighbouring columns side by side. Every element is the sum over k in
// order, whatever the number of rows and panels that a call takes: rows and threads may be split anywhere.

// Accumulators that fit the registers: 6 x 4 of 32, or 3 x 4 of 16.
#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
#define TILE_ROWS 6
#else
#define TILE_ROWS 3
#endif
enum { TILE_VECTORS = 4, TILE_PANELS = 4, TILE_SIZE = (TILE_ROWS > TILE_PANELS ? TILE_ROWS : TILE_PANELS) * TILE_VECTORS * LANES };

/// `count` runs of `length` elements, `stride` apart, that together form the k axis of a row.
typedef struct {
    size_t count, length, stride;
} runs;

/// out[panel][row][vector] = sum over k of a[row][k] * panel[k][vector].
RK_INLINE void multiply_tile(const int panels, const int rows, const int vectors, const T *const *a, runs k,
                             const T *panel, T *out) {
    const size_t panel_size = k.count * k.length * (size_t)vectors * LANES;
    V sum[TILE_PANELS * TILE_ROWS * TILE_VECTORS];
    _Pragma("unroll") for (int i = 0; i < panels * rows * vectors; i++) sum[i] = v_set(0);
    for (size_t run = 0; run < k.count; run++)
        for (size_t j = 0; j < k.length; j++, panel += vectors * LANES) {
            _Pragma("unroll") for (int b = 0; b < panels; b++) {
                V column[TILE_VECTORS];
                _Pragma("unroll") for (int v = 0; v < vectors; v++) column[v] = v_load(panel + b * panel_size + v * LANES);
                _Pragma("unroll") for (int r = 0; r < rows; r++) {
                    V x = v_set(a[r][run * k.stride + j]);
                    _Pragma("unroll") for (int v = 0; v < vectors; v++) {
                        V *s = &sum[(b * rows + r) * vectors + v];
                        *s = v_fma(x, column[v], *s);
                    }
                }
            }
        }
    _Pragma("unroll") for (int i = 0; i < panels * rows * vectors; i++) v_store(out + i * LANES, sum[i]);
}

#define MULTIPLY_SHAPES(X, vectors) \
    X(1, 1, vectors) X(1, 2, vectors) X(1, 3, vectors) X(1, 4, vectors) X(1, 5, vectors) X(1, 6, vectors) \
    X(2, 1, vectors) X(4, 1, vectors)
#define MULTIPLY_FUNCTION(panels, rows, vectors) \
    static void multiply_##panels##_##rows##_##vectors(const T *const *a, runs k, const T *panel, T *out) { \
        if (rows <= TILE_ROWS) multiply_tile(panels, rows, vectors, a, k, panel, out); \
    }
#define MULTIPLY_CASE(panels, rows, vectors) \
    case panels * 100 + rows * 10 + vectors: multiply_##panels##_##rows##_##vectors(a, k, panel, out); return;
MULTIPLY_SHAPES(MULTIPLY_FUNCTION, 1)
MULTIPLY_SHAPES(MULTIPLY_FUNCTION, 2)
MULTIPLY_SHAPES(MULTIPLY_FUNCTION, 3)
MULTIPLY_SHAPES(MULTIPLY_FUNCTION, 4)

/// rows <= TILE_ROWS rows times one panel, or one row times 2 or 4 panels.
RK_INLINE void multiply_panels(int panels, int rows, int vectors, const T *const *a, runs k, const T *panel, T *out) {
    switch (panels * 100 + rows * 10 + vectors) {
        MULTIPLY_SHAPES(MULTIPLY_CASE, 1)
        MULTIPLY_SHAPES(MULTIPLY_CASE, 2)
        MULTIPLY_SHAPES(MULTIPLY_CASE, 3)
        MULTIPLY_SHAPES(MULTIPLY_CASE, 4)
    }
}

/// How many panels a call should take for `rows` rows: one row alone has too few independent sums.
RK_INLINE int panels_at_once(size_t rows, size_t left) { return rows > 1 || left < 2 ? 1 : left < 4 ? 2 : 4; }

// --- packing -------------------------------------------------------------------------------------

/// R or its transpose in panels. Forward: a panel holds `gates` gates of `vectors` vectors of units, k runs over the
/// units before. Backward: a panel holds `vectors` vectors of units before, k runs over (gate, unit).
typedef struct {
    T *data;
    int first_gate, gates, vectors;
    size_t panels, panel_size;  // a head
} packed;

RK_INLINE packed packed_layout(T *data, int first_gate, int gates, int vectors, size_t width) {
    size_t lanes = (size_t)vectors * LANES, panels = (width + lanes - 1) / lanes;
    return (packed){data, first_gate, gates, vectors, panels, width * (size_t)gates * lanes};
}

typedef struct {
    packed to;
    const T *matrix;  // [gates, heads, width (out), width (in)]
    size_t heads, width;
    bool backward;
} packing;

static void pack_forward_panel(const packing *p, size_t head, size_t panel) {
    const size_t width = p->width, lanes = (size_t)p->to.vectors * LANES, row = (size_t)p->to.gates * lanes;
    T *out = p->to.data + (head * p->to.panels + panel) * p->to.panel_size;
    for (size_t k = 0; k < width; k += LANES)  // in squares, so that both sides stay in the first cache
        for (int g = 0; g < p->to.gates; g++)
            for (size_t lane = 0; lane < lanes; lane++) {
                size_t unit = panel * lanes + lane, gate = (size_t)(p->to.first_gate + g);
                const T *from = p->matrix + ((gate * p->heads + head) * width + unit) * width;
                T *to = out + (size_t)g * lanes + lane;
                for (size_t j = k; j < k + LANES && j < width; j++) to[j * row] = unit < width ? from[j] : 0;
            }
}

static void pack_backward_panel(const packing *p, size_t head, size_t panel) {
    const size_t width = p->width, lanes = (size_t)p->to.vectors * LANES;
    const size_t begin = panel * lanes, count = width - begin < lanes ? width - begin : lanes;
    T *out = p->to.data + (head * p->to.panels + panel) * p->to.panel_size;
    for (int g = 0; g < p->to.gates; g++)
        for (size_t unit = 0; unit < width; unit++, out += lanes) {
            size_t gate = (size_t)(p->to.first_gate + g);
            memcpy(out, p->matrix + ((gate * p->heads + head) * width + unit) * width + begin, count * sizeof(T));
            memset(out + count, 0, (lanes - count) * sizeof(T));
        }
}

static void pack_task(void *context, size_t index) {
    const packing *p = context;
    (p->backward ? pack_backward_panel : pack_forward_panel)(p, index / p->to.panels, index % p->to.panels);
}
