// Reductions over the middle axis of a dense [outer, axis, inner].
//
// Sums add up blocks plainly (few terms per accumulator), then add the blocks with compensation: the rounding error
// of each addition is kept in a second accumulator (two-sum) and added at the end. The error then does not grow with
// the length beyond that of a block.

typedef struct {
    V sum, error;
} compensated;

RK_INLINE void add_compensated(compensated *total, V x) {
    V sum = total->sum + x, back = sum - total->sum;
    V error = (total->sum - (sum - back)) + (x - back);
    total->sum = sum;
    total->error += error;
}

/// The total; infinities and NaN have no meaningful error term.
RK_INLINE V compensated_value(compensated total) {
    V value = total.sum + total.error;
    return value == value ? value : total.sum;
}

enum { SUM_BLOCK = 16 * LANES };

RK_INLINE V add(V a, V b) { return a + b; }
RK_INLINE V multiply(V a, V b) { return a * b; }

/// Adds f(x) over a row.
RK_INLINE T sum_row(V (*f)(V), const T *x, size_t count) {
    compensated total = {0};
    size_t i = 0;
    for (; i + SUM_BLOCK <= count; i += SUM_BLOCK) {
        V part[4] = {0};
        for (int j = 0; j < 16; j++) part[j % 4] += f(v_load(x + i + j * LANES));
        add_compensated(&total, (part[0] + part[1]) + (part[2] + part[3]));
    }
    for (V rest = 0; i < count; i += LANES) {
        size_t n = count - i;
        rest += f(v_load_up_to(x + i, n));
        if (n <= LANES) add_compensated(&total, rest);
    }
    return v_sum(compensated_value(total));
}

/// Combines a row with f, whose neutral element is `start`.
RK_INLINE T fold_row(V (*f)(V, V), T start, const T *x, size_t count) {
    V part[4] = {v_set(start), v_set(start), v_set(start), v_set(start)};
    size_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES)
        for (int j = 0; j < 4; j++) part[j] = f(part[j], v_load(x + i + j * LANES));
    for (; i < count; i += LANES) {
        size_t n = count - i;
        part[0] = f(part[0], v_first(n) != 0 ? v_load_up_to(x + i, n) : v_set(start));
    }
    V all = f(f(part[0], part[1]), f(part[2], part[3]));
    for (int width = LANES / 2; width > 0; width /= 2) {
        V upper = all;
        for (int lane = 0; lane < width; lane++) upper[lane] = all[lane + width];
        all = f(all, upper);
    }
    return all[0];
}

RK_INLINE void fold_columns(V (*f)(V, V), T start, size_t axis, size_t inner, const T *x, T *y) {
    k_fill(start, y, inner);
    for (size_t a = 0; a < axis; a++)
        for (size_t j = 0; j < inner; j += LANES) {
            size_t n = inner - j;
            v_store_up_to(y + j, f(v_load_up_to(y + j, n), v_load_up_to(x + a * inner + j, n)), n);
        }
}

enum { COLUMN_BLOCK = 1024, ROW_BLOCK = 8 };

/// Sums up to COLUMN_BLOCK columns of [axis, stride]: eight rows at a time, so that memory is read in long runs.
static void sum_columns(size_t axis, size_t stride, size_t columns, const T *x, T *y) {
    compensated total[COLUMN_BLOCK / LANES];
    memset(total, 0, (columns + LANES - 1) / LANES * sizeof *total);
    for (size_t a = 0; a < axis; a += ROW_BLOCK) {
        size_t rows = axis - a < ROW_BLOCK ? axis - a : ROW_BLOCK;
        const T *block = x + a * stride;
        for (size_t j = 0; j < columns; j += LANES) {
            size_t n = columns - j;
            V sum = v_load_up_to(block + j, n);
            for (size_t r = 1; r < rows; r++) sum += v_load_up_to(block + r * stride + j, n);
            add_compensated(&total[j / LANES], sum);
        }
    }
    for (size_t j = 0; j < columns; j += LANES)
        v_store_up_to(y + j, compensated_value(total[j / LANES]), columns - j);
}

static void k_reduce(rk_reduce_op op, size_t outer, size_t axis, size_t inner, const void *input, void *output) {
    const T *x = input;
    T *y = output;
    for (size_t o = 0; o < outer; o++, x += axis * inner, y += inner) {
        if (inner == 1) {
            switch (op) {
            case RK_SUM: *y = sum_row(op_same, x, axis); break;
            case RK_MAX: *y = fold_row(v_max_nan, -(T)INFINITY, x, axis); break;
            case RK_MIN: *y = fold_row(v_min_nan, (T)INFINITY, x, axis); break;
            case RK_PRODUCT: *y = fold_row(multiply, 1, x, axis); break;
            }
            continue;
        }
        switch (op) {
        case RK_SUM:
            for (size_t j = 0; j < inner; j += COLUMN_BLOCK)
                sum_columns(axis, inner, inner - j < COLUMN_BLOCK ? inner - j : COLUMN_BLOCK, x + j, y + j);
            break;
        case RK_MAX: fold_columns(v_max_nan, -(T)INFINITY, axis, inner, x, y); break;
        case RK_MIN: fold_columns(v_min_nan, (T)INFINITY, axis, inner, x, y); break;
        case RK_PRODUCT: fold_columns(multiply, 1, axis, inner, x, y); break;
        }
    }
}

// --- positions of extremes --------------------------------------------------------------------------

/// Columns j..<j+n of one [axis, inner]. Smallest: the same on the negated values.
RK_INLINE void arg_columns(bool smallest, size_t axis, size_t inner, size_t n, const T *x, int32_t *y) {
    V best = 0;
    I position = 0;
    for (size_t a = 0; a < axis; a++) {
        V value = v_load_up_to(x + a * inner, n);
        if (smallest) value = -value;
        I better = a == 0 ? (I)(best == best) : (value > best) | ((value != value) & (best == best));
        best = better != 0 ? value : best;
        position = better != 0 ? (I)((TI)a + (I){0}) : position;
    }
    for (size_t i = 0; i < LANES && i < n; i++) y[i] = (int32_t)position[i];
}

/// The first position of the extreme value, found by a second look at the row.
static int32_t arg_row(bool smallest, size_t count, const T *x) {
    T best = smallest ? fold_row(v_min_nan, (T)INFINITY, x, count) : fold_row(v_max_nan, -(T)INFINITY, x, count);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        V value = v_load(x + i);
        if (v_any(best == best ? value == best : value != value)) break;
    }
    while (i + 1 < count && !(best == best ? x[i] == best : x[i] != x[i])) i++;
    return (int32_t)i;
}

static void k_arg_reduce(bool smallest, size_t outer, size_t axis, size_t inner, const void *input, int32_t *y) {
    const T *x = input;
    for (size_t o = 0; o < outer; o++, x += axis * inner, y += inner) {
        if (inner == 1) {
            *y = arg_row(smallest, axis, x);
            continue;
        }
        for (size_t j = 0; j < inner; j += LANES) arg_columns(smallest, axis, inner, inner - j, x + j, y + j);
    }
}

// --- cumulative sums, kept in double precision ------------------------------------------------------

static void k_cumulative_sum(bool reverse, size_t outer, size_t axis, size_t inner, const void *input, void *output) {
    typedef double D __attribute__((ext_vector_type(LANES)));
    const T *x = input;
    T *y = output;
    for (size_t o = 0; o < outer; o++, x += axis * inner, y += axis * inner) {
        double single = 0;
        for (size_t a = 0; a < axis && inner == 1; a++) {
            size_t at = reverse ? axis - 1 - a : a;
            y[at] = (T)(single += (double)x[at]);
        }
        for (size_t j = 0; j < inner && inner > 1; j += LANES) {
            D sum = 0;
            for (size_t a = 0; a < axis; a++) {
                size_t at = (reverse ? axis - 1 - a : a) * inner + j;
                sum += __builtin_convertvector(v_load_up_to(x + at, inner - j), D);
                v_store_up_to(y + at, __builtin_convertvector(sum, V), inner - j);
            }
        }
    }
}

// --- norms ------------------------------------------------------------------------------------------

static double k_sum_of_squares(const void *input, size_t count) {
    typedef double D __attribute__((ext_vector_type(LANES)));
    const T *x = input;
    D part[4] = {0};
    for (size_t i = 0, turn = 0; i < count; i += LANES, turn++) {
        D value = __builtin_convertvector(v_load_up_to(x + i, count - i), D);
        part[turn % 4] += value * value;
    }
    D all = (part[0] + part[1]) + (part[2] + part[3]);
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += all[lane];
    return sum;
}

static bool k_all_finite(const void *input, size_t count) {
    const T *x = input;
    for (size_t i = 0; i < count; i += 8 * LANES) {
        I bad = 0;
        for (size_t j = i; j < i + 8 * LANES && j < count; j += LANES)
            bad |= !(v_abs(v_load_up_to(x + j, count - j)) < (T)INFINITY);
        if (v_any(bad)) return false;
    }
    return true;
}
