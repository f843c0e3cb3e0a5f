// Cross-entropy of rows of logits x with targets t, smoothing s over C classes:
//   loss = log sum e^(x - m) - (1 - s) (x_t - m) - s / C sum(x - m),  m = max x
//   d loss / d x_j = softmax(x)_j - s / C - (1 - s) [j = t]
// The gradient holds e^(x - m) until the sum is known, so each row is read from memory once.

RK_INLINE T row_sum_above(const T *x, T m, size_t columns) {
    V part = 0, shift = v_set(m);
    for (size_t j = 0; j < columns; j += LANES)
        part += v_first(columns - j) != 0 ? v_load_up_to(x + j, columns - j) - shift : v_set(0);
    return v_sum(part);
}

static void k_cross_entropy(size_t rows, size_t classes, const void *logits, const int32_t *targets, double smoothing,
                            int32_t ignore, double scale, void *loss, void *gradient) {
    const T spread = (T)(smoothing / (double)classes), hit = (T)(1 - smoothing);
    for (size_t r = 0; r < rows; r++) {
        const T *x = (const T *)logits + r * classes;
        T *dx = gradient ? (T *)gradient + r * classes : NULL;
        int32_t target = targets[r];
        if (target == ignore) {
            ((T *)loss)[r] = 0;
            if (dx) k_fill(0, dx, classes);
            continue;
        }
        T m = row_max(x, classes), wanted = hit * (x[target] - m);
        if (smoothing != 0) wanted += spread * row_sum_above(x, m, classes);
        T sum = row_exp_sum(x, m, dx, classes);
        ((T *)loss)[r] = v_log(v_set(sum))[0] - wanted;
        if (!dx) continue;
        k_affine(dx, scale / (double)sum, -scale * (double)spread, dx, classes);
        dx[target] -= (T)scale * hit;
    }
}
