// Elementwise operations of several broadcast operands: rows along the last (merged) axis, in row-major order.
#include "walk.h"

typedef V binary_function(V a, V b);

RK_INLINE V as_number(I mask) { return (V)(mask & (I)v_set(1)); }

RK_INLINE V op_add(V a, V b) { return a + b; }
RK_INLINE V op_subtract(V a, V b) { return a - b; }
RK_INLINE V op_multiply(V a, V b) { return a * b; }
RK_INLINE V op_divide(V a, V b) { return a / b; }
RK_INLINE V op_equal(V a, V b) { return as_number(a == b); }
RK_INLINE V op_not_equal(V a, V b) { return as_number(a != b); }
RK_INLINE V op_less(V a, V b) { return as_number(a < b); }
RK_INLINE V op_less_equal(V a, V b) { return as_number(a <= b); }
RK_INLINE V op_greater(V a, V b) { return as_number(a > b); }
RK_INLINE V op_greater_equal(V a, V b) { return as_number(a >= b); }

RK_INLINE V op_power(V a, V b) {
    for (int i = 0; i < LANES; i++) a[i] = power(a[i], b[i]);
    return a;
}

RK_INLINE void binary_row(binary_function f, const T *a, int64_t sa, const T *b, int64_t sb, T *y, size_t count) {
    size_t i = 0;
    if (sa == 1 && sb == 1)
        for (; i + LANES <= count; i += LANES) v_store(y + i, f(v_load(a + i), v_load(b + i)));
    else if (sa == 1 && sb == 0)
        for (V right = v_set(*b); i + LANES <= count; i += LANES) v_store(y + i, f(v_load(a + i), right));
    for (; i < count; i += LANES) {
        size_t n = count - i;
        V left = v_load_strided(a + (int64_t)i * sa, sa, n), right = v_load_strided(b + (int64_t)i * sb, sb, n);
        v_store_up_to(y + i, f(left, right), n);
    }
}

RK_INLINE void broadcast(binary_function f, rk_walk *walk, const T *a, const T *b, T *y, size_t begin, size_t end) {
    int last = walk->rank - 1;
    rk_walk_seek(walk, begin);
    while (begin < end) {
        size_t count = rk_walk_row(walk, end - begin);
        binary_row(f, a + walk->offset[0], walk->stride[0][last], b + walk->offset[1], walk->stride[1][last], y + begin,
                   count);
        begin += count;
        rk_walk_next(walk);
    }
}

static void k_binary(rk_binary_op op, int rank, const int64_t *shape, const void *a, const int64_t *a_strides,
                     const void *b, const int64_t *b_strides, void *y, size_t begin, size_t end) {
    rk_walk walk = rk_walk_make(rank, shape, 2, (const int64_t *[]){a_strides, b_strides});
    switch (op) {
    case RK_ADD: broadcast(op_add, &walk, a, b, y, begin, end); return;
    case RK_SUBTRACT: broadcast(op_subtract, &walk, a, b, y, begin, end); return;
    case RK_MULTIPLY: broadcast(op_multiply, &walk, a, b, y, begin, end); return;
    case RK_DIVIDE: broadcast(op_divide, &walk, a, b, y, begin, end); return;
    case RK_POWER: broadcast(op_power, &walk, a, b, y, begin, end); return;
    case RK_MAXIMUM: broadcast(v_max_nan, &walk, a, b, y, begin, end); return;
    case RK_MINIMUM: broadcast(v_min_nan, &walk, a, b, y, begin, end); return;
    case RK_EQUAL: broadcast(op_equal, &walk, a, b, y, begin, end); return;
    case RK_NOT_EQUAL: broadcast(op_not_equal, &walk, a, b, y, begin, end); return;
    case RK_LESS: broadcast(op_less, &walk, a, b, y, begin, end); return;
    case RK_LESS_EQUAL: broadcast(op_less_equal, &walk, a, b, y, begin, end); return;
    case RK_GREATER: broadcast(op_greater, &walk, a, b, y, begin, end); return;
    case RK_GREATER_EQUAL: broadcast(op_greater_equal, &walk, a, b, y, begin, end); return;
    case RK_BINARY_COUNT: return;
    }
}

static void k_select(int rank, const int64_t *shape, const void *mask, const int64_t *mask_strides, const void *a,
                     const int64_t *a_strides, const void *b, const int64_t *b_strides, void *y, size_t begin,
                     size_t end) {
    rk_walk walk = rk_walk_make(rank, shape, 3, (const int64_t *[]){mask_strides, a_strides, b_strides});
    int last = walk.rank - 1;
    int64_t sm = walk.stride[0][last], sa = walk.stride[1][last], sb = walk.stride[2][last];
    rk_walk_seek(&walk, begin);
    while (begin < end) {
        size_t count = rk_walk_row(&walk, end - begin);
        const T *pm = (const T *)mask + walk.offset[0], *pa = (const T *)a + walk.offset[1],
                *pb = (const T *)b + walk.offset[2];
        for (size_t i = 0; i < count; i += LANES) {
            size_t n = count - i;
            int64_t at = (int64_t)i;
            V keep = v_load_strided(pm + at * sm, sm, n), yes = v_load_strided(pa + at * sa, sa, n),
              no = v_load_strided(pb + at * sb, sb, n);
            v_store_up_to((T *)y + begin + i, keep != 0 ? yes : no, n);
        }
        begin += count;
        rk_walk_next(&walk);
    }
}

static void k_add_strided(int rank, const int64_t *shape, const void *src, const int64_t *src_strides, void *dst,
                          const int64_t *dst_strides) {
    rk_walk walk = rk_walk_make(rank, shape, 2, (const int64_t *[]){src_strides, dst_strides});
    int64_t ss = walk.stride[0][walk.rank - 1], ds = walk.stride[1][walk.rank - 1];
    rk_walk_seek(&walk, 0);
    for (size_t left = rk_walk_count(&walk); left > 0;) {
        size_t count = rk_walk_row(&walk, left);
        const T *from = (const T *)src + walk.offset[0];
        T *to = (T *)dst + walk.offset[1];
        if (ds == 1)
            binary_row(op_add, to, 1, from, ss, to, count);
        else
            for (size_t i = 0; i < count; i++) to[(int64_t)i * ds] += from[(int64_t)i * ss];
        left -= count;
        rk_walk_next(&walk);
    }
}

static void k_scatter_add_rows(size_t count, size_t width, size_t begin, size_t end, const void *g,
                               const int32_t *indices, void *table) {
    for (size_t i = 0; i < count; i++) {
        T *row = (T *)table + (size_t)indices[i] * width + begin;
        binary_row(op_add, row, 1, (const T *)g + i * width + begin, 1, row, end - begin);
    }
}
