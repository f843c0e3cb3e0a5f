// Backward through the general form, see delta_rule.inc.h.
//
// With M the cotangent of the state after a position (its output's share q o' included), S the state before, S' after
// (primes on vectors transpose), e = S'b and de = M'a:
//   dv = M'k, dq = S' do, dk = M v, da = M e, db = S de, dg = e^g times the sum over the values of M S;
//   M <- Diag(e^g) M + b de'
// Rows here are columns of S: with keys in lanes, every row of M and S walks through time on its own, and the sums
// over rows (dq, dk ...) need no sums across lanes. A chunk begins with its kept state; first its states every
// DELTA_BLOCK positions are computed, then block by block, from the last, all states of a block for DELTA_ROWS rows,
// which stay in the first-level cache while M goes back through them.

enum { DELTA_BLOCK = 8, DELTA_ROWS = 4 };

/// A chunk: arrays of keys as [DELTA_CHUNK][width], of values as [DELTA_CHUNK][rows], padded with zeros, so that no
/// loop has a remainder.
typedef struct {
    size_t width, rows;
    T *q, *k, *a, *b, *w;  // w: the decays
    T *dq, *dk, *da, *db, *dw;
    T *v, *e, *d_o, *de, *dv;  // e: what was read from the states
    T *m, *states;             // [rows][width]; [DELTA_CHUNK / DELTA_BLOCK][rows][width]
    T *history;                // [DELTA_BLOCK + 1][DELTA_ROWS][width]
} delta_chunk;

// --- states -----------------------------------------------------------------------------------------

/// `vectors` vectors of keys from j on of DELTA_ROWS rows through the positions `from`..<`to`; every state is written,
/// one `out_step` after the other (0: only the last one is).
RK_INLINE void delta_replay_vectors(int vectors, const delta_chunk *c, size_t from, size_t to, size_t row, size_t j,
                                    const T *start, T *out, size_t out_step) {
    V s[DELTA_ROWS][2];
    for (int r = 0; r < DELTA_ROWS; r++)
        for (int n = 0; n < vectors; n++) s[r][n] = v_load(start + (size_t)r * c->width + j + n * LANES);
    for (size_t t = from; t < to; t++, out += out_step) {
        V v[DELTA_ROWS], e[DELTA_ROWS];
        for (int r = 0; r < DELTA_ROWS; r++) {
            v[r] = v_set(c->v[t * c->rows + row + r]);
            e[r] = v_set(c->e[t * c->rows + row + r]);
        }
        for (int n = 0; n < vectors; n++) {
            size_t at = t * c->width + j + n * LANES;
            V k = v_load(c->k + at), a = v_load(c->a + at), w = v_load(c->w + at);
            for (int r = 0; r < DELTA_ROWS; r++) s[r][n] = v_fma(k, v[r], v_fma(a, e[r], w * s[r][n]));
        }
        for (int r = 0; r < DELTA_ROWS; r++)
            for (int n = 0; n < vectors; n++)
                if (out_step || t + 1 == to) v_store(out + (size_t)r * c->width + j + n * LANES, s[r][n]);
    }
}

RK_INLINE void delta_replay(const delta_chunk *c, size_t from, size_t to, size_t row, const T *start, T *out,
                            size_t out_step) {
    size_t j = 0;
    for (; j + 2 * LANES <= c->width; j += 2 * LANES)
        delta_replay_vectors(2, c, from, to, row, j, start, out, out_step);
    if (j < c->width) delta_replay_vectors(1, c, from, to, row, j, start, out, out_step);
}

// --- back through one position ----------------------------------------------------------------------

/// The sums of the lanes of DELTA_ROWS vectors.
RK_INLINE void delta_sum_rows(const V x[DELTA_ROWS], T *sums) {
#define PAIRS(a, b) (v_evens(a, b) + v_odds(a, b))
    V low = PAIRS(x[0], x[1]), high = PAIRS(x[2], x[3]);
#if LANES == 2
    v_store(sums, low);
    v_store(sums + 2, high);
#else
    V all = PAIRS(low, high);
    for (int lanes = LANES; lanes > DELTA_ROWS; lanes /= 2) all = PAIRS(all, all);
    for (int r = 0; r < DELTA_ROWS; r++) sums[r] = all[r];
#endif
#undef PAIRS
}

/// M += q do'; then what M gives for a and k.
RK_INLINE void delta_retreat_reads(const delta_chunk *c, size_t t, size_t row) {
    size_t first = t * c->width, value = t * c->rows + row;
    T *m = c->m + row * c->width;
    V along_k[DELTA_ROWS], along_a[DELTA_ROWS], d_o[DELTA_ROWS];
    for (int r = 0; r < DELTA_ROWS; r++) {
        along_k[r] = along_a[r] = 0;
        d_o[r] = v_set(c->d_o[value + r]);
    }
    for (size_t j = 0; j < c->width; j += LANES) {
        V q = v_load(c->q + first + j), k = v_load(c->k + first + j), a = v_load(c->a + first + j);
        for (int r = 0; r < DELTA_ROWS; r++) {
            V x = v_fma(q, d_o[r], v_load(m + (size_t)r * c->width + j));
            v_store(m + (size_t)r * c->width + j, x);
            along_k[r] = v_fma(x, k, along_k[r]);
            along_a[r] = v_fma(x, a, along_a[r]);
        }
    }
    delta_sum_rows(along_a, c->de + value);
    delta_sum_rows(along_k, c->dv + value);
}

/// The sums over rows, and M before the position; `before` and `after` are the states, [DELTA_ROWS][width].
RK_INLINE void delta_retreat_sums(const delta_chunk *c, size_t t, size_t row, const T *before, const T *after) {
    size_t first = t * c->width, value = t * c->rows + row;
    T *m = c->m + row * c->width;
    V d_o[DELTA_ROWS], v[DELTA_ROWS], e[DELTA_ROWS], de[DELTA_ROWS];
    for (int r = 0; r < DELTA_ROWS; r++) {
        d_o[r] = v_set(c->d_o[value + r]);
        v[r] = v_set(c->v[value + r]);
        e[r] = v_set(c->e[value + r]);
        de[r] = v_set(c->de[value + r]);
    }
    for (size_t j = 0; j < c->width; j += LANES) {
        V w = v_load(c->w + first + j), b = v_load(c->b + first + j);
        V dq = v_load(c->dq + first + j), dk = v_load(c->dk + first + j), da = v_load(c->da + first + j);
        V db = v_load(c->db + first + j), dw = v_load(c->dw + first + j);
        for (int r = 0; r < DELTA_ROWS; r++) {
            size_t at = (size_t)r * c->width + j;
            V x = v_load(m + at), s = v_load(before + at);
            dq = v_fma(v_load(after + at), d_o[r], dq);
            dk = v_fma(x, v[r], dk);
            da = v_fma(x, e[r], da);
            db = v_fma(s, de[r], db);
            dw = v_fma(x, s, dw);
            v_store(m + at, v_fma(b, de[r], w * x));
        }
        v_store(c->dq + first + j, dq);
        v_store(c->dk + first + j, dk);
        v_store(c->da + first + j, da);
        v_store(c->db + first + j, db);
        v_store(c->dw + first + j, dw);
    }
}

/// All blocks of a chunk of `time` positions, from the last. The first state is there.
static void delta_retreat_chunk(const delta_chunk *c, size_t time) {
    size_t group = DELTA_ROWS * c->width, state = c->rows * c->width;
    for (size_t row = 0; row < c->rows; row += DELTA_ROWS) {
        T *s = c->states + row * c->width;
        for (size_t t = DELTA_BLOCK; t < time; t += DELTA_BLOCK, s += state)
            delta_replay(c, t - DELTA_BLOCK, t, row, s, s + state, 0);
    }
    for (size_t block = (time + DELTA_BLOCK - 1) / DELTA_BLOCK; block-- > 0;) {
        size_t from = block * DELTA_BLOCK, to = time - from < DELTA_BLOCK ? time : from + DELTA_BLOCK;
        for (size_t row = 0; row < c->rows; row += DELTA_ROWS) {
            memcpy(c->history, c->states + block * state + row * c->width, group * sizeof(T));
            delta_replay(c, from, to, row, c->history, c->history + group, group);
            for (size_t t = to; t-- > from;) {
                const T *before = c->history + (t - from) * group;
                delta_retreat_reads(c, t, row);
                delta_retreat_sums(c, t, row, before, before + group);
            }
        }
    }
}

// --- between the arrays and the chunk ----------------------------------------------------------------

/// Cuts the scratch memory into the chunk's arrays.
static void delta_lay_out(const rk_delta_rule *rule, delta_chunk *c) {
    c->width = delta_round_up(rule->keys, LANES);
    c->rows = delta_round_up(rule->values, DELTA_ROWS);
    size_t keys = DELTA_CHUNK * c->width, values = DELTA_CHUNK * delta_round_up(c->rows, LANES);
    size_t state = c->rows * c->width, blocks = DELTA_CHUNK / DELTA_BLOCK;
    T *next = rk_scratch(RK_SCRATCH_DELTA_RULE,
                         (10 * keys + 5 * values + (1 + blocks) * state + (DELTA_BLOCK + 1) * DELTA_ROWS * c->width)
                             * sizeof(T));
    T **arrays[] = {&c->q, &c->k, &c->a, &c->b, &c->w, &c->dq, &c->dk, &c->da, &c->db, &c->dw};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++, next += keys) *arrays[i] = next;
    T **vectors[] = {&c->v, &c->e, &c->d_o, &c->de, &c->dv};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++, next += values) *vectors[i] = next;
    c->m = next;
    c->states = c->m + state;
    c->history = c->states + blocks * state;
}

static void delta_load_chunk(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient, size_t from,
                             size_t time, const delta_chunk *c) {
    size_t keys = rule->keys, values = rule->values, step = rule->heads * keys, value_step = rule->heads * values;
    const T *d_o = gradient->o ? (const T *)gradient->o + from * value_step : NULL;
    delta_pack((const T *)rule->q + from * step, step, time, keys, c->q, c->width);
    delta_pack((const T *)rule->k + from * step, step, time, keys, c->k, c->width);
    delta_pack((const T *)rule->a + from * step, step, time, keys, c->a, c->width);
    delta_pack((const T *)rule->b + from * step, step, time, keys, c->b, c->width);
    delta_pack((const T *)rule->v + from * value_step, value_step, time, values, c->v, c->rows);
    delta_pack((const T *)rule->reads + from * values, values, time, values, c->e, c->rows);
    delta_pack(d_o, value_step, time, values, c->d_o, c->rows);
    delta_decays(rule, from, time, c->w, c->width);
    T *sums[] = {c->dq, c->dk, c->da, c->db, c->dw};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) memset(sums[i], 0, time * c->width * sizeof(T));
    const T *states = (const T *)rule->states + from / DELTA_CHUNK * keys * values;
    delta_pack(states, keys, values, keys, c->states, c->width);
    memset(c->states + values * c->width, 0, (c->rows - values) * c->width * sizeof(T));
}

static void delta_store_chunk(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient, size_t from,
                              size_t time, const delta_chunk *c) {
    size_t keys = rule->keys, values = rule->values, step = rule->heads * keys, value_step = rule->heads * values;
    for (size_t i = 0; i < time * c->width; i += LANES) v_store(c->dw + i, v_load(c->dw + i) * v_load(c->w + i));
    delta_unpack(c->dq, c->width, time, keys, (T *)gradient->q + from * step, step);
    delta_unpack(c->dk, c->width, time, keys, (T *)gradient->k + from * step, step);
    delta_unpack(c->da, c->width, time, keys, (T *)gradient->a + from * step, step);
    delta_unpack(c->db, c->width, time, keys, (T *)gradient->b + from * step, step);
    delta_unpack(c->dw, c->width, time, keys, (T *)gradient->g + from * step, step);
    delta_unpack(c->dv, c->rows, time, values, (T *)gradient->v + from * value_step, value_step);
}

static void delta_backward_rows(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient) {
    delta_chunk c;
    delta_lay_out(rule, &c);
    memset(c.m, 0, c.rows * c.width * sizeof(T));
    delta_transpose(gradient->state, rule->values, rule->keys, rule->values, c.m, c.width);
    for (size_t chunk = (rule->time + DELTA_CHUNK - 1) / DELTA_CHUNK; chunk-- > 0;) {
        size_t from = chunk * DELTA_CHUNK, time = rule->time - from < DELTA_CHUNK ? rule->time - from : DELTA_CHUNK;
        delta_load_chunk(rule, gradient, from, time, &c);
        delta_retreat_chunk(&c, time);
        delta_store_chunk(rule, gradient, from, time, &c);
    }
    delta_transpose(c.m, c.width, rule->values, rule->keys, gradient->state, rule->values);
}
