// The products and the softmax of attention, on blocks that stay in the caches.
//
// Right operands come in panels of ATTENTION_PANEL columns or in dense rows; a tile of up to ATTENTION_ROWS rows times
// one panel keeps its sums in registers. Rows of a block see different runs of keys (`span`): products over keys run
// over what all rows of a tile see at once, and over the rest row by row, so nothing invisible is ever multiplied.

// Tiles of 6 x 4 vectors for 32 registers, 6 x 2 for 16. A block has ATTENTION_KEYS keys; rows of scores are
// ATTENTION_STRIDE apart, which is no power of two, so that columns do not fall into few sets of the cache.
enum {
    ATTENTION_ROWS = 6,
    ATTENTION_VECTORS = RK_VECTOR_BYTES == 64 || ATTENTION_MANY_REGISTERS ? 4 : 2,
    ATTENTION_PANEL = ATTENTION_VECTORS * LANES,
    ATTENTION_KEYS = 128,
    ATTENTION_STRIDE = ATTENTION_KEYS + LANES,
    ATTENTION_QUERIES = 96,
};

#define LOG2_E ((T)1.44269504088896340736)

// 2^r for |r| <= 1/2, from exp_terms. Weights are relative to the largest one: those below 2^EXP2_LOWEST change no sum,
// and are kept at it rather than let them and their products become subnormal, which is slow.
#if RK_FLOAT
#define EXP2_LOWEST (-100)
static const T exp2_terms[] = {
    1, 0.6931471806, 0.240226507, 0.05550380935, 0.009618103186, 0.001338136504, 0.0001544493808,
};
#else
#define EXP2_LOWEST (-1000)
static const T exp2_terms[] = {
    1, 0.693147180559945286, 0.24022650695910075, 0.0555041086648215831, 0.00961812910761861324,
    0.00133335581464231849, 0.000154035304248998484, 1.52527338208615375e-05, 1.32154515411969007e-06,
    1.01780672183967329e-07, 7.07099888744554044e-09, 4.45411461553728557e-10,
};
#endif

/// 2^x for x <= 0 (or a little above, by rounding); NaN stays.
RK_INLINE V v_exp2(V x) {
    x = v_max(v_set(EXP2_LOWEST), x);
    V n = v_round(x);
    return v_scale_binary(v_polynomial(exp2_terms, x - n), n);
}

/// A run of columns (or of rows).
typedef struct {
    int32_t from, to;
} span;

RK_INLINE int64_t clamped(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/// The part of from ..< to within 0 ..< count; empty spans begin where they end.
RK_INLINE span make_span(int64_t from, int64_t to, int64_t count) {
    span s = {(int32_t)clamped(from, 0, count), (int32_t)clamped(to, 0, count)};
    if (s.to < s.from) s.to = s.from;
    return s;
}

RK_INLINE size_t whole_vectors(size_t n) { return (n + LANES - 1) / LANES * LANES; }

// --- products -------------------------------------------------------------------------------------

/// C = beta C + A B for one tile; beta has one factor a row, NULL: C is not read. A is read by broadcasts.
RK_INLINE void attention_tile(int rows, int vectors, size_t depth, const T *a, size_t a_row, size_t a_step, const T *b,
                              size_t b_step, const T *beta, T *c, size_t ldc) {
    V sum[ATTENTION_ROWS][ATTENTION_VECTORS];
    _Pragma("unroll") for (int r = 0; r < rows; r++)
        _Pragma("unroll") for (int v = 0; v < vectors; v++) sum[r][v] = v_set(0);
    for (size_t p = 0; p < depth; p++, a += a_step, b += b_step) {
        V right[ATTENTION_VECTORS];
        _Pragma("unroll") for (int v = 0; v < vectors; v++) right[v] = v_load(b + v * LANES);
        _Pragma("unroll") for (int r = 0; r < rows; r++) {
            V left = v_set(a[(size_t)r * a_row]);
            _Pragma("unroll") for (int v = 0; v < vectors; v++) sum[r][v] = v_fma(left, right[v], sum[r][v]);
        }
    }
    if (beta)
        _Pragma("unroll") for (int r = 0; r < rows; r++)
            _Pragma("unroll") for (int v = 0; v < vectors; v++)
                sum[r][v] = v_fma(v_set(beta[r]), v_load(c + (size_t)r * ldc + v * LANES), sum[r][v]);
    _Pragma("unroll") for (int r = 0; r < rows; r++)
        _Pragma("unroll") for (int v = 0; v < vectors; v++) v_store(c + (size_t)r * ldc + v * LANES, sum[r][v]);
}

typedef void attention_tile_function(size_t depth, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step,
                                     const T *beta, T *c, size_t ldc);

#define ATTENTION_TILE(rows, vectors) \
    static void attention_tile_##rows##_##vectors(size_t depth, const T *a, size_t a_row, size_t a_step, const T *b, \
                                                  size_t b_step, const T *beta, T *c, size_t ldc) { \
        if (vectors <= ATTENTION_VECTORS) \
            attention_tile(rows, vectors, depth, a, a_row, a_step, b, b_step, beta, c, ldc); \
    }
#define ATTENTION_TILES(rows) \
    ATTENTION_TILE(rows, 1) ATTENTION_TILE(rows, 2) ATTENTION_TILE(rows, 3) ATTENTION_TILE(rows, 4)
#define ATTENTION_NAMES(rows) \
    {attention_tile_##rows##_1, attention_tile_##rows##_2, attention_tile_##rows##_3, attention_tile_##rows##_4}
ATTENTION_TILES(1) ATTENTION_TILES(2) ATTENTION_TILES(3) ATTENTION_TILES(4) ATTENTION_TILES(5) ATTENTION_TILES(6)
static attention_tile_function *const attention_tiles[ATTENTION_ROWS][4] = {
    ATTENTION_NAMES(1), ATTENTION_NAMES(2), ATTENTION_NAMES(3), ATTENTION_NAMES(4), ATTENTION_NAMES(5),
    ATTENTION_NAMES(6)};

/// out[i][j] = a[i] . b[j] wherever a tile's rows see column j of the block; b is packed in panels [column][depth].
static void attention_scores(size_t rows, const span *spans, size_t depth, const T *a, size_t a_row, const T *b,
                             T *out) {
    for (int32_t j = 0; j < ATTENTION_KEYS; j += ATTENTION_PANEL, b += depth * ATTENTION_PANEL)
        for (size_t i = 0; i < rows; i += ATTENTION_ROWS) {
            size_t count = rows - i < ATTENTION_ROWS ? rows - i : ATTENTION_ROWS;
            int32_t from = spans[i].from, to = spans[i].to;
            for (size_t r = 1; r < count; r++) {
                from = spans[i + r].from < from ? spans[i + r].from : from;
                to = spans[i + r].to > to ? spans[i + r].to : to;
            }
            if (from < j + ATTENTION_PANEL && to > j)
                attention_tiles[count - 1][ATTENTION_VECTORS - 1](depth, a + i * a_row, a_row, 1, b, ATTENTION_PANEL,
                                                                  NULL, out + i * ATTENTION_STRIDE + j,
                                                                  ATTENTION_STRIDE);
        }
}

static const T attention_ones[ATTENTION_ROWS] = {1, 1, 1, 1, 1, 1};

/// One tile of `attention_sums`: what all rows see first, with beta; then, row by row, what only some see.
RK_INLINE void attention_sum_tile(size_t count, const span *spans, int vectors, const T *a, size_t a_row,
                                  size_t a_step, const T *b, size_t b_step, const T *beta, T *c, size_t ldc) {
    int32_t from = spans[0].from, to = spans[0].to;
    bool same = true;
    for (size_t r = 1; r < count; r++) {
        same &= spans[r].from == spans[0].from && spans[r].to == spans[0].to;
        from = spans[r].from > from ? spans[r].from : from;
        to = spans[r].to < to ? spans[r].to : to;
    }
    if (to < from) to = from;
    size_t first = (size_t)from;
    attention_tiles[count - 1][vectors - 1]((size_t)(to - from), a + first * a_step, a_row, a_step, b + first * b_step,
                                            b_step, beta, c, ldc);
    if (same) return;
    for (size_t r = 0; r < count; r++) {
        int32_t left = to == from ? spans[r].to : from;  // nothing in common: all of the row at once
        span parts[2] = {{spans[r].from, left}, {to == from ? spans[r].to : to, spans[r].to}};
        for (int part = 0; part < 2; part++) {
            size_t start = (size_t)parts[part].from;
            if (parts[part].to > parts[part].from)
                attention_tiles[0][vectors - 1]((size_t)(parts[part].to - parts[part].from),
                                                a + r * a_row + start * a_step, a_row, a_step, b + start * b_step,
                                                b_step, attention_ones, c + r * ldc, ldc);
        }
    }
}

/// C[i] = beta[i] C[i] + sum of a[i][p] b[p] over p in spans[i]; `columns` is a multiple of LANES. beta NULL: 1.
static void attention_sums(size_t rows, const span *spans, size_t columns, const T *a, size_t a_row, size_t a_step,
                           const T *b, size_t b_step, const T *beta, T *c, size_t ldc) {
    for (size_t j = 0; j < columns; j += ATTENTION_PANEL) {
        size_t width = columns - j < ATTENTION_PANEL ? columns - j : ATTENTION_PANEL;
        for (size_t i = 0; i < rows; i += ATTENTION_ROWS) {
            size_t count = rows - i < ATTENTION_ROWS ? rows - i : ATTENTION_ROWS;
            attention_sum_tile(count, spans + i, (int)(width / LANES), a + i * a_row, a_row, a_step, b + j, b_step,
                               beta ? beta + i : attention_ones, c + i * ldc + j, ldc);
        }
    }
}

// --- softmax --------------------------------------------------------------------------------------

/// Lane i: the largest lane of v[i].
RK_INLINE V v_maxima(V *v) {
    for (int count = LANES; count > 1; count /= 2)
        for (int i = 0; i < count / 2; i++)
            v[i] = v_max(v_evens(v[2 * i], v[2 * i + 1]), v_odds(v[2 * i], v[2 * i + 1]));
    return v[0];
}

/// The lanes j ... of a row that lie in its span.
RK_INLINE I in_span(int32_t j, span s) {
    return v_first((size_t)(s.to - j)) & ~v_first(s.from > j ? (size_t)(s.from - j) : 0);
}

RK_INLINE bool spans_all(span s) { return s.from == 0 && s.to == ATTENTION_KEYS; }

/// The largest scores of a row's span, lane by lane.
RK_INLINE V span_largest(const T *scores, span s) {
    const V lowest = v_set(-(T)INFINITY);
    V largest = lowest;
    if (spans_all(s))
        for (int32_t j = 0; j < ATTENTION_KEYS; j += LANES) largest = v_max(largest, v_load(scores + j));
    else
        for (int32_t j = s.from / LANES * LANES; j < s.to; j += LANES)
            largest = v_max(largest, in_span(j, s) ? v_load(scores + j) : lowest);
    return largest;
}

/// Turns the scores of a row's span into 2^(score - top); returns their sums, lane by lane.
RK_INLINE V span_weights(T *scores, span s, V top) {
    V sum = v_set(0);
    if (spans_all(s))
        for (int32_t j = 0; j < ATTENTION_KEYS; j += LANES) {
            V weight = v_exp2(v_load(scores + j) - top);
            v_store(scores + j, weight);
            sum += weight;
        }
    else
        for (int32_t j = s.from / LANES * LANES; j < s.to; j += LANES) {
            V weight = in_span(j, s) ? v_exp2(v_load(scores + j) - top) : v_set(0);
            v_store(scores + j, weight);
            sum += weight;
        }
    return sum;
}

/// Takes a block's scores into the rows' softmaxes: raises the maxima, turns the scores within the rows' spans into
/// weights 2^(score - maximum), adds these to the sums (LANES a row), and tells by which factor earlier ones shrink.
static void attention_weights(size_t rows, const span *spans, T *scores, T *maxima, T *sums, T *factors) {
    for (size_t i = 0; i < rows; i += LANES) {
        const size_t count = rows - i < LANES ? rows - i : LANES;
        V largest[LANES];
        for (size_t r = 0; r < LANES; r++)
            largest[r] = r < count ? span_largest(scores + (i + r) * ATTENTION_STRIDE, spans[i + r])
                                   : v_set(-(T)INFINITY);
        const V before = v_load_up_to(maxima + i, count), top = v_max(before, v_maxima(largest));
        v_store_up_to(maxima + i, top, count);
        v_store_up_to(factors + i, top == before ? v_set(1) : v_exp2(before - top), count);
        for (size_t r = i; r < i + count; r++) {
            V sum = span_weights(scores + r * ATTENTION_STRIDE, spans[r], v_set(maxima[r]));
            v_store(sums + r * LANES, v_fma(v_load(sums + r * LANES), v_set(factors[r]), sum));
        }
    }
}

/// log2 of a sum of weights relative to 2^maximum.
RK_INLINE T attention_logarithm(T maximum, T sum) { return maximum + v_log(v_set(sum))[0] * LOG2_E; }

// --- memory ---------------------------------------------------------------------------------------

/// Element (row, position, head) of an operand.
RK_INLINE const T *attention_at(const rk_attention_operand *x, int64_t row, int64_t position, int64_t head) {
    return (const T *)x->data + row * x->batch + position * x->position + head * x->head;
}

/// Asks for a row of `width` elements that will be read soon.
RK_INLINE void attention_prefetch(const T *row, size_t width) {
    for (size_t d = 0; d < width; d += 64 / sizeof(T)) prefetch_next(row, d);
}

/// `count` rows of `width` elements as dense rows of whole vectors, padded with zeros.
static void attention_copy_rows(const T *from, int64_t step, size_t count, size_t width, T *to) {
    enum { AHEAD = 8 };
    size_t padded = whole_vectors(width);
    for (size_t i = 0; i < count; i++, from += step, to += padded) {
        if (i + AHEAD < count) attention_prefetch(from + AHEAD * step, width);
        for (size_t d = 0; d < padded; d += LANES) v_store(to + d, v_load_up_to(from + d, width - d));
    }
}

/// Up to ATTENTION_KEYS rows, transposed and scaled, as panels [column][width][ATTENTION_PANEL], the rest zero.
static void attention_transpose(const T *from, int64_t step, size_t count, size_t width, T scale, T *to) {
    for (size_t j = 0; j < ATTENTION_KEYS; j += LANES) {
        T *panel = to + j / ATTENTION_PANEL * ATTENTION_PANEL * width + j % ATTENTION_PANEL;
        const size_t rows = count > j ? count - j : 0;
        size_t d = 0;
        for (size_t i = LANES; i < 2 * LANES && i < rows; i++)
            attention_prefetch(from + (int64_t)(j + i) * step, width);
        for (; d + LANES <= width; d += LANES) {
            V in[LANES], out[LANES];
            for (size_t i = 0; i < LANES; i++)
                in[i] = i < rows ? scale * v_load(from + (int64_t)(j + i) * step + d) : v_set(0);
            for (int half = LANES; half > 1; half /= 2) {
                for (int i = 0; i < LANES / 2; i++) {
                    out[2 * i] = v_interleave_low(in[i], in[i + LANES / 2]);
                    out[2 * i + 1] = v_interleave_high(in[i], in[i + LANES / 2]);
                }
                memcpy(in, out, sizeof in);
            }
            for (size_t i = 0; i < LANES; i++) v_store(panel + (d + i) * ATTENTION_PANEL, in[i]);
        }
        for (; d < width; d++)
            for (size_t i = 0; i < LANES; i++)
                panel[d * ATTENTION_PANEL + i] = i < rows ? scale * from[(int64_t)(j + i) * step + (int64_t)d] : 0;
    }
}
