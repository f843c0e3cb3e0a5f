// Layer and root-mean-square normalisation of rows, and their gradients.
//   layer: x^ = (x - mean) rstd, rstd = 1 / sqrt(var + epsilon)
//   rms:   x^ = x rstd, rstd = 1 / sqrt(mean(x^2) + epsilon)
//   y = x^ weight + bias. With h = g weight:
//   dx = rstd (h - mean(h) - x^ mean(h x^)), without mean(h) for rms;  dweight += g x^;  dbias += g

/// The mean of f(x - centre) over a row.
RK_INLINE T row_mean(V (*f)(V), const T *x, T centre, size_t columns) {
    V part[4] = {0}, shift = v_set(centre);
    size_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES)
        for (int k = 0; k < 4; k++) {
            part[k] += f(v_load(x + j + k * LANES) - shift);
            prefetch_next(x + j + k * LANES, columns);
        }
    for (; j < columns; j += LANES) {
        size_t n = columns - j;
        part[0] += v_first(n) != 0 ? f(v_load_up_to(x + j, n) - shift) : v_set(0);
    }
    return v_sum((part[0] + part[1]) + (part[2] + part[3])) / (T)columns;
}

/// y = (x - mean) rstd weight + bias.
RK_INLINE void normalise_row(const T *x, const T *weight, const T *bias, T mean, T rstd, T *y, size_t columns) {
    V centre = v_set(mean), scale = v_set(rstd);
    for (size_t j = 0; j < columns; j += LANES) {
        size_t n = columns - j;
        V value = (v_load_up_to(x + j, n) - centre) * scale;
        if (weight) value *= v_load_up_to(weight + j, n);
        if (bias) value += v_load_up_to(bias + j, n);
        v_store_up_to(y + j, value, n);
    }
}

static void k_layer_norm(size_t rows, size_t columns, const void *x, const void *weight, const void *bias,
                         double epsilon, void *y, void *means, void *rstds) {
    for (size_t r = 0; r < rows; r++) {
        const T *row = (const T *)x + r * columns;
        T mean = row_mean(op_same, row, 0, columns), variance = row_mean(op_square, row, mean, columns);
        T rstd = 1 / (T)sqrt((double)variance + epsilon);
        ((T *)means)[r] = mean;
        ((T *)rstds)[r] = rstd;
        normalise_row(row, weight, bias, mean, rstd, (T *)y + r * columns, columns);
    }
}

static void k_rms_norm(size_t rows, size_t columns, const void *x, const void *weight, double epsilon, void *y,
                       void *rstds) {
    for (size_t r = 0; r < rows; r++) {
        const T *row = (const T *)x + r * columns;
        T rstd = 1 / (T)sqrt((double)row_mean(op_square, row, 0, columns) + epsilon);
        ((T *)rstds)[r] = rstd;
        normalise_row(row, weight, NULL, 0, rstd, (T *)y + r * columns, columns);
    }
}

RK_INLINE void add_to(T *sum, V x, size_t n) { v_store_up_to(sum, v_load_up_to(sum, n) + x, n); }

/// The gradient of one row; `centred` tells layer from rms.
RK_INLINE void normalise_row_gradient(bool centred, const T *x, const T *weight, T mean, T rstd, const T *g, T *dx,
                                      T *dweight, T *dbias, size_t columns) {
    V centre = v_set(mean), scale = v_set(rstd), sum_h = 0, sum_hx = 0;
    for (size_t j = 0; j < columns; j += LANES) {
        size_t n = columns - j;
        V slope = v_load_up_to(g + j, n), value = (v_load_up_to(x + j, n) - centre) * scale;
        V h = weight ? slope * v_load_up_to(weight + j, n) : slope;
        sum_h += h;
        sum_hx = v_fma(h, value, sum_hx);
        if (dweight) add_to(dweight + j, slope * value, n);
        if (dbias) add_to(dbias + j, slope, n);
    }
    V mean_h = v_set(centred ? v_sum(sum_h) / (T)columns : 0), mean_hx = v_set(v_sum(sum_hx) / (T)columns);
    for (size_t j = 0; j < columns; j += LANES) {
        size_t n = columns - j;
        V h = v_load_up_to(g + j, n), value = (v_load_up_to(x + j, n) - centre) * scale;
        if (weight) h *= v_load_up_to(weight + j, n);
        v_store_up_to(dx + j, scale * (h - mean_h - value * mean_hx), n);
    }
}

static void k_layer_norm_gradient(size_t rows, size_t columns, const void *x, const void *weight, const void *mean,
                                  const void *rstd, const void *g, void *dx, void *dweight, void *dbias) {
    for (size_t r = 0; r < rows; r++)
        normalise_row_gradient(true, (const T *)x + r * columns, weight, ((const T *)mean)[r], ((const T *)rstd)[r],
                               (const T *)g + r * columns, (T *)dx + r * columns, dweight, dbias, columns);
}

static void k_rms_norm_gradient(size_t rows, size_t columns, const void *x, const void *weight, const void *rstd,
                                const void *g, void *dx, void *dweight) {
    for (size_t r = 0; r < rows; r++)
        normalise_row_gradient(false, (const T *)x + r * columns, weight, 0, ((const T *)rstd)[r],
                               (const T *)g + r * columns, (T *)dx + r * columns, dweight, NULL, columns);
}
