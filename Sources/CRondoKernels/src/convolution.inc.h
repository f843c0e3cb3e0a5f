// Causal depthwise convolution of one sequence [time, channels], and its gradients:
//   y[t] = bias + sum_k weight[k] x[t - (width - 1) + k]        (per channel; x before 0 is the history)
//   dx[s] = sum_k weight[k] g[s + (width - 1) - k]
//   dweight[k] = sum_t g[t] x[t - (width - 1) + k];  dbias = sum_t g[t]
// Channels are vectorised in blocks; a block's weights are transposed to [width, block] first.

enum { CHANNEL_BLOCK = 16 * LANES };

/// The input row at time t, or its place in the history, or NULL for zeros.
RK_INLINE const T *input_row(const T *x, const T *history, size_t channels, size_t width, int64_t t) {
    if (t >= 0) return x + (size_t)t * channels;
    return history ? history + (size_t)(t + (int64_t)width - 1) * channels : NULL;
}

static void transpose_weights(const T *weight, size_t width, size_t begin, size_t count, T *block) {
    for (size_t k = 0; k < width; k++)
        for (size_t c = 0; c < count; c++) block[k * CHANNEL_BLOCK + c] = weight[(begin + c) * width + k];
}

static void k_causal_convolution(size_t time, size_t channels, size_t width, size_t begin, size_t end, const void *x,
                                 const void *history, const void *weight, const void *bias, void *y) {
    T *weights = rk_scratch(RK_SCRATCH_WEIGHTS, width * CHANNEL_BLOCK * sizeof(T));
    for (size_t c0 = begin; c0 < end; c0 += CHANNEL_BLOCK) {
        size_t count = end - c0 < CHANNEL_BLOCK ? end - c0 : CHANNEL_BLOCK;
        transpose_weights(weight, width, c0, count, weights);
        for (size_t t = 0; t < time; t++)
            for (size_t c = 0; c < count; c += LANES) {
                size_t n = count - c;
                V sum = bias ? v_load_up_to((const T *)bias + c0 + c, n) : v_set(0);
                for (size_t k = 0; k < width; k++) {
                    const T *row = input_row(x, history, channels, width, (int64_t)(t + k) - (int64_t)(width - 1));
                    V tap = v_load_up_to(weights + k * CHANNEL_BLOCK + c, n);
                    if (row) sum = v_fma(tap, v_load_up_to(row + c0 + c, n), sum);
                }
                v_store_up_to((T *)y + t * channels + c0 + c, sum, n);
            }
    }
}

static void k_causal_convolution_step(size_t channels, size_t width, const void *x, void *history, const void *taps,
                                      const void *bias, void *y) {
    for (size_t c = 0; c < channels; c += LANES) {
        size_t n = channels - c;
        V now = v_load_up_to((const T *)x + c, n), sum = bias ? v_load_up_to((const T *)bias + c, n) : v_set(0);
        T *past = (T *)history + c;
        const T *tap = (const T *)taps + c;
        for (size_t k = 0; k + 1 < width; k++, past += channels, tap += channels) {
            V value = v_load_up_to(past, n);
            sum = v_fma(v_load_up_to(tap, n), value, sum);
            if (k > 0) v_store_up_to(past - channels, value, n);
        }
        if (width > 1) v_store_up_to(past - channels, now, n);
        v_store_up_to((T *)y + c, v_fma(v_load_up_to(tap, n), now, sum), n);
    }
}

/// dx or dhistory at time s, for `count` channels from c0 on.
RK_INLINE void input_gradient(int64_t s, size_t time, size_t channels, size_t width, const T *g, const T *weights,
                              size_t count, T *dx) {
    for (size_t c = 0; c < count; c += LANES) {
        size_t n = count - c;
        V sum = 0;
        for (size_t k = 0; k < width; k++) {
            int64_t t = s + (int64_t)(width - 1) - (int64_t)k;
            if (t < 0 || t >= (int64_t)time) continue;
            V tap = v_load_up_to(weights + k * CHANNEL_BLOCK + c, n);
            sum = v_fma(tap, v_load_up_to(g + (size_t)t * channels + c, n), sum);
        }
        v_store_up_to(dx + c, sum, n);
    }
}

/// dweight and dbias of `count` channels, as sums [width + 1, CHANNEL_BLOCK] over times from..<to.
RK_INLINE void parameter_sums(size_t from, size_t to, size_t channels, size_t width, const T *x, const T *history,
                              const T *g, size_t count, T *sums) {
    for (size_t t = from; t < to; t++)
        for (size_t k = 0; k <= width; k++) {
            int64_t at = (int64_t)(t + k) - (int64_t)(width - 1);
            const T *row = k < width ? input_row(x, history, channels, width, at) : NULL;  // NULL: the bias, or zeros
            if (k < width && !row) continue;
            for (size_t c = 0; c < count; c += LANES) {
                size_t n = count - c;
                V slope = v_load_up_to(g + t * channels + c, n), value = row ? v_load_up_to(row + c, n) : v_set(1);
                T *sum = sums + k * CHANNEL_BLOCK + c;
                v_store(sum, v_fma(slope, value, v_load(sum)));
            }
        }
}

/// Adds the sums of short runs of time, so that rounding errors do not grow with the whole length.
RK_INLINE void parameter_gradient(size_t time, size_t channels, size_t width, const T *x, const T *history, const T *g,
                                  size_t count, T *dweight, T *dbias) {
    enum { RUN = 64 };
    size_t size = (width + 1) * CHANNEL_BLOCK;
    T *run = rk_scratch(RK_SCRATCH_SUMS, 2 * size * sizeof(T)), *total = run + size;
    memset(total, 0, size * sizeof(T));
    for (size_t from = 0; from < time; from += RUN) {
        memset(run, 0, size * sizeof(T));
        parameter_sums(from, time - from < RUN ? time : from + RUN, channels, width, x, history, g, count, run);
        k_axpy(1, run, total, size);
    }
    for (size_t k = 0; dweight && k < width; k++)
        for (size_t c = 0; c < count; c++) dweight[c * width + k] += total[k * CHANNEL_BLOCK + c];
    if (dbias) k_axpy(1, total + width * CHANNEL_BLOCK, dbias, count);
}

static void k_causal_convolution_gradient(size_t time, size_t channels, size_t width, size_t begin, size_t end,
                                          const void *x, const void *history, const void *weight, const void *gradient,
                                          void *dx, void *dhistory, void *dweight, void *dbias) {
    T *weights = rk_scratch(RK_SCRATCH_WEIGHTS, width * CHANNEL_BLOCK * sizeof(T));
    const T *past = history;
    for (size_t c0 = begin; c0 < end; c0 += CHANNEL_BLOCK) {
        size_t count = end - c0 < CHANNEL_BLOCK ? end - c0 : CHANNEL_BLOCK;
        const T *g = (const T *)gradient + c0;
        transpose_weights(weight, width, c0, count, weights);
        for (size_t s = 0; s < time; s++)
            input_gradient((int64_t)s, time, channels, width, g, weights, count, (T *)dx + s * channels + c0);
        for (size_t h = 0; dhistory && h + 1 < width; h++)
            input_gradient((int64_t)h - (int64_t)(width - 1), time, channels, width, g, weights, count,
                           (T *)dhistory + h * channels + c0);
        parameter_gradient(time, channels, width, (const T *)x + c0, past ? past + c0 : NULL, g, count,
                           dweight ? (T *)dweight + c0 * width : NULL, dbias ? (T *)dbias + c0 : NULL);
    }
}
