// y = x W^T + b for few rows of x: W streams from memory once, in the type in which it is stored.
//
// A tile is a few rows of x by a few outputs. Every pair has one vector of sums; at the end its lanes are added. So the
// arithmetic of an element of y depends on its row of x and its row of W alone.

#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { LINEAR_ROWS = 8, WIDE_ROWS = 4 };  // 16 sums of 32 registers
#else
enum { LINEAR_ROWS = 4, WIDE_ROWS = 2 };  // 8 sums of 16 registers
#endif
// OUTPUT_BLOCK outputs stay in the second-level cache while many rows pass.
enum { OUTPUT_BLOCK = 32 };

/// How many outputs a tile of some rows of x takes. Codes of 4 bits need many registers where levels are looked up as
/// bytes.
RK_INLINE int tile_outputs(rk_storage type, size_t rows) {
    bool narrow = rows > WIDE_ROWS || (type == RK_S_QUANTIZED4 && RK_VECTOR_BYTES < 64);
    return narrow ? 2 : 4;
}

// Sums must not be addressed by variables, or they live in memory.
#define UNROLLED _Pragma("clang loop unroll(full)")

typedef struct {
    size_t inputs, x_row, w_bytes, y_row;  // elements; w_bytes: from one row of W to the next
    const T *x, *bias;
    const char *w;
    T *y;
} linear_tile;

/// sums[r][o] += x[r] W[o] over one group.
RK_INLINE void add_group(int rows, int outputs, const T *x, size_t x_row, V (*w)[GROUP_VECTORS], V *sums) {
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
        for (int v = 0; v < GROUP_VECTORS; v++) {
            V left = v_load(x + (size_t)r * x_row + v * LANES);
            UNROLLED
            for (int o = 0; o < outputs; o++) sums[r * outputs + o] = v_fma(left, w[o][v], sums[r * outputs + o]);
        }
}

/// The lanes' sums of four vectors, each as v_sum adds them.
RK_INLINE void sum_four(V a, V b, V c, V d, T *out) {
#if LANES == 2
    out[0] = v_sum(a), out[1] = v_sum(b), out[2] = v_sum(c), out[3] = v_sum(d);
#else
    V first = v_interleave_low(a, b) + v_interleave_high(a, b);
    V second = v_interleave_low(c, d) + v_interleave_high(c, d);
    V all = v_interleave_low(first, second) + v_interleave_high(first, second);
    for (int width = LANES / 2; width >= 4; width /= 2)
        for (int i = 0; i < width; i++) all[i] += all[i + width];
    out[0] = all[0], out[2] = all[1], out[1] = all[2], out[3] = all[3];
#endif
}

/// A tile of `rows` x `outputs`, of which the first `valid` outputs exist.
RK_INLINE void multiply_weights(rk_storage type, int rows, int outputs, const linear_tile *t, size_t valid) {
    V sums[LINEAR_ROWS * 2], weights[4][GROUP_VECTORS];
    weight_place w[4];
    const T *x = t->x;
    UNROLLED
    for (int i = 0; i < rows * outputs; i++) sums[i] = 0;
    for (int o = 0; o < outputs; o++) w[o].at = t->w + ((size_t)o < valid ? (size_t)o : 0) * t->w_bytes;
    size_t left = t->inputs, ahead = (size_t)outputs * t->w_bytes;
    for (; left >= RK_BLOCK; left -= RK_BLOCK) {
        for (int o = 0; o < outputs; o++) {
            for (size_t byte = 0; byte < block_bytes(type); byte += 64)
                __builtin_prefetch((const void *)((uintptr_t)w[o].at + byte + ahead));
            begin_block(type, &w[o]);
        }
        for (int g = 0; g < BLOCK_GROUPS; g++, x += RK_GROUP) {
            for (int o = 0; o < outputs; o++) next_group(type, &w[o], weights[o]);
            add_group(rows, outputs, x, t->x_row, weights, sums);
        }
        for (int o = 0; o < outputs; o++) end_block(type, &w[o]);
    }
    for (int o = 0; o < outputs && left > 0; o++) begin_block(type, &w[o]);
    for (; left >= RK_GROUP; left -= RK_GROUP, x += RK_GROUP) {
        for (int o = 0; o < outputs; o++) next_group(type, &w[o], weights[o]);
        add_group(rows, outputs, x, t->x_row, weights, sums);
    }
    if (left > 0) {
        T padded[LINEAR_ROWS * RK_GROUP] = {0};
        for (int r = 0; r < rows; r++) memcpy(padded + r * RK_GROUP, x + (size_t)r * t->x_row, left * sizeof(T));
        for (int o = 0; o < outputs; o++) last_group(type, &w[o], left, weights[o]);
        add_group(rows, outputs, padded, RK_GROUP, weights, sums);
    }
    T totals[LINEAR_ROWS * 2 + 2];
    UNROLLED
    for (int i = 0; i < rows * outputs; i += 4) {
        int pair = i + 2 < rows * outputs ? 2 : 0;  // an odd number of rows by 2 outputs: these twice
        sum_four(sums[i], sums[i + 1], sums[i + pair], sums[i + pair + 1], totals + i);
    }
    for (int r = 0; r < rows; r++)
        for (size_t o = 0; o < (size_t)outputs && o < valid; o++) {
            T total = totals[r * outputs + (int)o];
            t->y[(size_t)r * t->y_row + o] = t->bias ? total + t->bias[o] : total;
        }
}

typedef void linear_function(const linear_tile *t, size_t valid);

#define LINEAR_TILE(type, rows) \
    static void linear_##type##_##rows(const linear_tile *t, size_t valid) { \
        multiply_weights(type, rows, tile_outputs(type, rows), t, valid); \
    }
#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
#define LINEAR_TILES(type) \
    LINEAR_TILE(type, 1) LINEAR_TILE(type, 2) LINEAR_TILE(type, 3) LINEAR_TILE(type, 4) \
    LINEAR_TILE(type, 5) LINEAR_TILE(type, 6) LINEAR_TILE(type, 7) LINEAR_TILE(type, 8)
#define LINEAR_NAMES(type) \
    {linear_##type##_1, linear_##type##_2, linear_##type##_3, linear_##type##_4, \
     linear_##type##_5, linear_##type##_6, linear_##type##_7, linear_##type##_8}
#else
#define LINEAR_TILES(type) \
    LINEAR_TILE(type, 1) LINEAR_TILE(type, 2) LINEAR_TILE(type, 3) LINEAR_TILE(type, 4)
#define LINEAR_NAMES(type) {linear_##type##_1, linear_##type##_2, linear_##type##_3, linear_##type##_4}
#endif

#if RK_FLOAT
LINEAR_TILES(RK_S_FLOAT32)
LINEAR_TILES(RK_S_BFLOAT16)
LINEAR_TILES(RK_S_FLOAT16)
LINEAR_TILES(RK_S_QUANTIZED8)
LINEAR_TILES(RK_S_QUANTIZED4)
static linear_function *const linear_tiles[][LINEAR_ROWS] = {
    [RK_S_FLOAT32] = LINEAR_NAMES(RK_S_FLOAT32),       [RK_S_BFLOAT16] = LINEAR_NAMES(RK_S_BFLOAT16),
    [RK_S_FLOAT16] = LINEAR_NAMES(RK_S_FLOAT16),       [RK_S_QUANTIZED8] = LINEAR_NAMES(RK_S_QUANTIZED8),
    [RK_S_QUANTIZED4] = LINEAR_NAMES(RK_S_QUANTIZED4),
};
#else
LINEAR_TILES(RK_S_FLOAT64)
static linear_function *const linear_tiles[][LINEAR_ROWS] = {[RK_S_FLOAT64] = LINEAR_NAMES(RK_S_FLOAT64)};
#endif

static void k_linear(rk_storage weights, size_t rows, size_t inputs, size_t outputs, const void *x, size_t x_row,
                     const void *w, const void *bias, void *y, size_t y_row) {
    size_t bytes = rk_row_bytes(weights, inputs);
    for (size_t block = 0; block < outputs; block += OUTPUT_BLOCK) {
        size_t end = outputs - block < OUTPUT_BLOCK ? outputs : block + OUTPUT_BLOCK;
        for (size_t r = 0; r < rows; r += LINEAR_ROWS) {
            size_t height = rows - r < LINEAR_ROWS ? rows - r : LINEAR_ROWS;
            size_t width = (size_t)tile_outputs(weights, height);
            for (size_t o = block; o < end; o += width) {
                linear_tile tile = {
                    inputs, x_row, bytes, y_row, (const T *)x + r * x_row, bias ? (const T *)bias + o : NULL,
                    (const char *)w + o * bytes, (T *)y + r * y_row + o};
                linear_tiles[weights][height - 1](&tile, end - o < width ? end - o : width);
            }
        }
    }
}

// --- expansion ------------------------------------------------------------------------------------

RK_INLINE void expand_row(rk_storage type, size_t columns, const char *row, T *out) {
    weight_place w = {.at = row};
    V part[GROUP_VECTORS];
    for (size_t c = 0; c < columns; c += RK_GROUP) {
        size_t count = columns - c;
        if (c % RK_BLOCK == 0) {
            if (c > 0) end_block(type, &w);
            begin_block(type, &w);
        }
        if (count < RK_GROUP)
            last_group(type, &w, count, part);
        else
            next_group(type, &w, part);
        memcpy(out + c, part, (count < RK_GROUP ? count : RK_GROUP) * sizeof(T));
    }
}

static void k_expand_rows(rk_storage weights, size_t rows, size_t columns, const void *w, void *out) {
    size_t bytes = rk_row_bytes(weights, columns);
    for (size_t r = 0; r < rows; r++) {
        const char *row = (const char *)w + r * bytes;
        T *to = (T *)out + r * columns;
        switch (weights) {
#if RK_FLOAT
        case RK_S_BFLOAT16: expand_row(RK_S_BFLOAT16, columns, row, to); break;
        case RK_S_FLOAT16: expand_row(RK_S_FLOAT16, columns, row, to); break;
        case RK_S_QUANTIZED8: expand_row(RK_S_QUANTIZED8, columns, row, to); break;
        case RK_S_QUANTIZED4: expand_row(RK_S_QUANTIZED4, columns, row, to); break;
#endif
        default: memcpy(to, row, columns * sizeof(T)); break;
        }
    }
}
