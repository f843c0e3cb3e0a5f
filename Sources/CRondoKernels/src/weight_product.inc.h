// y = x W^T + b for few rows of x: W streams from memory once, in the type in which it is stored.
//
// A tile is a few rows of x by a few outputs. Every pair has one vector of sums; at the end its lanes are added. So the
// arithmetic of an element of y depends on its row of x and its row of W alone. The outputs of a tile lie far apart and
// those of the next tile follow them, so that each is one long stream of memory: the processor fetches such streams by
// itself, but not several that share a page.

#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { LINEAR_ROWS = 8, WIDE_ROWS = 4 };  // 16 sums of 32 registers
#else
enum { LINEAR_ROWS = 4, WIDE_ROWS = 2 };  // 8 sums of 16 registers
#endif
// OUTPUT_BLOCK outputs stay in the second-level cache while many rows pass.
enum { OUTPUT_BLOCK = 32 };
// How far ahead of its place in each row a tile asks for W.
enum { PREFETCH_BYTES = 768 };

/// How many outputs a tile of some rows of x takes. Codes of 4 bits need many registers where levels are looked up as
/// bytes.
RK_INLINE int tile_outputs(rk_storage type, size_t rows) {
    bool narrow = rows > WIDE_ROWS || (type == RK_S_QUANTIZED4 && RK_VECTOR_BYTES < 64);
    return narrow ? 2 : 4;
}

// Sums must not be addressed by variables, or they live in memory.
#define UNROLLED _Pragma("clang loop unroll(full)")

typedef struct {
    size_t inputs, x_row, y_row, stride;  // elements; stride: from one output of the tile to the next
    size_t w_bytes;                       // of a row of W
    const T *x, *bias;
    const char *w;
    T *y;
} linear_tile;

/// sums[r][o] += x[r] W[o] over the first `count` columns of a group.
RK_INLINE void add_group(int rows, int outputs, const T *x, size_t x_row, size_t count, V (*w)[GROUP_VECTORS],
                         V *sums) {
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
        for (size_t v = 0; v < GROUP_VECTORS; v++) {
            if (v * LANES >= count) break;
            V left = v_load_up_to(x + (size_t)r * x_row + v * LANES, count - v * LANES);
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

/// sums += x W over a group of the blocks.
RK_INLINE void multiply_group(rk_storage type, int rows, int outputs, const weight_block *blocks, int group, const T *x,
                              size_t x_row, V *sums) {
    V weights[4][GROUP_VECTORS];
    UNROLLED
    for (int o = 0; o < outputs; o++) take_group(type, &blocks[o], group, weights[o]);
    add_group(rows, outputs, x, x_row, RK_GROUP, weights, sums);
}

/// y = the lanes' sums + bias, for the first `valid` outputs of a tile.
RK_INLINE void store_tile(int rows, int outputs, const V *sums, const linear_tile *t, size_t valid) {
    T totals[LINEAR_ROWS * 2 + 2];
    UNROLLED
    for (int i = 0; i < rows * outputs; i += 4) {
        int pair = i + 2 < rows * outputs ? 2 : 0;  // an odd number of rows by 2 outputs: these twice
        sum_four(sums[i], sums[i + 1], sums[i + pair], sums[i + pair + 1], totals + i);
    }
    for (int r = 0; r < rows; r++)
        for (size_t o = 0; o < (size_t)outputs && o < valid; o++) {
            T total = totals[r * outputs + (int)o];
            t->y[(size_t)r * t->y_row + o * t->stride] = t->bias ? total + t->bias[o * t->stride] : total;
        }
}

/// A tile of `rows` x `outputs`, of which the first `valid` outputs exist.
RK_INLINE void multiply_weights(rk_storage type, int rows, int outputs, const linear_tile *t, size_t valid) {
    V sums[LINEAR_ROWS * 2];
    weight_block blocks[4];
    T scales[4][BLOCK_GROUPS];
    const char *w[4];
    const T *x = t->x;
    UNROLLED
    for (int i = 0; i < rows * outputs; i++) sums[i] = 0;
    for (int o = 0; o < outputs; o++) w[o] = t->w + ((size_t)o < valid ? (size_t)o : 0) * t->stride * t->w_bytes;
    size_t left = t->inputs;
    for (; left >= RK_BLOCK; left -= RK_BLOCK, x += RK_BLOCK) {
        UNROLLED
        for (int o = 0; o < outputs; o++) {
            for (size_t byte = 0; byte < block_bytes(type); byte += 64)
                __builtin_prefetch((const void *)((uintptr_t)w[o] + byte + PREFETCH_BYTES));
            blocks[o] = open_block(type, w[o], scales[o]);
            w[o] += block_bytes(type);
        }
        for (int g = 0; g < BLOCK_GROUPS; g++)
            multiply_group(type, rows, outputs, blocks, g, x + g * RK_GROUP, t->x_row, sums);
    }
    for (int o = 0; o < outputs && left > 0; o++) blocks[o] = open_block(type, w[o], scales[o]);
    int group = 0;
    for (; left >= RK_GROUP; left -= RK_GROUP, x += RK_GROUP, group++)
        multiply_group(type, rows, outputs, blocks, group, x, t->x_row, sums);
    if (left > 0) {
        V weights[4][GROUP_VECTORS];
        for (int o = 0; o < outputs; o++) take_last_group(type, &blocks[o], group, left, weights[o]);
        add_group(rows, outputs, x, t->x_row, left, weights, sums);
    }
    store_tile(rows, outputs, sums, t, valid);
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

/// Asks for the beginnings of the streams that the tiles of some outputs read.
RK_INLINE void begin_streams(const char *w, size_t count, size_t apart) {
    for (size_t stream = 0; stream < count; stream++)
        for (size_t byte = 0; byte < PREFETCH_BYTES; byte += 64)
            __builtin_prefetch((const void *)((uintptr_t)w + stream * apart + byte));
}

static void k_linear(rk_storage weights, size_t rows, size_t inputs, size_t outputs, const void *x, size_t x_row,
                     const void *w, const void *bias, void *y, size_t y_row) {
    const size_t bytes = rk_row_bytes(weights, inputs), most = rows > LINEAR_ROWS ? OUTPUT_BLOCK : outputs;
    for (size_t block = 0; block < outputs; block += most) {
        const size_t count = outputs - block < most ? outputs - block : most;
        for (size_t r = 0; r < rows; r += LINEAR_ROWS) {
            const size_t height = rows - r < LINEAR_ROWS ? rows - r : LINEAR_ROWS;
            const size_t width = (size_t)tile_outputs(weights, height), stride = (count + width - 1) / width;
            if (r == 0) begin_streams((const char *)w + block * bytes, width, stride * bytes);
            for (size_t o = block; o < block + stride; o++) {
                linear_tile tile = {
                    inputs, x_row, y_row, stride, bytes, (const T *)x + r * x_row, bias ? (const T *)bias + o : NULL,
                    (const char *)w + o * bytes, (T *)y + r * y_row + o};
                linear_tiles[weights][height - 1](&tile, (block + count - o + stride - 1) / stride);
            }
        }
    }
}

// --- expansion ------------------------------------------------------------------------------------

RK_INLINE void expand_row(rk_storage type, size_t columns, const char *row, T *out) {
    V part[GROUP_VECTORS];
    T scales[BLOCK_GROUPS];
    weight_block block = {0};
    for (size_t c = 0; c < columns; c += RK_GROUP) {
        size_t count = columns - c;
        int group = (int)(c % RK_BLOCK / RK_GROUP);
        if (group == 0) block = open_block(type, row + c / RK_BLOCK * block_bytes(type), scales);
        if (count < RK_GROUP)
            take_last_group(type, &block, group, count, part);
        else
            take_group(type, &block, group, part);
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
