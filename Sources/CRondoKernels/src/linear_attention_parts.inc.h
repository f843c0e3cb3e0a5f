// What the chunks of linear attention are computed with: products of small dense blocks, transposes, and sums along
// rows. All extents are padded to multiples of LA_PAD with zeros, so that nothing here has a remainder.

enum { LA_SEGMENT = RK_LINEAR_SEGMENT, LA_PAD = RK_LINEAR_PAD, LA_BLOCK = 16 };
#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { LA_ROWS = 8, LA_VECTORS = 2 };
#else
enum { LA_ROWS = 4, LA_VECTORS = 2 };
#endif

RK_INLINE size_t la_padded(size_t n) { return (n + LA_PAD - 1) / LA_PAD * LA_PAD; }

/// Weights below this are taken for zero: they change nothing, and products of them would be slow subnormal numbers.
#define LA_TINY ((T)(RK_FLOAT ? 0x1p-100 : 0x1p-900))
RK_INLINE V la_flushed(V x) { return x < LA_TINY ? v_set(0) : x; }

// --- products -------------------------------------------------------------------------------------

/// One term A B of a sum of products: A's strides and B's leading dimension. A value may be read in any order; the
/// rows of B are dense.
typedef struct {
    const T *a;
    size_t row, step;
    const T *b;
    size_t ld, depth;
} la_term;

/// Where the first term's A may be other than zero, or which part of C is wanted.
typedef enum { LA_FULL, LA_LOWER, LA_UPPER, LA_LOWER_RESULT } la_shape;

/// How a sum of products enters C: C = sum, or C = scale[row] before + sum, with `before` laid out as C.
typedef struct {
    const T *scale, *before;
} la_update;

/// Memory to bring near while products are computed: rows of tensors whose heads lie far apart, which the processor
/// does not foresee. Copying them in unprepared took about a third of the time.
typedef struct {
    struct {
        const T *data;
        ptrdiff_t step;
        size_t rows, width;
    } areas[10];
    size_t count, area, row;
} la_fetch;

RK_INLINE void la_fetch_add(la_fetch *fetch, const T *data, ptrdiff_t step, size_t rows, size_t width) {
    if (!data || rows == 0) return;
    fetch->areas[fetch->count].data = data;
    fetch->areas[fetch->count].step = step;
    fetch->areas[fetch->count].rows = rows;
    fetch->areas[fetch->count++].width = width;
}

/// Fetches a row. It goes to the second-level cache: the first is full of what is multiplied.
RK_INLINE void la_fetch_row(la_fetch *fetch) {
    enum { LINE = 64 / sizeof(T) };
    if (fetch->area == fetch->count) return;
    const T *row = fetch->areas[fetch->area].data + (ptrdiff_t)fetch->row * fetch->areas[fetch->area].step;
    for (size_t j = 0; j < fetch->areas[fetch->area].width; j += LINE) __builtin_prefetch(row + j, 0, 2);
    if (++fetch->row < fetch->areas[fetch->area].rows) return;
    fetch->area++;
    fetch->row = 0;
}

RK_INLINE void la_add_term(int vectors, const la_term *term, size_t i, size_t j, size_t from, size_t to,
                           V sum[LA_ROWS][LA_VECTORS], la_fetch *fetch) {
    enum { BETWEEN = 16 };  // steps: few enough fetches at once for the processor not to wait
    const size_t row = term->row, step = term->step, ld = term->ld;
    const T *a = term->a + i * row + from * step, *b = term->b + from * ld + j;
    while (from < to) {
        size_t end = from + BETWEEN < to ? from + BETWEEN : to;
        la_fetch_row(fetch);
        for (; from < end; from++, a += step, b += ld) {
            V right[LA_VECTORS];
            for (int v = 0; v < vectors; v++) right[v] = v_load(b + v * LANES);
            for (int r = 0; r < LA_ROWS; r++) {
                V left = v_set(a[(size_t)r * row]);
                for (int v = 0; v < vectors; v++) sum[r][v] = v_fma(left, right[v], sum[r][v]);
            }
        }
    }
}

RK_INLINE void la_tile(int vectors, const la_term *first, const la_term *second, size_t from, size_t to, size_t i,
                       size_t j, la_update update, T *c, size_t ldc, la_fetch *fetch) {
    V sum[LA_ROWS][LA_VECTORS];
    for (int r = 0; r < LA_ROWS; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = v_set(0);
    la_add_term(vectors, first, i, j, from, to, sum, fetch);
    if (second) la_add_term(vectors, second, i, j, 0, second->depth, sum, fetch);
    for (int r = 0; r < LA_ROWS; r++)
        for (int v = 0; v < vectors; v++) {
            size_t at = (i + (size_t)r) * ldc + j + (size_t)v * LANES;
            V x = sum[r][v];
            if (update.scale) x = v_fma(v_set(update.scale[i + (size_t)r]), v_load(update.before + at), x);
            v_store(c + at, x);
        }
}

/// C [m, n] = the update with first + second (which may be NULL).
static void la_multiply(size_t m, size_t n, const la_term *first, la_shape shape, const la_term *second,
                        la_update update, T *c, size_t ldc, la_fetch *fetch) {
    for (size_t i = 0; i < m; i += LA_ROWS) {
        size_t from = shape == LA_UPPER ? i : 0, to = shape == LA_LOWER ? i + LA_ROWS : first->depth, j = 0;
        size_t end = shape == LA_LOWER_RESULT ? (i + LA_ROWS + LANES - 1) / LANES * LANES : n;
        for (; j + LA_VECTORS * LANES <= end; j += LA_VECTORS * LANES)
            la_tile(LA_VECTORS, first, second, from, to, i, j, update, c, ldc, fetch);
        for (; j < end; j += LANES) la_tile(1, first, second, from, to, i, j, update, c, ldc, fetch);
    }
}

static const la_update la_replace = {NULL, NULL};

// --- layouts --------------------------------------------------------------------------------------

/// to[j][i] = from[i][j].
static void la_transpose(const T *from, size_t ld, size_t rows, size_t columns, T *to, size_t ldt) {
    for (size_t i = 0; i < rows; i += LANES)
        for (size_t j = 0; j < columns; j += LANES) {
            V x[LANES], y[LANES];
            for (int r = 0; r < LANES; r++) x[r] = v_load(from + (i + (size_t)r) * ld + j);
            for (int half = LANES; half > 1; half /= 2) {
                for (int r = 0; r < LANES / 2; r++) {
                    y[2 * r] = v_interleave_low(x[r], x[r + LANES / 2]);
                    y[2 * r + 1] = v_interleave_high(x[r], x[r + LANES / 2]);
                }
                memcpy(x, y, sizeof x);
            }
            for (int r = 0; r < LANES; r++) v_store(to + (j + (size_t)r) * ldt + i, x[r]);
        }
}

/// Rows of `width` elements to rows of `padded`; zeros around them. Without a source, all are zeros.
static void la_load(const T *from, ptrdiff_t step, size_t rows, size_t width, T *to, size_t padded_rows,
                    size_t padded) {
    if (!from) rows = 0;
    for (size_t i = 0; i < padded_rows; i++, to += padded) {
        size_t n = i < rows ? width : 0, j = 0;
        const T *row = n > 0 ? from + (ptrdiff_t)i * step : NULL;
        for (; j + LANES <= n; j += LANES) v_store(to + j, v_load(row + j));
        for (; j < padded; j += LANES) v_store(to + j, j < n ? v_load_part(row + j, n - j) : v_set(0));
    }
}

/// The first `width` elements of padded rows.
static void la_store(const T *from, size_t padded, size_t rows, size_t width, T *to, size_t step) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < width; j += LANES)
            v_store_up_to(to + i * step + j, v_load(from + i * padded + j), width - j);
}

/// y[i] = the sum of the lanes of x[i], for LA_BLOCK vectors.
RK_INLINE void la_sum_lanes(const V *x, T *y) {
    for (int start = 0; start < LA_BLOCK; start += LANES) {
        V part[LANES];
        for (int i = 0; i < LANES; i++) part[i] = x[start + i];
        for (int half = LANES / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++)
                part[i] = v_interleave_low(part[i], part[i + half]) + v_interleave_high(part[i], part[i + half]);
        v_store(y + start, part[0]);
    }
}

/// sums[i] += the inner product of the rows i of two matrices.
static void la_row_products(const T *a, const T *b, size_t rows, size_t columns, T *sums) {
    for (size_t i = 0; i < rows; i += LA_BLOCK) {
        V product[LA_BLOCK];
        T total[LA_BLOCK];
        for (size_t r = 0; r < LA_BLOCK; r++) {
            V sum = v_set(0);
            const T *x = a + (i + r) * columns, *y = b + (i + r) * columns;
            for (size_t j = 0; j < columns; j += LANES) sum = v_fma(v_load(x + j), v_load(y + j), sum);
            product[r] = sum;
        }
        la_sum_lanes(product, total);
        for (size_t r = 0; r < LA_BLOCK; r++) sums[i + r] += total[r];
    }
}

/// y = x with row i times scale[i].
static void la_scale_rows(const T *x, const T *scale, size_t rows, size_t columns, T *y) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j += LANES)
            v_store(y + i * columns + j, scale[i] * v_load(x + i * columns + j));
}
