// Products with a weight matrix that is read as it lies, [outputs, inputs], in the type in which it is stored. See
// rondo_kernels.h for the conventions.
//
// Quantised rows are cut into blocks of RK_BLOCK columns, the last one filled up with zeros. A block holds one code per
// column and one scale (bfloat16) per group of RK_GROUP columns; an element is its code's level times its group's
// scale, rounded once to float.
//   RK_S_QUANTIZED8: 128 codes (int8, the levels themselves), 4 scales.
//   RK_S_QUANTIZED4: 64 bytes of codes (16 little-endian words of 32 bits; column c is bits 4 (c / 16) ... + 3 of word
//                    c % 16, a number of RK_LEVELS), 4 scales.
#ifndef RONDO_WEIGHTS_H
#define RONDO_WEIGHTS_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RK_BLOCK = 128, RK_GROUP = 32, RK_BLOCK8_BYTES = 136, RK_BLOCK4_BYTES = 72 };

/// The 16 levels of RK_S_QUANTIZED4, in rising order: those of least mean square error for normally distributed
/// weights whose scale is chosen as rk_quantize_rows does, with one of them held at zero.
extern const int8_t rk_levels[16];

/// The bytes of one row of `columns` elements.
size_t rk_row_bytes(rk_storage type, size_t columns);

/// y[r, o] = sum_i x[r, i] W[o, i] + bias[o], for `rows` rows of x (`x_row` elements apart) and `outputs` rows of W
/// (dense); bias may be NULL. x, bias and y are of `type`; W is RK_S_FLOAT64 if that is double, else one of
/// RK_S_FLOAT32, RK_S_BFLOAT16, RK_S_FLOAT16, RK_S_QUANTIZED8, RK_S_QUANTIZED4. An element of y is the same bits
/// whatever other rows and outputs are computed with it. Made for few rows: W is read from memory once.
void rk_linear(rk_type type, rk_storage weights, size_t rows, size_t inputs, size_t outputs, const void *x, size_t x_row,
               const void *w, const void *bias, void *y, size_t y_row);

/// Rows of W as dense elements of `type`, which with float64 must be the type of W.
void rk_expand_rows(rk_type type, rk_storage weights, size_t rows, size_t columns, const void *w, void *out);

/// Quantises dense float rows, each group by itself, to the nearest levels. The same bits on every CPU.
///   RK_S_QUANTIZED8: scale = max |x| / 127, rounded up.
///   RK_S_QUANTIZED4: of a few scales near that which takes the largest element to the lowest level, the one of
///                    least square error.
/// A group that holds an infinity or NaN becomes NaN throughout.
void rk_quantize_rows(rk_storage to, size_t rows, size_t columns, const float *x, void *out);

#ifdef __cplusplus
}
#endif
#endif
