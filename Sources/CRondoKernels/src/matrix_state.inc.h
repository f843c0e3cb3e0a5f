// The matrix-valued nonlinear state of M2RNN: Z = tanh(H W + k v') (linear: without tanh), H = f H + (1 - f) Z, y = H' q (' transposes).
// Rows of H are independent of each other; they are padded with zeros to whole vectors, which stay zero. A tile of MATRIX_ROWS
// rows times MATRIX_VECTORS vectors of columns is one product in registers, finished (tanh, gate, read-out) before it
// is stored.

#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { MATRIX_ROWS = 8, MATRIX_VECTORS = 2 };
#else
enum { MATRIX_ROWS = 4, MATRIX_VECTORS = 2 };
#endif

typedef struct {
    size_t keys, values, pitch;  // of a row of H: `values` numbers, padded to `pitch`
    bool linear;                 // without tanh
} matrix_shape;

/// sum[r][v] += rows of `left` times columns of `right`, `depth` terms.
RK_INLINE void matrix_product(const int rows, const int vectors, size_t depth, size_t pitch, const T *left,
                              const T *right, V sum[MATRIX_ROWS][MATRIX_VECTORS]) {
    for (size_t j = 0; j < depth; j++, right += pitch) {
        V w[MATRIX_VECTORS];
        for (int v = 0; v < vectors; v++) w[v] = v_load(right + v * LANES);
        for (int r = 0; r < rows; r++) {
            V x = v_set(left[(size_t)r * pitch + j]);
            for (int v = 0; v < vectors; v++) sum[r][v] = v_fma(x, w[v], sum[r][v]);
        }
    }
}

typedef struct {
    matrix_shape shape;
    T f;
    const T *k, *v, *q;         // of this position; v padded; q NULL: no read-out
    const T *weight, *old;      // padded
    T *new, *squashed, *y;      // padded; squashed NULL: not kept
} matrix_step;

RK_INLINE void matrix_step_tile(const int rows, const int vectors, const matrix_step *s, size_t i, size_t j) {
    const size_t pitch = s->shape.pitch, at = i * pitch + j;
    V sum[MATRIX_ROWS][MATRIX_VECTORS], y[MATRIX_VECTORS];
    for (int v = 0; v < vectors; v++) {
        V value = v_load(s->v + j + (size_t)v * LANES);
        for (int r = 0; r < rows; r++) sum[r][v] = s->k[i + (size_t)r] * value;
        if (s->q) y[v] = v_load(s->y + j + (size_t)v * LANES);
    }
    matrix_product(rows, vectors, s->shape.values, pitch, s->old + i * pitch, s->weight + j, sum);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            const size_t here = at + (size_t)r * pitch + (size_t)v * LANES;
            V z = s->shape.linear ? sum[r][v] : v_squash(sum[r][v]), h = v_fma(v_set(s->f), v_load(s->old + here) - z, z);
            v_store(s->new + here, h);
            if (s->squashed) v_store(s->squashed + here, z);
            if (s->q) y[v] = v_fma(v_set(s->q[i + (size_t)r]), h, y[v]);
        }
    for (int v = 0; v < vectors && s->q; v++) v_store(s->y + j + (size_t)v * LANES, y[v]);
}

/// Calls tile(rows, vectors, context, row, column) for all tiles of a state.
#define MATRIX_TILES(shape, tile, context) \
    for (size_t i = 0; i < (shape).keys;) { \
        const bool many = (shape).keys - i >= MATRIX_ROWS; \
        for (size_t j = 0; j < (shape).pitch;) { \
            const bool wide = (shape).pitch - j >= MATRIX_VECTORS * LANES; \
            if (many && wide) \
                tile(MATRIX_ROWS, MATRIX_VECTORS, context, i, j); \
            else if (many) \
                tile(MATRIX_ROWS, 1, context, i, j); \
            else if (wide) \
                tile(1, MATRIX_VECTORS, context, i, j); \
            else \
                tile(1, 1, context, i, j); \
            j += wide ? MATRIX_VECTORS * LANES : LANES; \
        } \
        i += many ? MATRIX_ROWS : 1; \
    }

static void matrix_advance(const matrix_step *s) {
    MATRIX_TILES(s->shape, matrix_step_tile, s)
}

/// `rows` rows of `values` numbers to rows of `pitch`, padded with zeros.
static void matrix_pad(const T *from, size_t rows, matrix_shape shape, T *to) {
    for (size_t i = 0; i < rows; i++, from += shape.values, to += shape.pitch) {
        memcpy(to, from, shape.values * sizeof(T));
        for (size_t j = shape.values; j < shape.pitch; j++) to[j] = 0;
    }
}

static void matrix_unpad(const T *from, size_t rows, matrix_shape shape, T *to) {
    for (size_t i = 0; i < rows; i++, to += shape.values, from += shape.pitch)
        memcpy(to, from, shape.values * sizeof(T));
}

static void k_matrix_state(bool linear, size_t time, size_t keys, size_t values, size_t heads, size_t q_step, size_t k_step,
                           size_t chunk, const void *q_data, const void *k_data, const void *v_data,
                           const void *f_data, const void *w_data, const void *initial, void *y_data, void *final,
                           void *checkpoints) {
    matrix_shape shape = {keys, values, (values + LANES - 1) / LANES * LANES, linear};
    const size_t state = keys * shape.pitch;
    const bool padded = shape.pitch != values;  // else everything is read and written where it is
    const T *q = q_data, *k = k_data, *v = v_data, *f = f_data, *old = initial, *weight = w_data;
    T *y = y_data, *saved = checkpoints;
    T *states = rk_scratch(RK_SCRATCH_MATRIX_STATE, (2 * state + (values + 2) * shape.pitch) * sizeof(T));
    T *value = states + 2 * state, *output = value + shape.pitch;
    if (padded) {
        matrix_pad(initial, keys, shape, states + state);
        matrix_pad(w_data, values, shape, output + shape.pitch);
        old = states + state;
        weight = output + shape.pitch;
    }
    for (size_t t = 0; t < time; t++, q += q_step, k += k_step, v += heads * values, y += heads * values, f += heads) {
        if (t > 0 && t % chunk == 0) {
            matrix_unpad(old, keys, shape, saved);
            saved += keys * values;
        }
        T *new = !padded && t + 1 == time ? final : states + t % 2 * state, *to = padded ? output : y;
        if (padded) matrix_pad(v, 1, shape, value);
        memset(to, 0, shape.pitch * sizeof(T));
        matrix_advance(&(matrix_step){shape, *f, k, padded ? value : v, q, weight, old, new, NULL, to});
        if (padded) memcpy(y, output, values * sizeof(T));
        old = new;
    }
    if (padded || time == 0) matrix_unpad(old, keys, shape, final);
}

// --- derivative ---------------------------------------------------------------------------------

typedef struct {
    matrix_shape shape;
    T f;
    const T *k, *v, *q, *dy;  // v and dy padded
    const T *before, *after;  // H before and after this position
    const T *weight;          // transposed, padded
    T *z;                     // Z of this position; becomes the derivative of tanh's argument
    T *dh;                    // derivative of H after; becomes that of H before
    T *dv;                    // padded, summed
    T *dq, *dk;               // LANES partial sums a row
    V df;
} matrix_step_gradient;

/// The elementwise part for some rows, all columns.
RK_INLINE void matrix_gradient_rows(const int rows, matrix_step_gradient *s, size_t i) {
    const size_t pitch = s->shape.pitch;
    V dq[MATRIX_ROWS], dk[MATRIX_ROWS], df = s->df;
    for (int r = 0; r < rows; r++) dq[r] = dk[r] = 0;
    for (size_t j = 0; j < pitch; j += LANES) {
        V dy = v_load(s->dy + j), value = v_load(s->v + j), dv = v_load(s->dv + j);
        for (int r = 0; r < rows; r++) {
            const size_t row = i + (size_t)r, at = row * pitch + j;
            V p = v_fma(v_set(s->q[row]), dy, v_load(s->dh + at)), z = v_load(s->z + at);
            dq[r] = v_fma(v_load(s->after + at), dy, dq[r]);
            df = v_fma(p, v_load(s->before + at) - z, df);
            V dx = (1 - s->f) * p * (s->shape.linear ? v_set(1) : v_fma(-z, z, v_set(1)));
            dk[r] = v_fma(dx, value, dk[r]);
            dv = v_fma(v_set(s->k[row]), dx, dv);
            v_store(s->z + at, dx);
            v_store(s->dh + at, s->f * p);
        }
        v_store(s->dv + j, dv);
    }
    for (int r = 0; r < rows; r++) {
        v_store(s->dq + (i + (size_t)r) * LANES, dq[r]);
        v_store(s->dk + (i + (size_t)r) * LANES, dk[r]);
    }
    s->df = df;
}

/// dH += dX W' on one tile.
RK_INLINE void matrix_gradient_tile(const int rows, const int vectors, const matrix_step_gradient *s, size_t i,
                                    size_t j) {
    const size_t pitch = s->shape.pitch;
    T *to = s->dh + i * pitch + j;
    V sum[MATRIX_ROWS][MATRIX_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = v_load(to + (size_t)r * pitch + (size_t)v * LANES);
    matrix_product(rows, vectors, s->shape.values, pitch, s->z + i * pitch, s->weight + j, sum);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) v_store(to + (size_t)r * pitch + (size_t)v * LANES, sum[r][v]);
}

/// out[i] = sum of the LANES numbers at sums[i * LANES], by a tree of pairwise sums of whole vectors.
static void matrix_row_sums(T *sums, size_t rows, T *out) {
    for (size_t i = 0; i < rows; i += LANES) {
        V x[LANES];
        for (size_t r = 0; r < LANES; r++) x[r] = i + r < rows ? v_load(sums + (i + r) * LANES) : v_set(0);
        for (int count = LANES; count > 1; count /= 2)
            for (int r = 0; r < count / 2; r++)
                x[r] = v_evens(x[2 * r], x[2 * r + 1]) + v_odds(x[2 * r], x[2 * r + 1]);
        v_store_up_to(out + i, x[0], rows - i);
    }
}

static void matrix_retreat(matrix_step_gradient *s) {
    size_t row = 0;
    for (; row + MATRIX_ROWS <= s->shape.keys; row += MATRIX_ROWS) matrix_gradient_rows(MATRIX_ROWS, s, row);
    for (; row < s->shape.keys; row++) matrix_gradient_rows(1, s, row);
    MATRIX_TILES(s->shape, matrix_gradient_tile, s)
}

static void k_matrix_state_gradient(bool linear, size_t time, size_t keys, size_t values, size_t heads, size_t q_step,
                                    size_t k_step, size_t chunk, const void *q_data, const void *k_data,
                                    const void *v_data, const void *f_data, const void *w_data,
                                    const void *initial, const void *checkpoints, const void *dy_data, void *dstate, void *dq_data,
                                    void *dk_data, void *dv_data, void *df_data, void *dw) {
    matrix_shape shape = {keys, values, (values + LANES - 1) / LANES * LANES, linear};
    const size_t pitch = shape.pitch, state = keys * pitch, partial = keys * LANES;
    const T *q = q_data, *k = k_data, *v = v_data, *f = f_data, *dy = dy_data, *saved = checkpoints, *w = w_data;
    T *dq = dq_data, *dk = dk_data, *dv = dv_data, *df = df_data;
    size_t numbers = 2 * (chunk + 1) * state + 2 * values * pitch + 2 * partial + 4 * pitch;
    T *states = rk_scratch(RK_SCRATCH_MATRIX_STATE, numbers * sizeof(T)), *z = states + (chunk + 1) * state;
    T *dh = z + chunk * state, *weight = dh + state, *turned = weight + values * pitch;
    T *sums_q = turned + values * pitch, *sums_k = sums_q + partial, *value = sums_k + partial;
    T *output = value + pitch, *dvalue = output + pitch;
    matrix_pad(dstate, keys, shape, dh);
    matrix_pad(w, values, shape, weight);
    for (size_t i = 0; i < values; i++)
        for (size_t j = 0; j < pitch; j++) turned[i * pitch + j] = j < values ? w[j * values + i] : 0;
    memset(dw, 0, values * values * sizeof(T));
    for (size_t part = (time + chunk - 1) / chunk; part-- > 0;) {
        const size_t start = part * chunk, end = time - start < chunk ? time : start + chunk;
        matrix_pad(part > 0 ? saved + (part - 1) * keys * values : initial, keys, shape, states);
        for (size_t t = start; t < end; t++) {
            const size_t i = t - start;
            matrix_pad(v + t * heads * values, 1, shape, value);
            matrix_advance(&(matrix_step){shape, f[t * heads], k + t * k_step, value, NULL, weight, states + i * state,
                                          states + (i + 1) * state, z + i * state, NULL});
        }
        for (size_t t = end; t-- > start;) {
            const size_t i = t - start;
            matrix_pad(v + t * heads * values, 1, shape, value);
            if (dy)
                matrix_pad(dy + t * heads * values, 1, shape, output);
            else
                memset(output, 0, pitch * sizeof(T));
            memset(dvalue, 0, pitch * sizeof(T));
            matrix_step_gradient s = {shape, f[t * heads], k + t * k_step, value, q + t * q_step, output,
                                      states + i * state, states + (i + 1) * state, turned, z + i * state, dh, dvalue,
                                      sums_q, sums_k, v_set(0)};
            matrix_retreat(&s);
            matrix_row_sums(sums_q, keys, dq + t * heads * keys);
            matrix_row_sums(sums_k, keys, dk + t * heads * keys);
            memcpy(dv + t * heads * values, dvalue, values * sizeof(T));
            df[t * heads] = v_sum(s.df);
        }
        // All of the chunk's states and derivatives are matrices of (positions x keys) rows: one product.
        block_product(true, false, values, values, (end - start) * keys, 1, states, pitch, z, pitch, 1, dw, values);
    }
    matrix_unpad(dh, keys, shape, dstate);
}
