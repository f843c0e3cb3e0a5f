// Copies that only move bytes: strided copies (transpositions in tiles) and rows of a table.
#include "walk.h"
#include <string.h>

// Interleaving the lower or the upper halves of two vectors of 16, 8, 4 or 2 elements.
#define LOWER_8 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER_8 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define LOWER_16 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER_16 4, 12, 5, 13, 6, 14, 7, 15
#define LOWER_32 0, 4, 1, 5
#define UPPER_32 2, 6, 3, 7
#define LOWER_64 0, 2
#define UPPER_64 1, 3

// For elements of one size: a strided row; a square of N x N elements, N to a vector of 16 bytes, transposed by log2(N)
// rounds of interleaving; and a plane dst[i * di + j * dj] = src[i + j * ss], in tiles that fit the first-level cache
// even where strides are powers of two.
#define RK_COPY_OF(TYPE, BITS, N, TILE) \
    static void copy_row_##BITS(const void *source, int64_t ss, void *destination, int64_t ds, size_t count) { \
        const TYPE *src = source; \
        TYPE *dst = destination; \
        for (size_t i = 0; i < count; i++, src += ss, dst += ds) *dst = *src; \
    } \
    static inline void transpose_square_##BITS(const TYPE *src, int64_t ss, TYPE *dst, int64_t di) { \
        typedef TYPE vector __attribute__((ext_vector_type(N))); \
        vector from[N], to[N]; \
        for (int j = 0; j < N; j++) memcpy(&from[j], src + j * ss, sizeof(vector)); \
        for (int half = N; half > 1; half /= 2) { \
            for (int i = 0; i < N / 2; i++) { \
                to[2 * i] = __builtin_shufflevector(from[i], from[i + N / 2], LOWER_##BITS); \
                to[2 * i + 1] = __builtin_shufflevector(from[i], from[i + N / 2], UPPER_##BITS); \
            } \
            memcpy(from, to, sizeof from); \
        } \
        for (int i = 0; i < N; i++) memcpy(dst + i * di, &from[i], sizeof(vector)); \
    } \
    static void transpose_##BITS(const void *source, int64_t ss, void *destination, int64_t di, int64_t dj, \
                                 size_t rows, size_t columns) { \
        for (size_t i0 = 0; i0 < rows; i0 += TILE) \
            for (size_t j0 = 0; j0 < columns; j0 += TILE) { \
                const TYPE *src = (const TYPE *)source + (int64_t)i0 + (int64_t)j0 * ss; \
                TYPE *dst = (TYPE *)destination + (int64_t)i0 * di + (int64_t)j0 * dj; \
                int64_t height = (int64_t)(rows - i0), width = (int64_t)(columns - j0); \
                if (height >= TILE && width >= TILE && dj == 1) { \
                    for (int64_t i = 0; i < TILE; i += N) \
                        for (int64_t j = 0; j < TILE; j += N) \
                            transpose_square_##BITS(src + i + j * ss, ss, dst + i * di + j, di); \
                } else { \
                    for (int64_t i = 0; i < TILE && i < height; i++) \
                        for (int64_t j = 0; j < TILE && j < width; j++) dst[i * di + j * dj] = src[i + j * ss]; \
                } \
            } \
    }

RK_COPY_OF(uint8_t, 8, 16, 16)
RK_COPY_OF(uint16_t, 16, 8, 8)
RK_COPY_OF(uint32_t, 32, 4, 8)
RK_COPY_OF(uint64_t, 64, 2, 8)

static void copy_row(size_t bytes, const char *src, int64_t ss, char *dst, int64_t ds, size_t count) {
    if (ss == 1 && ds == 1) {
        memcpy(dst, src, count * bytes);
        return;
    }
    switch (bytes) {
    case 1: copy_row_8(src, ss, dst, ds, count); return;
    case 2: copy_row_16(src, ss, dst, ds, count); return;
    case 4: copy_row_32(src, ss, dst, ds, count); return;
    default: copy_row_64(src, ss, dst, ds, count); return;
    }
}

static void transpose(size_t bytes, const char *src, int64_t ss, char *dst, int64_t di, int64_t dj, size_t rows,
                      size_t columns) {
    switch (bytes) {
    case 1: transpose_8(src, ss, dst, di, dj, rows, columns); return;
    case 2: transpose_16(src, ss, dst, di, dj, rows, columns); return;
    case 4: transpose_32(src, ss, dst, di, dj, rows, columns); return;
    default: transpose_64(src, ss, dst, di, dj, rows, columns); return;
    }
}

static void copy_rows(rk_walk *walk, size_t bytes, const char *src, char *dst, size_t begin, size_t end) {
    int last = walk->rank - 1;
    rk_walk_seek(walk, begin);
    while (begin < end) {
        size_t count = rk_walk_row(walk, end - begin);
        copy_row(bytes, src + walk->offset[0] * (int64_t)bytes, walk->stride[0][last],
                 dst + walk->offset[1] * (int64_t)bytes, walk->stride[1][last], count);
        begin += count;
        rk_walk_next(walk);
    }
}

/// Copies `rows` whole indices of `axis`, along which the source is contiguous, from the position `begin` on.
static void copy_planes(rk_walk *walk, int axis, size_t bytes, const char *src, char *dst, size_t begin, size_t rows) {
    int last = walk->rank - 1;
    size_t columns = (size_t)walk->shape[last], between = 1;
    for (int a = axis + 1; a < last; a++) between *= (size_t)walk->shape[a];
    for (size_t plane = 0; plane < between; plane++) {
        rk_walk_seek(walk, begin + plane * columns);
        transpose(bytes, src + walk->offset[0] * (int64_t)bytes, walk->stride[0][last],
                  dst + walk->offset[1] * (int64_t)bytes, walk->stride[1][axis], walk->stride[1][last], rows, columns);
    }
}

/// The axis along which the source is contiguous, if that is not the last one; otherwise -1.
static int transposed_axis(const rk_walk *walk) {
    int last = walk->rank - 1;
    if (walk->stride[0][last] == 1 || walk->stride[0][last] == 0) return -1;
    for (int axis = last - 1; axis >= 0; axis--)
        if (walk->stride[0][axis] == 1 && walk->shape[axis] > 3) return axis;
    return -1;
}

void rk_copy(size_t element_bytes, int rank, const int64_t *shape, const void *src, const int64_t *src_strides,
             void *dst, const int64_t *dst_strides, size_t begin, size_t end) {
    rk_walk walk = rk_walk_make(rank, shape, 2, (const int64_t *[]){src_strides, dst_strides});
    int axis = transposed_axis(&walk);
    if (axis < 0) {
        copy_rows(&walk, element_bytes, src, dst, begin, end);
        return;
    }
    size_t unit = 1;  // elements per index of the axis
    for (int a = axis + 1; a < walk.rank; a++) unit *= (size_t)walk.shape[a];
    while (begin < end) {
        size_t into = begin % unit, left = (size_t)walk.shape[axis] - begin / unit % (size_t)walk.shape[axis];
        size_t whole = into == 0 ? (end - begin) / unit : 0, rows = whole < left ? whole : left;
        size_t count = rows > 0 ? rows * unit : unit - into < end - begin ? unit - into : end - begin;
        if (rows > 0)
            copy_planes(&walk, axis, element_bytes, src, dst, begin, rows);
        else
            copy_rows(&walk, element_bytes, src, dst, begin, begin + count);
        begin += count;
    }
}

void rk_gather_rows(size_t count, size_t row_bytes, const void *table, const int32_t *indices, void *out) {
    for (size_t i = 0; i < count; i++)
        memcpy((char *)out + i * row_bytes, (const char *)table + (size_t)indices[i] * row_bytes, row_bytes);
}
