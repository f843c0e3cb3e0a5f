// Recurrences in the (max, min) algebra: x_t[i] = max(max_j min(A_t[i, j], x_{t-1}[j]), b_t[i]). Channels lie in vector
// lanes. Exactly one operand is the source of each new value: b before the others, then the first j that reaches the
// largest minimum, and x before A within it; the derivative goes there alone.

enum { MINMAX_VECTORS = 4, LARGEST_MINMAX = 4 };

/// `n` vectors of channels side by side, of a state of `k` numbers each.
RK_INLINE void minmax_forward(const int k, const int n, size_t time, size_t channels, size_t count, const T *a,
                              const T *b, const T *initial, T *states, T *final) {
    V x[LARGEST_MINMAX][MINMAX_VECTORS];
    const size_t width = (size_t)k * channels;
    for (int i = 0; i < k; i++)
        for (int v = 0; v < n; v++)
            x[i][v] = v_load_up_to(initial + (size_t)i * channels + (size_t)v * LANES, count - (size_t)v * LANES);
    for (size_t t = 0; t < time; t++, a += (size_t)k * width, b += width, states += width) {
        V next[LARGEST_MINMAX][MINMAX_VECTORS];
        for (int i = 0; i < k; i++)
            for (int v = 0; v < n; v++) {
                const size_t at = (size_t)v * LANES, left = count - at;
                const T *row = a + (size_t)i * width + at, *floor = b + (size_t)i * channels + at;
                V best = v_min_nan(v_load_up_to(row, left), x[0][v]);
                prefetch_next(row, 8 * (size_t)k * width);
                prefetch_next(floor, 8 * width);
                for (int j = 1; j < k; j++)
                    best = v_max_nan(best, v_min_nan(v_load_up_to(row + (size_t)j * channels, left), x[j][v]));
                next[i][v] = v_max_nan(best, v_load_up_to(floor, left));
            }
        for (int i = 0; i < k; i++)
            for (int v = 0; v < n; v++) {
                x[i][v] = next[i][v];
                v_store_up_to(states + (size_t)i * channels + (size_t)v * LANES, x[i][v], count - (size_t)v * LANES);
            }
    }
    for (int i = 0; i < k; i++)
        for (int v = 0; v < n; v++)
            v_store_up_to(final + (size_t)i * channels + (size_t)v * LANES, x[i][v], count - (size_t)v * LANES);
}

/// dstate holds the derivative of the final state and becomes the initial one's.
RK_INLINE void minmax_backward(const int k, const int n, size_t time, size_t channels, size_t count, const T *a,
                               const T *b, const T *initial, const T *states, const T *dstates, T *dstate, T *da,
                               T *db) {
    V carry[LARGEST_MINMAX][MINMAX_VECTORS];
    const size_t width = (size_t)k * channels;
    for (int i = 0; i < k; i++)
        for (int v = 0; v < n; v++)
            carry[i][v] = v_load_up_to(dstate + (size_t)i * channels + (size_t)v * LANES, count - (size_t)v * LANES);
    for (size_t t = time; t-- > 0;) {
        const T *before = t > 0 ? states + (t - 1) * width : initial;
        for (int v = 0; v < n; v++) {
            const size_t at = (size_t)v * LANES, left = count - at;
            V x[LARGEST_MINMAX], back[LARGEST_MINMAX];
            for (int j = 0; j < k; j++) {
                x[j] = v_load_up_to(before + (size_t)j * channels + at, left);
                back[j] = 0;
            }
            for (int i = 0; i < k; i++) {
                const size_t row = t * width * (size_t)k + (size_t)i * width + at;
                const size_t here = t * width + (size_t)i * channels + at;
                V delta = carry[i][v];
                if (dstates) delta += v_load_up_to(dstates + here, left);
                V matrix[LARGEST_MINMAX], best = 0, low = v_load_up_to(b + here, left);
                for (int j = 0; j < k; j++) {
                    matrix[j] = v_load_up_to(a + row + (size_t)j * channels, left);
                    V smaller = v_min(matrix[j], x[j]);
                    best = j == 0 ? smaller : v_max(best, smaller);
                }
                I reset = low >= best;
                v_store_up_to(db + here, reset ? delta : v_set(0), left);
                I open = ~reset;
                for (int j = 0; j < k; j++) {
                    I mine = open & (v_min(matrix[j], x[j]) >= best), holds = mine & (x[j] <= matrix[j]);
                    back[j] += holds ? delta : v_set(0);
                    v_store_up_to(da + row + (size_t)j * channels, (mine & ~holds) ? delta : v_set(0), left);
                    open &= ~mine;
                }
            }
            for (int j = 0; j < k; j++) carry[j][v] = back[j];
        }
    }
    for (int i = 0; i < k; i++)
        for (int v = 0; v < n; v++)
            v_store_up_to(dstate + (size_t)i * channels + (size_t)v * LANES, carry[i][v], count - (size_t)v * LANES);
}

// A scalar state keeps several vectors in flight; a larger one has enough to do with one.
#define MINMAX_DISPATCH(call) \
    for (size_t c = first; c < last;) { \
        size_t vectors = (last - c + LANES - 1) / LANES; \
        if (states_per_channel == 1 && vectors >= MINMAX_VECTORS) { \
            call(1, MINMAX_VECTORS); \
            c += MINMAX_VECTORS * LANES; \
            continue; \
        } \
        switch (states_per_channel) { \
        case 1: call(1, 1); break; \
        case 2: call(2, 1); break; \
        case 3: call(3, 1); break; \
        default: call(4, 1); break; \
        } \
        c += LANES; \
    }

static void k_minmax_recurrence(size_t states_per_channel, size_t time, size_t channels, size_t first, size_t last,
                                const void *upper, const void *lower, const void *initial, void *states, void *final) {
    const T *a = upper, *b = lower, *x0 = initial;
    T *x = states, *end = final;
#define MINMAX_FORWARD(k, n) minmax_forward(k, n, time, channels, last - c, a + c, b + c, x0 + c, x + c, end + c)
    MINMAX_DISPATCH(MINMAX_FORWARD)
}

static void k_minmax_recurrence_gradient(size_t states_per_channel, size_t time, size_t channels, size_t first,
                                         size_t last, const void *upper, const void *lower, const void *initial,
                                         const void *states, const void *dstates, void *dstate, void *dupper,
                                         void *dlower) {
    const T *a = upper, *b = lower, *x0 = initial, *x = states, *dx = dstates;
    T *carry = dstate, *da = dupper, *db = dlower;
#define MINMAX_BACKWARD(k, n) \
    minmax_backward(k, n, time, channels, last - c, a + c, b + c, x0 + c, x + c, dx ? dx + c : NULL, carry + c, \
                    da + c, db + c)
    MINMAX_DISPATCH(MINMAX_BACKWARD)
}
