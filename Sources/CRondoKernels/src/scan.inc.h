// Linear recurrences whose state is a vector, elementwise: scans over one sequence [time, channels], for the channels
// begin..<end.
//
// Channels lie side by side in vectors, so each lane walks through time on its own and nothing depends on how the
// channels are cut. Time runs in short runs, and within a run a strip of a few vectors goes ahead with its state in
// registers: the memory is read nearly in order, and the latency of one step hides behind the other vectors. Between
// runs the state is the row of outputs before; the backward scans keep theirs in the gradient of the initial state.

/// Steps of a run, and vectors of a wide strip. Sums over time (gradients of constants) are those of runs, so that
/// rounding errors do not grow with the whole length.
enum { CACHE_LINE = 64, SCAN_RUN = 64, SCAN_WIDE = RK_VECTOR_BYTES == 64 ? 8 : 4 };

/// Calls `strip(width, c, count)` for strips of `width` vectors, `count` channels from c on, covering begin..<end.
/// The width is a constant in each call, and only a strip of one vector may be cut off.
#define SCAN_STRIPS(begin, end, strip) \
    for (size_t c = begin, count; c < end; c += count) { \
        if (end - c >= SCAN_WIDE * LANES) { \
            count = SCAN_WIDE * LANES; \
            strip(SCAN_WIDE, c, count); \
        } else if (end - c >= 2 * LANES) { \
            count = 2 * LANES; \
            strip(2, c, count); \
        } else { \
            count = end - c < LANES ? end - c : LANES; \
            strip(1, c, count); \
        } \
    }

RK_INLINE V strip_load(const int width, const T *p, int w, size_t count) {
    return width > 1 ? v_load(p + w * LANES) : v_load_up_to(p, count);
}

RK_INLINE void strip_store(const int width, T *p, int w, size_t count, V v) {
    if (width > 1)
        v_store(p + w * LANES, v);
    else
        v_store_up_to(p, v, count);
}

/// Stores results that nobody reads soon: past the caches if `stream`, whole cache lines only. Fetching lines that are
/// overwritten would cost a third of the memory's time.
RK_INLINE void strip_put(const int width, bool stream, T *p, int w, size_t count, V v) {
    if (width * RK_VECTOR_BYTES >= CACHE_LINE && stream)
        v_stream(p + w * LANES, v);
    else
        strip_store(width, p, w, count, v);
}

/// Whether rows of `p` (which may be NULL) from channel `begin` on are whole cache lines.
RK_INLINE bool is_aligned(const void *p, size_t channels, size_t begin, size_t end) {
    return ((uintptr_t)p | channels * sizeof(T) | begin * sizeof(T) | end * sizeof(T)) % CACHE_LINE == 0;
}

/// Makes streamed results visible to who is told that they are there.
RK_INLINE void finish_stream(bool stream) {
    if (stream) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/// p[c...] += v, for sums over runs.
RK_INLINE void strip_add(const int width, T *p, int w, size_t count, V v) {
    strip_store(width, p, w, count, strip_load(width, p, w, count) + v);
}

RK_INLINE size_t run_steps(size_t time, size_t start) { return time - start < SCAN_RUN ? time - start : SCAN_RUN; }

/// The first step of the last run.
RK_INLINE size_t last_run(size_t time) { return (time - 1) / SCAN_RUN * SCAN_RUN; }

// --- h = a h + b ------------------------------------------------------------------------------------

/// Columns from..<to of `steps` rows of gates, each gate repeated over its `group` channels: rows of `to - from`.
static void repeat_gates(size_t steps, size_t from, size_t to, size_t group, const T *a, size_t a_time, T *rows) {
    for (size_t t = 0; t < steps; t++, a += a_time)
        for (size_t gate = from / group; gate < to / group; gate++, rows += group)
            for (size_t i = 0; i < group; i++) rows[i] = a[gate];
}

/// The sum of `count` elements, in a fixed order.
RK_INLINE T sum_channels(const T *p, size_t count) {
    V sum = 0;
    for (size_t i = 0; i < count; i += LANES) sum += v_load_up_to(p + i, count - i);
    return v_sum(sum);
}

RK_INLINE void diagonal_strip(const int width, bool stream, size_t count, size_t steps, size_t channels, const T *a,
                              size_t a_time, const T *b, size_t b_time, const T *before, T *h) {
    V state[SCAN_WIDE];
    for (int w = 0; w < width; w++) state[w] = strip_load(width, before, w, count);
    for (size_t t = 0; t < steps; t++, a += a_time, b += b_time, h += channels)
        for (int w = 0; w < width; w++) {
            state[w] = v_fma(strip_load(width, a, w, count), state[w], strip_load(width, b, w, count));
            strip_put(width, stream, h, w, count, state[w]);
        }
}

static void k_diagonal_scan(size_t time, size_t channels, size_t begin, size_t end, bool stream, size_t group,
                            const void *gates, size_t a_time, const void *input, size_t b_time, const void *initial,
                            void *output) {
    const T *a = gates, *b = input, *before = initial;
    T *h = output, *rows = NULL;
    stream = stream && is_aligned(h, channels, begin, end);
    if (group > 1) rows = rk_scratch(RK_SCRATCH_SCAN_GATES, SCAN_RUN * (end - begin) * sizeof(T));
    for (size_t start = 0; start < time; start += SCAN_RUN) {
        size_t steps = run_steps(time, start), run_time = a_time;
        const T *run = a + start * a_time;
        if (group > 1) {
            repeat_gates(steps, begin, end, group, run, a_time, rows);
            run_time = end - begin;
        }
        const T *run_a = group > 1 ? rows : run + begin, *run_b = b + start * b_time;
        T *run_h = h + start * channels;
#define STRIP(width, c, count) \
    diagonal_strip(width, stream, count, steps, channels, run_a + (c - begin), run_time, run_b + c, b_time, \
    before + c, run_h + c)
        SCAN_STRIPS(begin, end, STRIP)
#undef STRIP
        before = run_h + (steps - 1) * channels;
    }
    finish_stream(stream);
}

/// One run backwards. `carry` is what the steps after have for the state at the end of the run, and becomes what the
/// run has for the state before it. da: rows da_time apart, or (`constant`) one row that is added to; NULL: not wanted.
RK_INLINE void diagonal_gradient_strip(const int width, const bool constant, bool stream_da, bool stream, size_t count,
                                       size_t steps, size_t channels, const T *a, size_t a_time, const T *before,
                                       const T *h, const T *g, size_t g_time, T *carry, T *da, size_t da_time, T *db) {
    V flow[SCAN_WIDE], sum[SCAN_WIDE];
    for (int w = 0; w < width; w++) flow[w] = strip_load(width, carry, w, count), sum[w] = 0;
    for (size_t t = steps; t-- > 0;) {
        const T *past = t > 0 ? h + (t - 1) * channels : before;
        for (int w = 0; w < width; w++) {
            V dh = g ? flow[w] + strip_load(width, g + t * g_time, w, count) : flow[w];
            flow[w] = dh * strip_load(width, a + t * a_time, w, count);
            if (db) strip_put(width, stream, db + t * channels, w, count, dh);
            if (!da) continue;
            V state = strip_load(width, past, w, count);
            if (constant)
                sum[w] = v_fma(dh, state, sum[w]);
            else
                strip_put(width, stream_da, da + t * da_time, w, count, dh * state);
        }
    }
    for (int w = 0; w < width; w++) strip_store(width, carry, w, count, flow[w]);
    for (int w = 0; constant && da && w < width; w++) strip_add(width, da, w, count, sum[w]);
}

/// The gradients of gates shared by `group` channels, from those of each channel in dense rows.
static void sum_gates(size_t steps, size_t from, size_t to, size_t group, const T *rows, T *da, size_t da_time) {
    for (size_t t = 0; t < steps; t++, da += da_time)
        for (size_t gate = from / group; gate < to / group; gate++, rows += group) da[gate] = sum_channels(rows, group);
}

static void k_diagonal_scan_gradient(size_t time, size_t channels, size_t begin, size_t end, bool stream, size_t group,
                                     bool constant, const void *gates, size_t a_time, const void *initial,
                                     const void *output, const void *gradient, size_t g_time, void *dinitial,
                                     void *dgates, void *dinput) {
    const T *a = gates, *h0 = initial, *h = output, *g = gradient;
    T *carry = dinitial, *da = dgates, *db = dinput, *rows = NULL, *slopes = NULL;
    size_t width = end - begin;
    stream = stream && is_aligned(da, channels, begin, end) && is_aligned(db, channels, begin, end);
    if (group > 1) {
        rows = rk_scratch(RK_SCRATCH_SCAN_GATES, SCAN_RUN * width * sizeof(T));
        slopes = rk_scratch(RK_SCRATCH_SCAN_SLOPES, SCAN_RUN * width * sizeof(T));
    }
    if (constant && da) memset(da + begin, 0, width * sizeof(T));
    for (size_t start = time ? last_run(time) + SCAN_RUN : 0; start > 0;) {
        start -= SCAN_RUN;
        size_t steps = run_steps(time, start), run_time = group > 1 ? width : a_time;
        size_t gate_count = channels / group, da_time = group > 1 ? width : channels;
        const T *before = start > 0 ? h + (start - 1) * channels : h0, *run_h = h + start * channels;
        const T *run_a = group > 1 ? rows : a + start * a_time + begin, *run_g = g ? g + start * g_time : NULL;
        T *run_da = !da ? NULL : group > 1 ? slopes : da + (constant ? 0 : start * channels) + begin;
        T *run_db = db ? db + start * channels : NULL;
        if (group > 1) repeat_gates(steps, begin, end, group, a + start * a_time, a_time, rows);
#define STRIP_OF(constant, width, c, count) \
    diagonal_gradient_strip(width, constant, stream && group == 1, stream, count, steps, channels, \
                            run_a + (c - begin), run_time, before + c, run_h + c, run_g ? run_g + c : NULL, g_time, \
                            carry + c, run_da ? run_da + (c - begin) : NULL, da_time, run_db ? run_db + c : NULL)
#define STRIP_SUM(width, c, count) STRIP_OF(true, width, c, count)
#define STRIP_ROWS(width, c, count) STRIP_OF(false, width, c, count)
        if (constant) {
            SCAN_STRIPS(begin, end, STRIP_SUM)
        } else {
            SCAN_STRIPS(begin, end, STRIP_ROWS)
        }
#undef STRIP_OF
#undef STRIP_SUM
#undef STRIP_ROWS
        if (group > 1 && da) sum_gates(steps, begin, end, group, slopes, da + start * gate_count, gate_count);
    }
    finish_stream(stream);
}

// --- h = a h + b, complex ---------------------------------------------------------------------------

/// Real and imaginary parts, in arrays of their own.
typedef struct {
    const T *re, *im;
} complex_rows;

typedef struct {
    T *re, *im;
} complex_sums;

#define COMPLEX_AT(z, offset) {z.re ? z.re + (offset) : NULL, z.im ? z.im + (offset) : NULL}

RK_INLINE void complex_strip(const int width, bool stream, size_t count, size_t steps, size_t channels,
                             complex_rows a, size_t a_time, complex_rows b, size_t b_time, complex_rows before,
                             complex_sums h) {
    V re[SCAN_WIDE], im[SCAN_WIDE];
    for (int w = 0; w < width; w++) {
        re[w] = strip_load(width, before.re, w, count);
        im[w] = strip_load(width, before.im, w, count);
    }
    for (size_t t = 0; t < steps; t++)
        for (int w = 0; w < width; w++) {
            V a_re = strip_load(width, a.re + t * a_time, w, count);
            V a_im = strip_load(width, a.im + t * a_time, w, count);
            V b_re = strip_load(width, b.re + t * b_time, w, count);
            V b_im = strip_load(width, b.im + t * b_time, w, count);
            V next = v_fma(a_re, re[w], v_fma(-a_im, im[w], b_re));
            im[w] = v_fma(a_re, im[w], v_fma(a_im, re[w], b_im));
            re[w] = next;
            strip_put(width, stream, h.re + t * channels, w, count, re[w]);
            strip_put(width, stream, h.im + t * channels, w, count, im[w]);
        }
}

static void k_complex_diagonal_scan(size_t time, size_t channels, size_t begin, size_t end, bool stream,
                                    const void *a_re, const void *a_im, size_t a_time, const void *b_re,
                                    const void *b_im, size_t b_time, const void *h0_re, const void *h0_im, void *h_re,
                                    void *h_im) {
    complex_rows a = {a_re, a_im}, b = {b_re, b_im}, before = {h0_re, h0_im};
    complex_sums h = {h_re, h_im};
    stream = stream && is_aligned(h_re, channels, begin, end) && is_aligned(h_im, channels, begin, end);
    for (size_t start = 0; start < time; start += SCAN_RUN) {
        size_t steps = run_steps(time, start);
#define STRIP(width, c, count) \
    complex_strip(width, stream, count, steps, channels, (complex_rows)COMPLEX_AT(a, start * a_time + c), \
                  a_time, (complex_rows)COMPLEX_AT(b, start * b_time + c), b_time, \
                  (complex_rows)COMPLEX_AT(before, c), (complex_sums)COMPLEX_AT(h, start * channels + c))
        SCAN_STRIPS(begin, end, STRIP)
#undef STRIP
        before = (complex_rows)COMPLEX_AT(h, (start + steps - 1) * channels);
    }
    finish_stream(stream);
}

/// One run backwards, see diagonal_gradient_strip; the state's gradient passes a step times a's conjugate.
RK_INLINE void complex_gradient_strip(const int width, const bool constant, bool stream, size_t count, size_t steps,
                                      size_t channels, complex_rows a, size_t a_time, complex_rows before,
                                      complex_rows h, complex_rows g, size_t g_time, complex_sums carry,
                                      complex_sums da, complex_sums db) {
    V re[SCAN_WIDE], im[SCAN_WIDE], sum_re[SCAN_WIDE], sum_im[SCAN_WIDE];
    for (int w = 0; w < width; w++) {
        re[w] = strip_load(width, carry.re, w, count), im[w] = strip_load(width, carry.im, w, count);
        sum_re[w] = sum_im[w] = 0;
    }
    for (size_t t = steps; t-- > 0;) {
        const T *past_re = t > 0 ? h.re + (t - 1) * channels : before.re;
        const T *past_im = t > 0 ? h.im + (t - 1) * channels : before.im;
        for (int w = 0; w < width; w++) {
            V d_re = g.re ? re[w] + strip_load(width, g.re + t * g_time, w, count) : re[w];
            V d_im = g.im ? im[w] + strip_load(width, g.im + t * g_time, w, count) : im[w];
            V a_re = strip_load(width, a.re + t * a_time, w, count);
            V a_im = strip_load(width, a.im + t * a_time, w, count);
            re[w] = v_fma(a_re, d_re, a_im * d_im);
            im[w] = v_fma(a_re, d_im, -(a_im * d_re));
            if (db.re) strip_put(width, stream, db.re + t * channels, w, count, d_re);
            if (db.im) strip_put(width, stream, db.im + t * channels, w, count, d_im);
            if (!da.re) continue;
            V h_re = strip_load(width, past_re, w, count), h_im = strip_load(width, past_im, w, count);
            V slope_re = v_fma(d_re, h_re, d_im * h_im), slope_im = v_fma(d_im, h_re, -(d_re * h_im));
            if (constant) {
                sum_re[w] += slope_re, sum_im[w] += slope_im;
            } else {
                strip_put(width, stream, da.re + t * channels, w, count, slope_re);
                strip_put(width, stream, da.im + t * channels, w, count, slope_im);
            }
        }
    }
    for (int w = 0; w < width; w++) {
        strip_store(width, carry.re, w, count, re[w]), strip_store(width, carry.im, w, count, im[w]);
        if (!constant || !da.re) continue;
        strip_add(width, da.re, w, count, sum_re[w]), strip_add(width, da.im, w, count, sum_im[w]);
    }
}

static void k_complex_diagonal_scan_gradient(size_t time, size_t channels, size_t begin, size_t end, bool stream,
                                             bool constant, const void *a_re, const void *a_im, size_t a_time,
                                             const void *h0_re, const void *h0_im, const void *h_re, const void *h_im,
                                             const void *g_re, const void *g_im, size_t g_time, void *dh0_re,
                                             void *dh0_im, void *da_re, void *da_im, void *db_re, void *db_im) {
    complex_rows a = {a_re, a_im}, h0 = {h0_re, h0_im}, h = {h_re, h_im}, g = {g_re, g_im};
    complex_sums carry = {dh0_re, dh0_im}, da = {da_re, da_im}, db = {db_re, db_im};
    stream = stream && is_aligned(db_re, channels, begin, end) && is_aligned(db_im, channels, begin, end) &&
             is_aligned(da_re, channels, begin, end) && is_aligned(da_im, channels, begin, end);
    if (constant && da.re) {
        memset(da.re + begin, 0, (end - begin) * sizeof(T));
        memset(da.im + begin, 0, (end - begin) * sizeof(T));
    }
    for (size_t start = time ? last_run(time) + SCAN_RUN : 0; start > 0;) {
        start -= SCAN_RUN;
        size_t steps = run_steps(time, start), row = start * channels;
        complex_rows before = h0;
        if (start > 0) before = (complex_rows)COMPLEX_AT(h, row - channels);
#define STRIP_OF(constant, width, c, count) \
    complex_gradient_strip(width, constant, stream, count, steps, channels, \
                           (complex_rows)COMPLEX_AT(a, start * a_time + c), a_time, \
                           (complex_rows)COMPLEX_AT(before, c), (complex_rows)COMPLEX_AT(h, row + c), \
                           (complex_rows)COMPLEX_AT(g, start * g_time + c), g_time, \
                           (complex_sums)COMPLEX_AT(carry, c), \
                           (complex_sums)COMPLEX_AT(da, (constant ? 0 : row) + c), \
                           (complex_sums)COMPLEX_AT(db, row + c))
#define STRIP_SUM(width, c, count) STRIP_OF(true, width, c, count)
#define STRIP_ROWS(width, c, count) STRIP_OF(false, width, c, count)
        if (constant) {
            SCAN_STRIPS(begin, end, STRIP_SUM)
        } else {
            SCAN_STRIPS(begin, end, STRIP_ROWS)
        }
#undef STRIP_OF
#undef STRIP_SUM
#undef STRIP_ROWS
    }
    finish_stream(stream);
}

// --- m = max(f + m, i) ------------------------------------------------------------------------------

RK_INLINE void max_plus_strip(const int width, bool stream, size_t count, size_t steps, size_t channels, const T *f,
                              size_t f_time, const T *i, size_t i_time, const T *before, T *m) {
    V state[SCAN_WIDE];
    for (int w = 0; w < width; w++) state[w] = strip_load(width, before, w, count);
    for (size_t t = 0; t < steps; t++, f += f_time, i += i_time, m += channels)
        for (int w = 0; w < width; w++) {
            V kept = strip_load(width, f, w, count) + state[w], input = strip_load(width, i, w, count);
            // The first among equals; NaN on either side stays.
            I first = (kept >= input) | (kept != kept);
            state[w] = first ? kept : input;
            strip_put(width, stream, m, w, count, state[w]);
        }
}

static void k_max_plus_scan(size_t time, size_t channels, size_t begin, size_t end, bool stream, const void *decay,
                            size_t f_time, const void *input, size_t i_time, const void *initial, void *output) {
    const T *f = decay, *i = input, *before = initial;
    T *m = output;
    stream = stream && is_aligned(m, channels, begin, end);
    for (size_t start = 0; start < time; start += SCAN_RUN) {
        size_t steps = run_steps(time, start);
#define STRIP(width, c, count) \
    max_plus_strip(width, stream, count, steps, channels, f + start * f_time + c, f_time, i + start * i_time + c, \
                   i_time, before + c, m + start * channels + c)
        SCAN_STRIPS(begin, end, STRIP)
#undef STRIP
        before = m + (start + steps - 1) * channels;
    }
    finish_stream(stream);
}

/// One run backwards, see diagonal_gradient_strip. The first operand won where the result equals it.
RK_INLINE void max_plus_gradient_strip(const int width, const bool constant, bool stream, size_t count, size_t steps,
                                       size_t channels, const T *f, size_t f_time, const T *before, const T *m,
                                       const T *g, size_t g_time, T *carry, T *df, T *di) {
    V flow[SCAN_WIDE], sum[SCAN_WIDE];
    for (int w = 0; w < width; w++) flow[w] = strip_load(width, carry, w, count), sum[w] = 0;
    for (size_t t = steps; t-- > 0;) {
        const T *past = t > 0 ? m + (t - 1) * channels : before;
        for (int w = 0; w < width; w++) {
            V dm = g ? flow[w] + strip_load(width, g + t * g_time, w, count) : flow[w];
            V kept = strip_load(width, f + t * f_time, w, count) + strip_load(width, past, w, count);
            I first = kept == strip_load(width, m + t * channels, w, count);
            flow[w] = first ? dm : v_set(0);
            if (di) strip_put(width, stream, di + t * channels, w, count, first ? v_set(0) : dm);
            if (!df) continue;
            if (constant)
                sum[w] += flow[w];
            else
                strip_put(width, stream, df + t * channels, w, count, flow[w]);
        }
    }
    for (int w = 0; w < width; w++) strip_store(width, carry, w, count, flow[w]);
    for (int w = 0; constant && df && w < width; w++) strip_add(width, df, w, count, sum[w]);
}

static void k_max_plus_scan_gradient(size_t time, size_t channels, size_t begin, size_t end, bool stream, bool constant,
                                     const void *decay, size_t f_time, const void *initial, const void *output,
                                     const void *gradient, size_t g_time, void *dinitial, void *ddecay, void *dinput) {
    const T *f = decay, *m0 = initial, *m = output, *g = gradient;
    T *carry = dinitial, *df = ddecay, *di = dinput;
    stream = stream && is_aligned(df, channels, begin, end) && is_aligned(di, channels, begin, end);
    if (constant && df) memset(df + begin, 0, (end - begin) * sizeof(T));
    for (size_t start = time ? last_run(time) + SCAN_RUN : 0; start > 0;) {
        start -= SCAN_RUN;
        size_t steps = run_steps(time, start), row = start * channels;
        const T *before = start > 0 ? m + row - channels : m0;
#define STRIP_OF(constant, width, c, count) \
    max_plus_gradient_strip(width, constant, stream, count, steps, channels, f + start * f_time + c, f_time, \
                            before + c, m + row + c, g ? g + start * g_time + c : NULL, g_time, carry + c, \
                            df ? df + (constant ? 0 : row) + c : NULL, di ? di + row + c : NULL)
#define STRIP_SUM(width, c, count) STRIP_OF(true, width, c, count)
#define STRIP_ROWS(width, c, count) STRIP_OF(false, width, c, count)
        if (constant) {
            SCAN_STRIPS(begin, end, STRIP_SUM)
        } else {
            SCAN_STRIPS(begin, end, STRIP_ROWS)
        }
#undef STRIP_OF
#undef STRIP_SUM
#undef STRIP_ROWS
    }
    finish_stream(stream);
}

// --- leaky integrate and fire -----------------------------------------------------------------------

RK_INLINE void spiking_strip(const int width, bool stream, size_t count, size_t steps, size_t channels, T keep, T gain,
                             T threshold, const T *x, size_t x_time, T *h, T *s, T *v) {
    V state[SCAN_WIDE];
    for (int w = 0; w < width; w++) state[w] = strip_load(width, v, w, count);
    for (size_t t = 0; t < steps; t++, x += x_time, h += channels, s += channels)
        for (int w = 0; w < width; w++) {
            V potential = keep * state[w] + gain * strip_load(width, x, w, count);
            I fires = potential >= threshold, isNumber = potential == potential;
            strip_put(width, stream, h, w, count, potential);
            strip_put(width, stream, s, w, count, fires ? v_set(1) : (isNumber ? v_set(0) : potential));
            state[w] = fires ? v_set(0) : potential;
        }
    for (int w = 0; w < width; w++) strip_store(width, v, w, count, state[w]);
}

static void k_spiking_scan(size_t time, size_t channels, size_t begin, size_t end, bool stream, double keep,
                           double gain, double threshold, const void *input, size_t x_time, void *potentials,
                           void *spikes, void *state) {
    const T *x = input;
    T *h = potentials, *s = spikes, *v = state;
    stream = stream && is_aligned(h, channels, begin, end) && is_aligned(s, channels, begin, end);
    for (size_t start = 0; start < time; start += SCAN_RUN) {
        size_t steps = run_steps(time, start), row = start * channels;
#define STRIP(width, c, count) \
    spiking_strip(width, stream, count, steps, channels, (T)keep, (T)gain, (T)threshold, x + start * x_time + c, \
                  x_time, h + row + c, s + row + c, v + c)
        SCAN_STRIPS(begin, end, STRIP)
#undef STRIP
    }
    finish_stream(stream);
}

RK_INLINE void spiking_gradient_strip(const int width, bool stream, size_t count, size_t steps, size_t channels,
                                      T keep, T gain, T threshold, T sharpness, const T *h, const T *g, size_t g_time,
                                      T *dx, T *carry) {
    V flow[SCAN_WIDE];
    for (int w = 0; w < width; w++) flow[w] = strip_load(width, carry, w, count);
    for (size_t t = steps; t-- > 0;)
        for (int w = 0; w < width; w++) {
            V potential = strip_load(width, h + t * channels, w, count);
            V dh = potential >= threshold ? v_set(0) : flow[w];
            if (g) {
                V surrogate = v_sigmoid(sharpness * (potential - threshold));
                dh += strip_load(width, g + t * g_time, w, count) * (sharpness * surrogate * (1 - surrogate));
            }
            strip_put(width, stream, dx + t * channels, w, count, gain * dh);
            flow[w] = keep * dh;
        }
    for (int w = 0; w < width; w++) strip_store(width, carry, w, count, flow[w]);
}

static void k_spiking_scan_gradient(size_t time, size_t channels, size_t begin, size_t end, bool stream, double keep,
                                    double gain, double threshold, double sharpness, const void *potentials,
                                    const void *gradient, size_t g_time, void *dinput, void *dstate) {
    const T *h = potentials, *g = gradient;
    T *dx = dinput, *carry = dstate;
    stream = stream && is_aligned(dx, channels, begin, end);
    for (size_t start = time ? last_run(time) + SCAN_RUN : 0; start > 0;) {
        start -= SCAN_RUN;
        size_t steps = run_steps(time, start), row = start * channels;
#define STRIP(width, c, count) \
    spiking_gradient_strip(width, stream, count, steps, channels, (T)keep, (T)gain, (T)threshold, (T)sharpness, \
                           h + row + c, g ? g + start * g_time + c : NULL, g_time, dx + row + c, carry + c)
        SCAN_STRIPS(begin, end, STRIP)
#undef STRIP
    }
    finish_stream(stream);
}
