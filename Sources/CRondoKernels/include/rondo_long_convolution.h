// Causal convolutions as long as the sequence.
#ifndef RONDO_LONG_CONVOLUTION_H
#define RONDO_LONG_CONVOLUTION_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// Per channel c of a time-major sequence u [time, channels], with a kernel [channels, taps]:
//   y[t, c] = sum_{l <= t, l < taps} kernel[c, l] u[t - l, c]
// The functions work on blocks of up to `lanes` neighbouring channels: pointers to u, y, g and du point to the block's
// first channel, and `count` channels of it are there.

/// The channels of a block, and the elements of its spectrum, on the current CPU.
void rk_long_convolution_layout(rk_type type, size_t time, size_t *lanes, size_t *elements);

/// What the others need to know of a block's kernel [count, taps]: its spectrum, aligned to 64 bytes.
void rk_long_convolution_spectrum(rk_type type, size_t time, size_t taps, size_t count, const void *kernel,
                                  void *spectrum);

/// y for one sequence.
void rk_long_convolution(rk_type type, size_t time, size_t channels, size_t count, const void *spectrum,
                         const void *u, void *y);

/// From the cotangent g of y of one sequence: du, unless null, and its part of the kernel's gradient, in the form of
/// a spectrum, which replaces or adds to `sums`, unless null.
void rk_long_convolution_gradient(rk_type type, size_t time, size_t channels, size_t count, bool accumulates,
                                  const void *spectrum, const void *u, const void *g, void *du, void *sums);

/// The gradient dkernel [count, taps] of a block from `parts` spectra, `stride` elements apart, that are summed in
/// order; overwrites them.
void rk_long_convolution_taps(rk_type type, size_t time, size_t taps, size_t count, size_t parts, size_t stride,
                              void *sums, void *dkernel);

/// For poles p [poles], numerators v [count, poles] and nodes z [length], all complex and given by their real and
/// imaginary parts, k [count, length]:
///   k[m, l] = sum_n v[m, n] / (z[l] - p[n]), and if `conjugated`, + conj(v[m, n]) / (z[l] - conj(p[n]))
/// Rows of v are `numerator_stride`, rows of k `node_stride` elements apart.
void rk_cauchy(rk_type type, bool conjugated, size_t count, size_t poles, size_t length, size_t numerator_stride,
               size_t node_stride, const void *vre, const void *vim, const void *pre, const void *pim, const void *zre,
               const void *zim, void *kre, void *kim);

/// The gradients from the cotangent g of k: dv (laid out as v) is set; those of the poles and, unless null, of the
/// nodes are added to.
void rk_cauchy_gradient(rk_type type, bool conjugated, size_t count, size_t poles, size_t length,
                        size_t numerator_stride, size_t node_stride, const void *vre, const void *vim, const void *pre,
                        const void *pim, const void *zre, const void *zim, const void *gre, const void *gim, void *dvre,
                        void *dvim, void *dpre, void *dpim, void *dzre, void *dzim);

/// k[l] = 2 Re sum_n w[n] e^(l a[n]) for l < length: complex w and a [poles], given by their parts.
void rk_vandermonde(rk_type type, size_t poles, size_t length, const void *wre, const void *wim, const void *are,
                    const void *aim, void *k);

/// The gradients of w and a from the cotangent g of k.
void rk_vandermonde_gradient(rk_type type, size_t poles, size_t length, const void *wre, const void *wim,
                             const void *are, const void *aim, const void *g, void *dwre, void *dwim, void *dare,
                             void *daim);

#ifdef __cplusplus
}
#endif
#endif
