// Linear recurrences whose state is a vector, elementwise: scans over one sequence. See rondo_kernels.h for the
// conventions.
//
// Every call computes the channels begin..<end of a sequence; pointers are those of the sequence's first element, and
// `<x>_time` is the number of elements from one position of x to the next. Other arrays are dense: results and their
// gradients [time, channels], initial states and their gradients [channels]. The operand that multiplies (or decays)
// the state may stay the same over time: its `_time` is 0, and with `constant` its gradient is one row, summed over
// time. Without positions, gradients that are sums become zero.
//
// `stream` says that results are too large for the caches, so that they are better stored past them (where they are
// aligned to cache lines).
//
// In the backward calls, dh0 holds the gradient of the final state and becomes that of the initial one. g (the gradient
// of all states) may be NULL: zeros. Gradients that are NULL are not wanted.
#ifndef RONDO_SCAN_H
#define RONDO_SCAN_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// h[t] = a[t] h[t - 1] + b[t], h[-1] = h0. With `group` > 1 a position of a has channels / group elements, each for
/// that many channels side by side, and begin and end are multiples of it.
void rk_diagonal_scan(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream, size_t group,
                      const void *a, size_t a_time, const void *b, size_t b_time, const void *h0, void *h);

/// db[t] = g[t] + a[t + 1] db[t + 1], da[t] = db[t] h[t - 1] summed over a group's channels ([time, channels / group]).
/// `constant` goes with `group` 1 only.
void rk_diagonal_scan_gradient(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream,
                               size_t group, bool constant, const void *a, size_t a_time, const void *h0, const void *h,
                               const void *g, size_t g_time, void *dh0, void *da, void *db);

/// rk_diagonal_scan of complex numbers, whose real and imaginary parts are arrays of their own.
void rk_complex_diagonal_scan(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream,
                              const void *a_re, const void *a_im, size_t a_time, const void *b_re, const void *b_im,
                              size_t b_time, const void *h0_re, const void *h0_im, void *h_re, void *h_im);

/// db[t] = g[t] + conj(a[t + 1]) db[t + 1], da[t] = db[t] conj(h[t - 1]), where a gradient's parts are those of the
/// parts. da_re and da_im are wanted both or not at all.
void rk_complex_diagonal_scan_gradient(rk_type type, size_t time, size_t channels, size_t begin, size_t end,
                                       bool stream, bool constant, const void *a_re, const void *a_im, size_t a_time,
                                       const void *h0_re, const void *h0_im, const void *h_re, const void *h_im,
                                       const void *g_re, const void *g_im, size_t g_time, void *dh0_re, void *dh0_im,
                                       void *da_re, void *da_im, void *db_re, void *db_im);

/// m[t] = max(f[t] + m[t - 1], i[t]), m[-1] = m0; NaN stays NaN.
void rk_max_plus_scan(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream, const void *f,
                      size_t f_time, const void *i, size_t i_time, const void *m0, void *m);

/// The gradient at m[t] goes to f[t] and m[t - 1] if f[t] + m[t - 1] >= i[t], else to i[t].
void rk_max_plus_scan_gradient(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream,
                               bool constant, const void *f, size_t f_time, const void *m0, const void *m,
                               const void *g, size_t g_time, void *dm0, void *df, void *di);

/// h[t] = keep v[t - 1] + gain x[t], s[t] = h[t] >= threshold (1 or 0; NaN if h is), v[t] = s[t] ? 0 : h[t]. `v` holds
/// the first v and becomes the last one.
void rk_spiking_scan(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream, double keep,
                     double gain, double threshold, const void *x, size_t x_time, void *h, void *s, void *v);

/// With the surrogate f = sigmoid(sharpness (h - threshold)) in the place of s, and resets as if they were constants:
/// dh[t] = g[t] f'[t] + (s[t] ? 0 : keep dh[t + 1]), dx = gain dh. `dv` is as dh0 above.
void rk_spiking_scan_gradient(rk_type type, size_t time, size_t channels, size_t begin, size_t end, bool stream,
                              double keep, double gain, double threshold, double sharpness, const void *h,
                              const void *g, size_t g_time, void *dx, void *dv);

#ifdef __cplusplus
}
#endif

#endif
