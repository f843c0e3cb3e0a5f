// The vector type of one (level, element type) and its few primitive operations.
//
// A level file defines RK_FLOAT (1: float, 0: double) and RK_VECTOR_BYTES, then includes kernels.inc.h. Everything
// below is plain C over clang's vector types: `V` holds `LANES` elements of `T`, `I` as many integers of its width.
// A comparison gives an I of all-zeros / all-ones lanes; `mask ? a : b` selects lane by lane.
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__)
#include <immintrin.h>
#endif

#define RK_INLINE static inline __attribute__((always_inline))

#if RK_FLOAT
typedef float T;
typedef int32_t TI;
typedef uint32_t TU;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#else
typedef double T;
typedef int64_t TI;
typedef uint64_t TU;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#endif

#if RK_FLOAT
#define LANES (RK_VECTOR_BYTES / 4)
#else
#define LANES (RK_VECTOR_BYTES / 8)
#endif
typedef T V __attribute__((ext_vector_type(LANES)));
typedef TI I __attribute__((ext_vector_type(LANES)));
typedef TU U __attribute__((ext_vector_type(LANES)));

// --- memory -------------------------------------------------------------------------------------

RK_INLINE V v_load(const T *p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}

RK_INLINE void v_store(T *p, V v) { memcpy(p, &v, sizeof v); }

/// Stores past the caches; p must be aligned to the vector.
RK_INLINE void v_stream(T *p, V v) { __builtin_nontemporal_store(v, (V *)p); }

/// The first `count` < LANES elements; the other lanes are zero.
RK_INLINE V v_load_part(const T *p, size_t count) {
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__) && RK_FLOAT
    return (V)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#elif RK_VECTOR_BYTES == 64 && defined(__x86_64__)
    return (V)_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), p);
#else
    V v = 0;
    for (size_t i = 0; i < count; i++) v[i] = p[i];
    return v;
#endif
}

RK_INLINE void v_store_part(T *p, V v, size_t count) {
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__) && RK_FLOAT
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
#elif RK_VECTOR_BYTES == 64 && defined(__x86_64__)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << count) - 1), (__m512d)v);
#else
    for (size_t i = 0; i < count; i++) p[i] = v[i];
#endif
}

/// All lanes when count >= LANES, else the first `count` (at least 1) and zeros.
RK_INLINE V v_load_up_to(const T *p, size_t count) { return count >= LANES ? v_load(p) : v_load_part(p, count); }

RK_INLINE void v_store_up_to(T *p, V v, size_t count) {
    if (count >= LANES)
        v_store(p, v);
    else
        v_store_part(p, v, count);
}

RK_INLINE V v_set(T x) { return (V)x; }

/// Lanes p[0], p[stride], ...: `count` of them, the others zero.
RK_INLINE V v_load_strided(const T *p, int64_t stride, size_t count) {
    if (stride == 1) return v_load_up_to(p, count);
    if (stride == 0) return v_set(*p);
    V v = 0;
    for (size_t i = 0; i < LANES && i < count; i++) v[i] = p[(int64_t)i * stride];
    return v;
}

/// The mask of the first `count` lanes.
RK_INLINE I v_first(size_t count) {
    I lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane < (TI)(count < LANES ? count : LANES);
}

/// Fetches what lies `distance` elements on; may point past the end.
RK_INLINE void prefetch_next(const T *p, size_t distance) {
    __builtin_prefetch((const void *)((uintptr_t)p + distance * sizeof(T)));
}

// --- arithmetic ---------------------------------------------------------------------------------

#if defined(__FMA__) || RK_VECTOR_BYTES > 16 || defined(__aarch64__)
#define HAS_FMA 1
#else
#define HAS_FMA 0
#endif

/// a * b + c, rounded once where the CPU can (without FMA: twice, never a library call).
RK_INLINE V v_fma(V a, V b, V c) {
#if HAS_FMA
    return __builtin_elementwise_fma(a, b, c);
#else
    return a * b + c;
#endif
}

RK_INLINE V v_abs(V x) { return __builtin_elementwise_abs(x); }
RK_INLINE V v_sqrt(V x) { return __builtin_elementwise_sqrt(x); }
RK_INLINE V v_copysign(V magnitude, V sign) { return __builtin_elementwise_copysign(magnitude, sign); }

/// The larger; if either is NaN, b. (One instruction on x86; with b = x, NaN in x survives.)
RK_INLINE V v_max(V a, V b) { return a > b ? a : b; }
RK_INLINE V v_min(V a, V b) { return a < b ? a : b; }
/// The larger or smaller; NaN if either is NaN.
RK_INLINE V v_max_nan(V a, V b) { return a != a ? a : v_max(a, b); }
RK_INLINE V v_min_nan(V a, V b) { return a != a ? a : v_min(a, b); }

/// Rounds to the nearest integer, halves to even. Exact for every input; keeps -0, infinities and NaN.
RK_INLINE V v_round(V x) {
#if RK_VECTOR_BYTES > 16 || defined(__aarch64__)
    return __builtin_elementwise_roundeven(x);
#else
    const T big = (T)((TU)1 << MANTISSA_BITS);
    V magnitude = v_abs(x), rounded = (magnitude + big) - big;
    return magnitude < big ? v_copysign(rounded, x) : x;
#endif
}

RK_INLINE V v_floor(V x) {
#if RK_VECTOR_BYTES > 16 || defined(__aarch64__)
    return __builtin_elementwise_floor(x);
#else
    V rounded = v_round(x);
    return rounded > x ? rounded - 1 : rounded;
#endif
}

/// Integers of at most 22 (double: 51) bits between their two forms: adding 1.5 * 2^mantissa leaves the integer in
/// the low bits. Needs no conversion instruction, which AVX2 lacks for 64 bits.
#define INTEGER_MAGIC ((T)((TU)3 << (MANTISSA_BITS - 1)))
RK_INLINE I v_to_integer(V n) { return (I)(n + INTEGER_MAGIC) - (I)v_set(INTEGER_MAGIC); }
RK_INLINE V v_from_integer(I n) { return (V)(n + (I)v_set(INTEGER_MAGIC)) - INTEGER_MAGIC; }

/// x * 2^n for an integer-valued n, with gradual underflow and overflow to infinity.
RK_INLINE V v_scale_binary(V x, V n) {
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__) && RK_FLOAT
    return (V)_mm512_scalef_ps((__m512)x, (__m512)n);
#elif RK_VECTOR_BYTES == 64 && defined(__x86_64__)
    return (V)_mm512_scalef_pd((__m512d)x, (__m512d)n);
#else
    // Two steps: 2^n itself may not be representable where the product is.
    I whole = v_to_integer(n), half = whole >> 1;
    V first = (V)((half + EXPONENT_BIAS) << MANTISSA_BITS);
    V second = (V)((whole - half + EXPONENT_BIAS) << MANTISSA_BITS);
    return x * first * second;
#endif
}

/// The rounding error x * x - s of the square s = x * x.
RK_INLINE V v_square_error(V x, V s) {
#if HAS_FMA
    return v_fma(x, x, -s);
#else
    const TI upper_half = (TI)(~(TU)0 << (MANTISSA_BITS / 2 + 1));
    V high = (V)((I)x & upper_half), low = x - high;
    return ((high * high - s) + (V)2 * high * low) + low * low;
#endif
}

// --- across lanes -------------------------------------------------------------------------------

/// a0 b0 a1 b1 ... from the lower, and from the upper, halves of a and b.
#if LANES == 16
#define v_interleave_low(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define v_interleave_high(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif LANES == 8
#define v_interleave_low(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define v_interleave_high(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif LANES == 4
#define v_interleave_low(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define v_interleave_high(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
#define v_interleave_low(a, b) __builtin_shufflevector(a, b, 0, 2)
#define v_interleave_high(a, b) __builtin_shufflevector(a, b, 1, 3)
#endif

/// Elements 0 2 4 ..., and 1 3 5 ..., of a followed by b.
#if LANES == 16
#define v_evens(a, b) \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define v_odds(a, b) \
    __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif LANES == 8
#define v_evens(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define v_odds(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#elif LANES == 4
#define v_evens(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define v_odds(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#else
#define v_evens(a, b) v_interleave_low(a, b)
#define v_odds(a, b) v_interleave_high(a, b)
#endif

/// Sum of the lanes, pairwise, in a fixed order.
RK_INLINE T v_sum(V v) {
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) v[i] += v[i + width];
    return v[0];
}


RK_INLINE int v_any(I mask) { return __builtin_reduce_or(mask) != 0; }
