// Conversions between storage types, in two steps over small blocks: to T (exact: dispatch.c takes T = double when a
// side is float64 or int32), then from T to the target, rounded once.

enum { CAST_BLOCK = 512 };

RK_INLINE uint32_t float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

RK_INLINE float bits_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/// x as a float that later rounds as x itself would: toward zero, with the last bit set if inexact ("to odd").
RK_INLINE float to_odd(T x) {
    float near = (float)x;
    uint32_t bits = float_bits(near), inexact = (T)near != x && x == x;
    bits -= inexact & (fabs((double)near) > fabs((double)x));
    return bits_float(bits | inexact);
}

RK_INLINE uint16_t to_bfloat16(T x) {
    uint32_t bits = float_bits(RK_FLOAT ? (float)x : to_odd(x));
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

RK_INLINE T from_bfloat16(uint16_t half) { return (T)bits_float((uint32_t)half << 16); }

/// Normal halves: shift the bits and rebias. Subnormal ones: adding 0.5 aligns their unit with a float's last bit, so
/// the addition rounds.
RK_INLINE uint16_t to_float16(T x) {
    uint32_t bits = float_bits(RK_FLOAT ? (float)x : to_odd(x)), sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    uint32_t normal = (bits - (112u << 23) + 0xfff + (bits >> 13 & 1)) >> 13;
    uint32_t subnormal = float_bits(bits_float(bits) + 0.5f) - float_bits(0.5f);
    uint32_t half = bits < 113u << 23 ? subnormal : normal;
    half = bits >= 0x477ff000 ? 0x7c00 : half;  // 65520 and above round to infinity
    half = bits > 0x7f800000 ? 0x7e00 : half;
    return (uint16_t)(sign | half);
}

RK_INLINE T from_float16(uint16_t half) {
    uint32_t magnitude = half & 0x7fff, sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t normal = (magnitude << 13) + (112u << 23), special = magnitude << 13 | 0x7f800000;
    uint32_t subnormal = float_bits((float)(int32_t)magnitude * 0x1p-24f);
    uint32_t bits = magnitude >= 0x7c00 ? special : magnitude < 0x400 ? subnormal : normal;
    return (T)bits_float(bits | sign);
}

/// Truncates and saturates; NaN becomes 0. (Only T = double meets int32.)
RK_INLINE int32_t to_int32(T x) {
    double wide = x != x ? 0 : (double)x;
    wide = wide < -2147483648.0 ? -2147483648.0 : wide > 2147483647.0 ? 2147483647.0 : wide;
    return (int32_t)wide;
}

RK_INLINE int8_t to_int8(T x) {
    T kept = x != x ? 0 : x < -128 ? -128 : x > 127 ? 127 : x;
    return (int8_t)kept;
}

#define READ(TYPE, expression) \
    for (size_t i = 0; i < count; i++) { \
        TYPE value = ((const TYPE *)src)[at + i]; \
        block[i] = (T)(expression); \
    } \
    return

static void read_block(rk_storage from, const void *src, size_t at, T *block, size_t count) {
    switch (from) {
    case RK_S_FLOAT32: READ(float, value);
    case RK_S_FLOAT64: READ(double, value);
    case RK_S_INT32: READ(int32_t, value);
    case RK_S_BFLOAT16: READ(uint16_t, from_bfloat16(value));
    case RK_S_FLOAT16: READ(uint16_t, from_float16(value));
    case RK_S_INT8: READ(int8_t, value);
    case RK_S_QUANTIZED8:
    case RK_S_QUANTIZED4: return;  // not elements by themselves
    }
}

#define WRITE(TYPE, convert) \
    for (size_t i = 0; i < count; i++) ((TYPE *)dst)[at + i] = convert(block[i]); \
    return

static void write_block(rk_storage to, const T *block, void *dst, size_t at, size_t count) {
    switch (to) {
    case RK_S_FLOAT32: WRITE(float, (float));
    case RK_S_FLOAT64: WRITE(double, (double));
    case RK_S_INT32: WRITE(int32_t, to_int32);
    case RK_S_BFLOAT16: WRITE(uint16_t, to_bfloat16);
    case RK_S_FLOAT16: WRITE(uint16_t, to_float16);
    case RK_S_INT8: WRITE(int8_t, to_int8);
    case RK_S_QUANTIZED8:
    case RK_S_QUANTIZED4: return;
    }
}

static void k_cast(rk_storage from, rk_storage to, const void *src, void *dst, size_t count) {
    T block[CAST_BLOCK];
    for (size_t at = 0; at < count; at += CAST_BLOCK) {
        size_t n = count - at < CAST_BLOCK ? count - at : CAST_BLOCK;
        read_block(from, src, at, block, n);
        write_block(to, block, dst, at, n);
    }
}
