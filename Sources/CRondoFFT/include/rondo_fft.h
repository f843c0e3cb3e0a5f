// Real discrete Fourier transforms, for any length, behind a C interface.
#ifndef RONDO_FFT_H
#define RONDO_FFT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The length / 2 + 1 coefficients sum_t x[t] exp(-2 pi i k t / length) of `count` values followed by zeros.
/// `wide` picks double instead of float. Returns false when memory runs out.
bool rondo_fft_real(bool wide, const void *x, size_t count, size_t length, void *real, void *imaginary);

/// The `length` real values of half a spectrum, scaled by 1 / length. Imaginary parts that a real signal cannot have
/// (at k = 0 and, for even lengths, k = length / 2) are ignored.
bool rondo_fft_real_inverse(bool wide, const void *real, const void *imaginary, size_t length, void *x);

#ifdef __cplusplus
}
#endif
#endif
