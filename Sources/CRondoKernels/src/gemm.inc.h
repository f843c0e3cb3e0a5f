// Matrix products: C = alpha op(A) op(B) + beta C, row-major.
//
// The columns of B are cut into panels of PANEL columns; k is cut into blocks of K_BLOCK. A block of B is packed,
// panel by panel, into memory that stays in the second-level cache, and every tile of ROWS rows of A is multiplied
// with every panel by the micro-kernel, which keeps ROWS x PANEL sums in registers. A is read in place by broadcasts
// unless its rows are strided (transposed), when a tile is packed. Few rows would not repay packing: they read B in
// place if its rows are contiguous.
//
// One element's arithmetic is always the same: within a block of k a chain of fused multiply-adds in order of k that
// starts at zero; then C = beta C + alpha sum for the first block and C += alpha sum for each further one. Neither m,
// n, the position in a tile nor packing enters, so a row has the same bits whatever rows stand around it.

#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { ROWS = 8, PANEL_VECTORS = 3 };  // 24 sums of 32 registers
#else
enum { ROWS = 6, PANEL_VECTORS = 2 };  // 12 sums of 16 registers
#endif
enum { PANEL = PANEL_VECTORS * LANES, K_BLOCK = 256, N_BLOCK = 8 * PANEL, VECTOR_ROW = 1024, DIRECT_ROWS = 2 * ROWS };

typedef struct {
    const T *data;
    size_t row, column;  // strides of op(matrix)
} operand;

// How the sums of one block of k enter C.
typedef struct {
    T alpha, beta;
    bool first;
} update;

RK_INLINE V updated(update u, V sum, V (*load)(const T *, size_t), const T *c, size_t n) {
    V product = u.alpha * sum;
    if (!u.first) return load(c, n) + product;
    return u.beta == 0 ? product : v_fma(v_set(u.beta), load(c, n), product);
}

/// `rows` x `vectors` sums over `depth` steps of k; the columns of C end after `columns`. `next` elements on begins
/// what will be read of B after this: it is fetched meanwhile.
RK_INLINE void micro_kernel(int rows, int vectors, size_t depth, const T *a, size_t a_row, size_t a_step, const T *b,
                            size_t b_step, size_t next, update u, T *c, size_t ldc, size_t columns) {
    V sum[ROWS][PANEL_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = 0;
    for (size_t p = 0; p < depth; p++, a += a_step, b += b_step) {
        V right[PANEL_VECTORS];
        for (int v = 0; v < vectors; v++) {
            right[v] = v_load(b + v * LANES);
            prefetch_next(b + v * LANES, next);
        }
        for (int r = 0; r < rows; r++) {
            V left = v_set(a[(size_t)r * a_row]);
            for (int v = 0; v < vectors; v++) sum[r][v] = v_fma(left, right[v], sum[r][v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            T *to = c + (size_t)r * ldc + v * LANES;
            if ((size_t)v * LANES >= columns) continue;
            size_t n = columns - (size_t)v * LANES;
            v_store_up_to(to, updated(u, sum[r][v], v_load_up_to, to, n), n);
        }
}

typedef void tile_function(size_t depth, const T *a, size_t a_row, size_t a_step, const T *b, size_t b_step,
                           size_t next, update u, T *c, size_t ldc, size_t columns);

#define TILE_OF(rows, vectors) \
    static void tile_##rows##_##vectors(size_t depth, const T *a, size_t a_row, size_t a_step, const T *b, \
                                        size_t b_step, size_t next, update u, T *c, size_t ldc, size_t columns) { \
        micro_kernel(rows, vectors, depth, a, a_row, a_step, b, b_step, next, u, c, ldc, columns); \
    }
#define TILES_OF(rows) TILE_OF(rows, 1) TILE_OF(rows, 2) TILE_OF(rows, 3)
#define TILE_NAMES(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3}
#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
TILES_OF(1) TILES_OF(2) TILES_OF(3) TILES_OF(4) TILES_OF(5) TILES_OF(6) TILES_OF(7) TILES_OF(8)
static tile_function *const tiles[ROWS][3] = {TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4),
                                              TILE_NAMES(5), TILE_NAMES(6), TILE_NAMES(7), TILE_NAMES(8)};
#else
#undef TILES_OF
#undef TILE_NAMES
#define TILES_OF(rows) TILE_OF(rows, 1) TILE_OF(rows, 2)
#define TILE_NAMES(rows) {tile_##rows##_1, tile_##rows##_2}
TILES_OF(1) TILES_OF(2) TILES_OF(3) TILES_OF(4) TILES_OF(5) TILES_OF(6)
static tile_function *const tiles[ROWS][2] = {TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3),
                                              TILE_NAMES(4), TILE_NAMES(5), TILE_NAMES(6)};
#endif

// --- packing --------------------------------------------------------------------------------------

/// out[p][j] = source[j][p] for LANES contiguous sources of `depth` elements, `n` of them real, rows `step` apart.
/// Registers are transposed by log2(LANES) rounds of interleaving.
RK_INLINE void pack_transposed(const T *source, size_t ld, size_t n, size_t depth, T *out, size_t step) {
    size_t p = 0;
    for (; p + LANES <= depth; p += LANES) {
        V from[LANES], to[LANES];
        for (int j = 0; j < LANES; j++) from[j] = (size_t)j < n ? v_load(source + (size_t)j * ld + p) : v_set(0);
        for (int half = LANES; half > 1; half /= 2) {
            for (int i = 0; i < LANES / 2; i++) {
                to[2 * i] = v_interleave_low(from[i], from[i + LANES / 2]);
                to[2 * i + 1] = v_interleave_high(from[i], from[i + LANES / 2]);
            }
            memcpy(from, to, sizeof from);
        }
        for (int i = 0; i < LANES; i++) v_store(out + (p + (size_t)i) * step, from[i]);
    }
    for (; p < depth; p++)
        for (size_t j = 0; j < LANES; j++) out[p * step + j] = j < n ? source[j * ld + p] : 0;
}

/// A block of op(B) as panels out[q / PANEL][p][q % PANEL], padded with zeros to whole vectors.
static void pack_block(operand b, size_t depth, size_t columns, T *out) {
    if (b.column != 1) {
        for (size_t j = 0; j < columns; j += LANES) {
            T *panel = out + j / PANEL * PANEL * depth + j % PANEL;
            pack_transposed(b.data + j * b.column, b.column, columns - j, depth, panel, PANEL);
        }
        return;
    }
    for (size_t p = 0; p < depth; p++)  // row by row: memory is read in long runs
        for (size_t j = 0; j < columns; j += LANES) {
            T *panel = out + j / PANEL * PANEL * depth + j % PANEL;
            v_store(panel + p * PANEL, v_load_up_to(b.data + p * b.row + j, columns - j));
        }
}

// --- one row --------------------------------------------------------------------------------------

/// A row times op(B) whose rows are contiguous: streams whole rows of B, several at a time, and keeps the sums of up
/// to VECTOR_ROW columns in the first-level cache.
static void row_product(const T *a, size_t a_step, operand b, size_t depth, size_t columns, update u, T *c) {
    enum { STREAMS = 8 };
    T sum[VECTOR_ROW];
    for (size_t p = 0; p < depth; p += STREAMS) {
        size_t streams = depth - p < STREAMS ? depth - p : STREAMS;
        const T *rows = b.data + p * b.row;
        for (size_t j = 0; j < columns; j += LANES) {
            size_t n = columns - j;
            V total = p > 0 ? v_load(sum + j) : v_set(0);
            if (streams == STREAMS && n >= LANES)
                for (size_t s = 0; s < STREAMS; s++)
                    total = v_fma(v_set(a[(p + s) * a_step]), v_load(rows + s * b.row + j), total);
            else
                for (size_t s = 0; s < streams; s++)
                    total = v_fma(v_set(a[(p + s) * a_step]), v_load_up_to(rows + s * b.row + j, n), total);
            v_store(sum + j, total);
        }
    }
    for (size_t j = 0; j < columns; j += LANES)
        v_store_up_to(c + j, updated(u, v_load(sum + j), v_load_up_to, c + j, columns - j), columns - j);
}

static void gemm_one_row(size_t n, size_t k, T alpha, operand a, operand b, T beta, T *c) {
    for (size_t p = 0; p < k; p += K_BLOCK) {
        size_t depth = k - p < K_BLOCK ? k - p : K_BLOCK;
        for (size_t j = 0; j < n; j += VECTOR_ROW) {
            operand block = {b.data + p * b.row + j, b.row, 1};
            row_product(a.data + p * a.column, a.column, block, depth, n - j < VECTOR_ROW ? n - j : VECTOR_ROW,
                        (update){alpha, beta, p == 0}, c + j);
        }
    }
}

// --- the general case -----------------------------------------------------------------------------

/// A block of op(B): the panel that begins with column j stands at data + j * spread, its rows `step` apart.
typedef struct {
    const T *data;
    size_t spread, step;
} panels;

/// A tile of op(A)^T, strided by 1 along its rows, as out[p][ROWS].
RK_INLINE void pack_tile(const T *source, size_t step, size_t rows, size_t depth, T *out) {
    if (rows == ROWS)
        for (size_t p = 0; p < depth; p++) memcpy(out + p * ROWS, source + p * step, ROWS * sizeof(T));
    else
        for (size_t p = 0; p < depth; p++)
            for (size_t r = 0; r < rows; r++) out[p * ROWS + r] = source[p * step + r];
}

/// All tiles of rows against all panels of one block of B.
static void multiply_block(size_t m, size_t columns, size_t depth, operand a, panels b, update u, T *c, size_t ldc) {
    T *packed = a.column == 1 ? NULL : rk_scratch(RK_SCRATCH_PACKED_A, ROWS * K_BLOCK * sizeof(T));
    for (size_t i = 0; i < m; i += ROWS) {
        size_t rows = m - i < ROWS ? m - i : ROWS, row = packed ? 1 : a.row, step = packed ? ROWS : 1;
        const T *left = packed ? packed : a.data + i * a.row;
        if (packed) pack_tile(a.data + i, a.column, rows, depth, packed);
        for (size_t j = 0; j < columns; j += PANEL) {
            size_t width = columns - j < PANEL ? columns - j : PANEL, vectors = (width + LANES - 1) / LANES;
            tiles[rows - 1][vectors - 1](depth, left, row, step, b.data + j * b.spread, b.step, PANEL * b.spread, u,
                                         c + i * ldc + j, ldc, width);
        }
    }
}

static void k_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, double alpha, const void *a_data,
                   size_t lda, const void *b_data, size_t ldb, double beta, void *c_data, size_t ldc) {
    operand a = {a_data, transpose_a ? 1 : lda, transpose_a ? lda : 1};
    operand b = {b_data, transpose_b ? 1 : ldb, transpose_b ? ldb : 1};
    T *c = c_data;
    if (k == 0) {
        for (size_t i = 0; i < m; i++, c += ldc)
            if (beta == 0) {
                k_fill(0, c, n);
            } else {
                k_affine(c, beta, 0, c, n);
            }
        return;
    }
    if (m == 1 && b.column == 1) return gemm_one_row(n, k, (T)alpha, a, b, (T)beta, c);
    size_t direct = b.column == 1 && m <= DIRECT_ROWS ? n / LANES * LANES : 0;  // columns that need no packing
    T *packed = rk_scratch(RK_SCRATCH_PACKED_B, N_BLOCK * K_BLOCK * sizeof(T));
    for (size_t p = 0; p < k; p += K_BLOCK) {
        size_t depth = k - p < K_BLOCK ? k - p : K_BLOCK;
        operand left = {a.data + p * a.column, a.row, a.column};
        update u = {(T)alpha, (T)beta, p == 0};
        multiply_block(m, direct, depth, left, (panels){b.data + p * b.row, 1, b.row}, u, c, ldc);
        for (size_t j = direct; j < n; j += N_BLOCK) {
            size_t columns = n - j < N_BLOCK ? n - j : N_BLOCK;
            pack_block((operand){b.data + p * b.row + j * b.column, b.row, b.column}, depth, columns, packed);
            multiply_block(m, columns, depth, left, (panels){packed, depth, PANEL}, u, c + j, ldc);
        }
    }
}
