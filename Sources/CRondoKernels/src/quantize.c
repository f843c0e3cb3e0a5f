// Quantises rows of weights. Compiled once, without fused multiply-adds, so that every CPU gives the same bits.
#include "rondo_weights.h"
#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

const int8_t rk_levels[16] = {-127, -96, -74, -56, -40, -26, -13, 0, 11, 22, 33, 46, 59, 74, 91, 113};

enum { ZERO_CODE = 7, LOWEST_LEVEL = -127, GROUPS = RK_BLOCK / RK_GROUP };
static const uint16_t not_a_number = 0x7fc0;

size_t rk_row_bytes(rk_storage type, size_t columns) {
    size_t blocks = (columns + RK_BLOCK - 1) / RK_BLOCK;
    switch (type) {
    case RK_S_FLOAT64: return columns * 8;
    case RK_S_FLOAT32:
    case RK_S_INT32: return columns * 4;
    case RK_S_BFLOAT16:
    case RK_S_FLOAT16: return columns * 2;
    case RK_S_INT8: return columns;
    case RK_S_QUANTIZED8: return blocks * RK_BLOCK8_BYTES;
    case RK_S_QUANTIZED4: return blocks * RK_BLOCK4_BYTES;
    }
    return 0;
}

// --- scales ---------------------------------------------------------------------------------------

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/// The upper half of a float that has been rounded to bfloat16; `up`: away from zero, else to the nearest.
static uint16_t scale_bits(float x, int up) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += up ? 0xffff : 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}

static float scale_value(uint16_t bits) { return from_bits((uint32_t)bits << 16); }

/// The element of largest magnitude, the first among equals; NaN if any element is not finite.
static float largest(const float *x) {
    float best = 0;
    int finite = 1;
    for (int i = 0; i < RK_GROUP; i++) {
        finite &= isfinite(x[i]) != 0;
        best = fabsf(x[i]) > fabsf(best) ? x[i] : best;
    }
    return finite ? best : NAN;
}

// --- 8 bits ---------------------------------------------------------------------------------------

static uint16_t quantize_group8(const float *x, int8_t *codes) {
    const float magic = 0x1.8p23f;  // adding it rounds to an integer, halves to even
    float top = fabsf(largest(x));
    uint16_t bits = top == top ? scale_bits(top / 127, 1) : not_a_number;
    float scale = scale_value(bits);
    for (int i = 0; i < RK_GROUP; i++) {
        float level = x[i] / scale;
        level = level >= -127 && level <= 127 ? level : 0;  // NaN where the scale is zero or none
        codes[i] = (int8_t)((level + magic) - magic);
    }
    return bits;
}

static void quantize_block8(const float *x, uint8_t *out) {
    uint16_t scales[GROUPS];
    for (int g = 0; g < GROUPS; g++) scales[g] = quantize_group8(x + g * RK_GROUP, (int8_t *)out + g * RK_GROUP);
    memcpy(out + RK_BLOCK, scales, sizeof scales);
}

// --- 4 bits ---------------------------------------------------------------------------------------

/// The numbers of the levels nearest to x / scale, and the square error.
static float nearest_levels(const float *x, float scale, int32_t *codes) {
    float level[RK_GROUP], value[RK_GROUP], error = 0;
    for (int i = 0; i < RK_GROUP; i++) {
        level[i] = x[i] / scale;
        codes[i] = 0;
        value[i] = LOWEST_LEVEL;
    }
    for (int k = 1; k < 16; k++) {
        float middle = (float)(rk_levels[k - 1] + rk_levels[k]) / 2, step = (float)(rk_levels[k] - rk_levels[k - 1]);
        for (int i = 0; i < RK_GROUP; i++) {
            codes[i] += level[i] > middle;
            value[i] += level[i] > middle ? step : 0;
        }
    }
    for (int i = 0; i < RK_GROUP; i++) {
        float difference = x[i] - value[i] * scale;
        error += difference * difference;
    }
    return error;
}

static uint16_t quantize_group4(const float *x, int32_t *codes) {
    float top = largest(x), least = INFINITY, relative[RK_GROUP];
    uint16_t best = top == top ? 0 : not_a_number;
    for (int i = 0; i < RK_GROUP; i++) {
        codes[i] = ZERO_CODE;
        relative[i] = x[i] / top;  // so that no square overflows or vanishes
    }
    for (int step = 0; step < 8 && top == top; step++) {
        int32_t tried[RK_GROUP];
        uint16_t bits = scale_bits(top * (1.16f - 0.04f * (float)step) / LOWEST_LEVEL, 0);
        if (scale_value(bits) == 0) continue;
        float error = nearest_levels(relative, scale_value(bits) / top, tried);
        if (error < least) {
            least = error;
            best = bits;
            memcpy(codes, tried, sizeof tried);
        }
    }
    return best;
}

static void quantize_block4(const float *x, uint8_t *out) {
    int32_t codes[RK_BLOCK];
    uint16_t scales[GROUPS];
    for (int g = 0; g < GROUPS; g++) scales[g] = quantize_group4(x + g * RK_GROUP, codes + g * RK_GROUP);
    for (int word = 0; word < 16; word++)
        for (int byte = 0; byte < 4; byte++) {
            int c = 32 * byte + word;
            out[4 * word + byte] = (uint8_t)(codes[c] | codes[c + 16] << 4);
        }
    memcpy(out + RK_BLOCK / 2, scales, sizeof scales);
}

void rk_quantize_rows(rk_storage to, size_t rows, size_t columns, const float *x, void *out) {
    size_t bytes = to == RK_S_QUANTIZED8 ? RK_BLOCK8_BYTES : RK_BLOCK4_BYTES;
    uint8_t *at = out;
    for (size_t r = 0; r < rows; r++, x += columns)
        for (size_t c = 0; c < columns; c += RK_BLOCK, at += bytes) {
            float block[RK_BLOCK] = {0};
            memcpy(block, x + c, (columns - c < RK_BLOCK ? columns - c : RK_BLOCK) * sizeof(float));
            if (to == RK_S_QUANTIZED8)
                quantize_block8(block, at);
            else
                quantize_block4(block, at);
        }
}
