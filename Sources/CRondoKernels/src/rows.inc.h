// Softmax, log-softmax and log-sum-exp of rows. A row is read from memory once; later passes find it in the cache.
//   softmax(x)_j = e^(x_j - m) / s,  log softmax(x)_j = (x_j - m) - log s,  m = max x,  s = sum e^(x_j - m)

/// The largest element; NaN is passed over (it comes back through the sum).
RK_INLINE T row_max(const T *x, size_t columns) { return fold_row(v_max, -(T)INFINITY, x, columns); }

/// Sum of e^(x - m) over a row; stores the terms in `terms` unless that is NULL. Fetches the next row meanwhile: the
/// CPU's own prefetching ends at page boundaries, and rows are often pages.
RK_INLINE T row_exp_sum(const T *x, T m, T *terms, size_t columns) {
    V part[2] = {0}, shift = v_set(m);
    size_t j = 0;
    for (; j + 2 * LANES <= columns; j += 2 * LANES) {
        V a = v_exp(v_load(x + j) - shift), b = v_exp(v_load(x + j + LANES) - shift);
        part[0] += a;
        part[1] += b;
        prefetch_next(x + j, columns);
        prefetch_next(x + j + LANES, columns);
        if (terms) v_store(terms + j, a), v_store(terms + j + LANES, b);
    }
    for (; j < columns; j += LANES) {
        size_t n = columns - j;
        V a = v_exp(v_load_up_to(x + j, n) - shift);
        part[0] += v_first(n) != 0 ? a : v_set(0);
        if (terms) v_store_up_to(terms + j, a, n);
    }
    return v_sum(part[0] + part[1]);
}

static void k_softmax(bool logarithm, size_t rows, size_t columns, const void *input, void *output) {
    const T *x = input;
    T *y = output;
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        T m = row_max(x, columns);
        if (logarithm) {
            T sum = row_exp_sum(x, m, NULL, columns);
            V p[] = {v_set(m), v_log(v_set(sum))};
            map_with(op_shift_twice, p, x, y, columns);
        } else {
            T sum = row_exp_sum(x, m, y, columns);
            V p[] = {v_set(1 / sum)};
            map_with(op_scale, p, y, y, columns);
        }
    }
}

/// dx = y (g - sum(g y)); for the logarithm dx = g - e^y sum(g).
static void k_softmax_gradient(bool logarithm, size_t rows, size_t columns, const void *output, const void *gradient,
                               void *result) {
    const T *y = output, *g = gradient;
    T *dx = result;
    for (size_t r = 0; r < rows; r++, y += columns, g += columns, dx += columns) {
        V part = 0;
        for (size_t j = 0; j < columns; j += LANES) {
            V slope = v_load_up_to(g + j, columns - j);
            part = logarithm ? part + slope : v_fma(slope, v_load_up_to(y + j, columns - j), part);
        }
        V sum = v_set(v_sum(part));
        for (size_t j = 0; j < columns; j += LANES) {
            size_t n = columns - j;
            V value = v_load_up_to(y + j, n), slope = v_load_up_to(g + j, n);
            v_store_up_to(dx + j, logarithm ? v_fma(-v_exp(value), sum, slope) : value * (slope - sum), n);
        }
    }
}

static void k_log_sum_exp(size_t rows, size_t columns, const void *input, void *output) {
    const T *x = input;
    for (size_t r = 0; r < rows; r++, x += columns) {
        T m = row_max(x, columns), shift = m > -(T)INFINITY && m < (T)INFINITY ? m : 0;
        ((T *)output)[r] = shift + v_log(v_set(row_exp_sum(x, shift, NULL, columns)))[0];
    }
}
