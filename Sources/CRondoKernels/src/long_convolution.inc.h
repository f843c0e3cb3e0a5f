// Causal convolutions as long as the sequence, per channel, of time-major sequences [time, channels]:
//   y[t] = sum_{l <= t} kernel[l] u[t - l]
//   du[s] = sum_{l < time - s} kernel[l] g[s + l]
//   dkernel[l] = sum_{t >= l} g[t] u[t - l]
// LANES neighbouring channels at a time, through the rings of fourier.inc.h: with spectra K, U, G of kernel, u and g,
//   Y = K U,   DU = conj(K) G,   DK = conj(U) G,
// as the transform is unitary up to its factor. Up to DIRECT_TIME steps the sums above are taken as they stand, and
// `spectrum` stands for the kernel, time-major.
#include "fourier.inc.h"
#include "cauchy.inc.h"
#include "vandermonde.inc.h"

// --- transposition --------------------------------------------------------------------------------

/// Rows become columns: LANES vectors, each round interleaving the halves.
RK_INLINE void transpose_lanes(V *rows) {
    FULLY_UNROLLED for (int width = 1; width < LANES; width *= 2) {
        V next[LANES];
        FULLY_UNROLLED for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = v_interleave_low(rows[i], rows[i + LANES / 2]);
            next[2 * i + 1] = v_interleave_high(rows[i], rows[i + LANES / 2]);
        }
        FULLY_UNROLLED for (int i = 0; i < LANES; i++) rows[i] = next[i];
    }
}

/// block[t, lane] = rows[lane, t] for t < time; lanes from `count` on are zero.
static void load_taps(const T *rows, size_t stride, size_t count, size_t time, T *block) {
    for (size_t t = 0; t < time; t += LANES) {
        V square[LANES];
        FULLY_UNROLLED for (size_t i = 0; i < LANES; i++)
            square[i] = i < count ? v_load_up_to(rows + i * stride + t, time - t) : v_set(0);
        transpose_lanes(square);
        FULLY_UNROLLED for (size_t i = 0; i < LANES; i++)
            if (t + i < time) v_store(block + (t + i) * LANES, square[i]);
    }
}

/// rows[lane, t] = block[t, lane] for t < time and the first `count` lanes.
static void store_taps(const T *block, size_t time, T *rows, size_t stride, size_t count) {
    for (size_t t = 0; t < time; t += LANES) {
        V square[LANES];
        FULLY_UNROLLED for (size_t i = 0; i < LANES; i++)
            square[i] = t + i < time ? v_load(block + (t + i) * LANES) : v_set(0);
        transpose_lanes(square);
        FULLY_UNROLLED for (size_t i = 0; i < LANES; i++)
            if (i < count) v_store_up_to(rows + i * stride + t, square[i], time - t);
    }
}

// --- short sequences ------------------------------------------------------------------------------

RK_INLINE void convolve_directly(size_t time, size_t stride, size_t count, const T *kernel, const T *u, T *y) {
    for (size_t t = 0; t < time; t++) {
        V sum = 0;
        for (size_t l = 0; l <= t; l++)
            sum = v_fma(v_load(kernel + l * LANES), v_load_up_to(u + (t - l) * stride, count), sum);
        v_store_up_to(y + t * stride, sum, count);
    }
}

RK_INLINE void correlate_kernel(size_t time, size_t stride, size_t count, const T *kernel, const T *g, T *du) {
    for (size_t s = 0; s < time; s++) {
        V sum = 0;
        for (size_t l = 0; l < time - s; l++)
            sum = v_fma(v_load(kernel + l * LANES), v_load_up_to(g + (s + l) * stride, count), sum);
        v_store_up_to(du + s * stride, sum, count);
    }
}

RK_INLINE void correlate_input(size_t time, size_t stride, size_t count, bool accumulates, const T *u, const T *g,
                               T *sums) {
    for (size_t l = 0; l < time; l++) {
        V sum = accumulates ? v_load(sums + l * LANES) : v_set(0);
        for (size_t t = l; t < time; t++)
            sum = v_fma(v_load_up_to(g + t * stride, count), v_load_up_to(u + (t - l) * stride, count), sum);
        v_store(sums + l * LANES, sum);
    }
}

// --- products of spectra --------------------------------------------------------------------------

/// data *= factor.
RK_INLINE void multiply_points(size_t points, const T *factor, T *data) {
    for (size_t i = 0; i < points * POINT; i += POINT) {
        V ar = v_load(data + i), ai = v_load(data + i + LANES);
        V br = v_load(factor + i), bi = v_load(factor + i + LANES);
        v_store(data + i, v_fma(ar, br, -ai * bi));
        v_store(data + i + LANES, v_fma(ar, bi, ai * br));
    }
}

/// data *= conj(factor).
RK_INLINE void multiply_conjugate(size_t points, const T *factor, T *data) {
    for (size_t i = 0; i < points * POINT; i += POINT) {
        V ar = v_load(data + i), ai = v_load(data + i + LANES);
        V br = v_load(factor + i), bi = v_load(factor + i + LANES);
        v_store(data + i, v_fma(ar, br, ai * bi));
        v_store(data + i + LANES, v_fma(ai, br, -ar * bi));
    }
}

/// sums = conj(u) g, or plus that.
RK_INLINE void accumulate_products(size_t points, bool accumulates, const T *u, const T *g, T *sums) {
    for (size_t i = 0; i < points * POINT; i += POINT) {
        V ar = v_load(g + i), ai = v_load(g + i + LANES), br = v_load(u + i), bi = v_load(u + i + LANES);
        V re = accumulates ? v_load(sums + i) : v_set(0), im = accumulates ? v_load(sums + i + LANES) : v_set(0);
        v_store(sums + i, v_fma(ar, br, v_fma(ai, bi, re)));
        v_store(sums + i + LANES, v_fma(ai, br, v_fma(-ar, bi, im)));
    }
}

// --- kernels --------------------------------------------------------------------------------------

static T *fourier_scratch(rk_scratch_use use, const fourier_plan *plan) {
    return rk_scratch(use, plan->points * POINT * sizeof(T));
}

static void k_long_convolution_layout(size_t time, size_t *lanes, size_t *elements) {
    *lanes = LANES;
    *elements = time <= DIRECT_TIME ? time * LANES : fourier_points(time) * POINT;
}

static void k_long_convolution_spectrum(size_t time, size_t taps, size_t count, const void *kernel, void *spectrum) {
    size_t used = taps < time ? taps : time;
    if (time <= DIRECT_TIME) {
        memset(spectrum, 0, time * LANES * sizeof(T));
        load_taps(kernel, taps, count, used, spectrum);
        return;
    }
    const fourier_plan *plan = plan_for(time);
    T *block = rk_scratch(RK_SCRATCH_CONVOLUTION_TAPS, used * LANES * sizeof(T));
    load_taps(kernel, taps, count, used, block);
    ring_enter(plan, block, LANES, used, LANES, spectrum);
    size_t part = plan->points / FIRST_RADIX;
    for (size_t i = 0; i < FIRST_RADIX; i++) forward_passes(plan, 1, part, (T *)spectrum + i * part * POINT);
}

static void k_long_convolution(size_t time, size_t channels, size_t count, const void *spectrum, const void *u,
                               void *y) {
    if (time <= DIRECT_TIME) {
        convolve_directly(time, channels, count, spectrum, u, y);
        return;
    }
    const fourier_plan *plan = plan_for(time);
    T *data = fourier_scratch(RK_SCRATCH_CONVOLUTION_INPUT, plan);
    ring_enter(plan, u, channels, time, count, data);
    size_t part = plan->points / FIRST_RADIX;
    for (size_t i = 0; i < FIRST_RADIX; i++) {
        T *block = data + i * part * POINT;
        forward_passes(plan, 1, part, block);
        multiply_points(part, (const T *)spectrum + i * part * POINT, block);
        inverse_passes(plan, 1, part, block);
    }
    ring_leave(plan, data, y, channels, time, count);
}

static void k_long_convolution_gradient(size_t time, size_t channels, size_t count, bool accumulates,
                                        const void *spectrum, const void *u, const void *g, void *du, void *sums) {
    if (time <= DIRECT_TIME) {
        if (du) correlate_kernel(time, channels, count, spectrum, g, du);
        if (sums) correlate_input(time, channels, count, accumulates, u, g, sums);
        return;
    }
    const fourier_plan *plan = plan_for(time);
    T *slopes = fourier_scratch(RK_SCRATCH_CONVOLUTION_SLOPES, plan), *inputs = NULL;
    ring_enter(plan, g, channels, time, count, slopes);
    if (sums) {
        inputs = fourier_scratch(RK_SCRATCH_CONVOLUTION_INPUT, plan);
        ring_enter(plan, u, channels, time, count, inputs);
    }
    size_t part = plan->points / FIRST_RADIX;
    for (size_t i = 0; i < FIRST_RADIX; i++) {
        size_t offset = i * part * POINT;
        forward_passes(plan, 1, part, slopes + offset);
        if (sums) {
            forward_passes(plan, 1, part, inputs + offset);
            accumulate_products(part, accumulates, inputs + offset, slopes + offset, (T *)sums + offset);
        }
        if (du) {
            multiply_conjugate(part, (const T *)spectrum + offset, slopes + offset);
            inverse_passes(plan, 1, part, slopes + offset);
        }
    }
    if (du) ring_leave(plan, slopes, du, channels, time, count);
}

/// The sum of `parts` arrays, in order, into the first.
RK_INLINE void add_spectra(size_t parts, size_t stride, size_t elements, T *sums) {
    for (size_t part = 1; part < parts; part++)
        for (size_t i = 0; i < elements; i += LANES)
            v_store(sums + i, v_load(sums + i) + v_load(sums + part * stride + i));
}

static void k_long_convolution_taps(size_t time, size_t taps, size_t count, size_t parts, size_t stride, void *sums,
                                    void *dkernel) {
    size_t used = taps < time ? taps : time, lanes, elements;
    k_long_convolution_layout(time, &lanes, &elements);
    add_spectra(parts, stride, elements, sums);
    T *block = sums;
    if (time > DIRECT_TIME) {
        const fourier_plan *plan = plan_for(time);
        size_t part = plan->points / FIRST_RADIX;
        for (size_t i = 0; i < FIRST_RADIX; i++) inverse_passes(plan, 1, part, block + i * part * POINT);
        block = rk_scratch(RK_SCRATCH_CONVOLUTION_TAPS, used * LANES * sizeof(T));
        ring_leave(plan, sums, block, LANES, used, LANES);
    }
    store_taps(block, used, dkernel, taps, count);
    for (size_t c = 0; c < count; c++) memset((T *)dkernel + c * taps + used, 0, (taps - used) * sizeof(T));
}
