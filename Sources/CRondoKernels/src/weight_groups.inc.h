// Stored weights, RK_GROUP columns at a time, as vectors of T.

#if RK_VECTOR_BYTES == 64 && defined(__x86_64__)
#define PACKED_LEVELS 0
#else
#define PACKED_LEVELS 1
#endif

enum { GROUP_VECTORS = RK_GROUP / LANES, BLOCK_GROUPS = RK_BLOCK / RK_GROUP };

/// A block of a row of weights. Its fields must not be addressed by variables, or they live in memory.
typedef struct {
    const char *at;  // its first element
#if RK_FLOAT
    const float *scales;  // of its groups
#if PACKED_LEVELS
    // The levels of codes of 4 bits, a byte each: those of the even and the odd numbered columns of 16.
    U even[16 / LANES], odd[16 / LANES];
#endif
#endif
} weight_block;

/// Bytes of RK_BLOCK columns.
RK_INLINE size_t block_bytes(rk_storage type) {
    switch (type) {
    case RK_S_QUANTIZED8: return RK_BLOCK8_BYTES;
    case RK_S_QUANTIZED4: return RK_BLOCK4_BYTES;
    case RK_S_BFLOAT16:
    case RK_S_FLOAT16: return RK_BLOCK * 2;
    default: return RK_BLOCK * sizeof(T);
    }
}

RK_INLINE bool is_quantized(rk_storage type) { return type == RK_S_QUANTIZED8 || type == RK_S_QUANTIZED4; }

#if RK_FLOAT
typedef uint16_t HALVES __attribute__((ext_vector_type(LANES)));
typedef int8_t CODES __attribute__((ext_vector_type(LANES)));

RK_INLINE V v_from_bfloat16(const char *p) {
    HALVES h;
    memcpy(&h, p, sizeof h);
    return (V)(__builtin_convertvector(h, U) << 16);
}

RK_INLINE V v_from_float16(const char *p) {
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__)
    return (V)_mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
#elif RK_VECTOR_BYTES == 32 && defined(__x86_64__)
    return (V)_mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
#else
    // The bits moved to their places make a float 2^112 times too small, subnormal ones included.
    HALVES h;
    memcpy(&h, p, sizeof h);
    U bits = __builtin_convertvector(h, U), magnitude = (bits & 0x7fff) << 13, sign = (bits & 0x8000) << 16;
    V value = (V)magnitude * 0x1p112f;
    return (V)((magnitude >= 0x0f800000 ? (magnitude | 0x7f800000) : (U)value) | sign);
#endif
}

RK_INLINE V v_from_int8(const char *p) {
    CODES codes;
    memcpy(&codes, p, sizeof codes);
    return __builtin_convertvector(__builtin_convertvector(codes, I), V);
}

typedef uint16_t SCALES __attribute__((ext_vector_type(BLOCK_GROUPS)));
typedef uint32_t SCALE_BITS __attribute__((ext_vector_type(BLOCK_GROUPS)));

/// Makes the scales of a block, bfloat16 at `p`, floats in memory: from there one is put in all lanes as it is loaded.
RK_INLINE void load_scales(const char *p, float *scales) {
    SCALES halves;
    memcpy(&halves, p, sizeof halves);
    SCALE_BITS bits = __builtin_convertvector(halves, SCALE_BITS) << 16;
    memcpy(scales, &bits, sizeof bits);
}

#if PACKED_LEVELS
/// The levels, a byte each, of the codes in the lower halves of the bytes.
RK_INLINE U level_bytes(U codes) {
    codes &= 0x0f0f0f0f;
#if RK_VECTOR_BYTES == 32 && defined(__x86_64__)
    __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)rk_levels));
    return (U)_mm256_shuffle_epi8(table, (__m256i)codes);
#elif defined(__aarch64__)
    int8x16_t table = vld1q_s8(rk_levels);
    return (U)vqtbl1q_s8(table, (uint8x16_t)codes);
#else
    uint8_t bytes[sizeof(U)];
    memcpy(bytes, &codes, sizeof codes);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rk_levels[bytes[i]];
    memcpy(&codes, bytes, sizeof codes);
    return codes;
#endif
}

RK_INLINE void open_codes4(weight_block *w) {
    for (int h = 0; h < 16 / LANES; h++) {
        U words;
        memcpy(&words, w->at + (size_t)h * sizeof words, sizeof words);
        w->even[h] = level_bytes(words);
        w->odd[h] = level_bytes(words >> 4);
    }
}
#endif

RK_INLINE void take_group4(const weight_block *w, int group, V *out) {
    V scale = v_set(w->scales[group]);
#if PACKED_LEVELS
    for (int h = 0; h < 16 / LANES; h++) {
        int up = 24 - 8 * group;
        out[h] = __builtin_convertvector((I)(w->even[h] << up) >> 24, V) * scale;
        out[16 / LANES + h] = __builtin_convertvector((I)(w->odd[h] << up) >> 24, V) * scale;
    }
#else
    V levels = v_from_int8((const char *)rk_levels) * scale;
    // Loaded from `group` bytes further on, the lowest 8 bits of the words are those of the group's columns.
    U codes;
    memcpy(&codes, w->at + group, sizeof codes);
    for (int i = 0; i < GROUP_VECTORS; i++)
        out[i] = (V)_mm512_permutexvar_ps((__m512i)(codes >> 4 * i), (__m512)levels);
#endif
}
#endif

/// The block at `at`; `scales` is memory for those of its groups.
RK_INLINE weight_block open_block(rk_storage type, const char *at, T *scales) {
    weight_block w = {.at = at};
#if RK_FLOAT
    if (is_quantized(type)) {
        w.scales = scales;
        load_scales(at + (type == RK_S_QUANTIZED4 ? RK_BLOCK / 2 : RK_BLOCK), scales);
    }
#if PACKED_LEVELS
    if (type == RK_S_QUANTIZED4) open_codes4(&w);
#endif
#endif
    (void)type, (void)scales;
    return w;
}

/// The columns of a group of the block.
RK_INLINE void take_group(rk_storage type, const weight_block *w, int group, V *out) {
#if RK_FLOAT
    if (type == RK_S_QUANTIZED4) {
        take_group4(w, group, out);
        return;
    }
    if (type == RK_S_QUANTIZED8) {
        V scale = v_set(w->scales[group]);
        for (int v = 0; v < GROUP_VECTORS; v++) out[v] = v_from_int8(w->at + group * RK_GROUP + v * LANES) * scale;
        return;
    }
#endif
    const char *at = w->at + (size_t)group * (block_bytes(type) / BLOCK_GROUPS);
#if RK_FLOAT
    if (type == RK_S_BFLOAT16 || type == RK_S_FLOAT16) {
        for (int v = 0; v < GROUP_VECTORS; v++, at += 2 * LANES)
            out[v] = type == RK_S_BFLOAT16 ? v_from_bfloat16(at) : v_from_float16(at);
        return;
    }
#endif
    for (int v = 0; v < GROUP_VECTORS; v++, at += sizeof(V)) out[v] = v_load((const T *)(const void *)at);
}

/// The first `count` < RK_GROUP columns of the last group; the others are zero, or whatever the row was filled up with.
RK_INLINE void take_last_group(rk_storage type, const weight_block *w, int group, size_t count, V *out) {
    if (is_quantized(type)) {
        take_group(type, w, group, out);
        return;
    }
    if (block_bytes(type) == RK_BLOCK * sizeof(T)) {
        const T *at = (const T *)(const void *)w->at + group * RK_GROUP;
        for (size_t v = 0; v < GROUP_VECTORS; v++)
            out[v] = v * LANES < count ? v_load_up_to(at + v * LANES, count - v * LANES) : v_set(0);
        return;
    }
    char padded[RK_GROUP * sizeof(T)] = {0};
    size_t size = block_bytes(type) / RK_BLOCK;
    memcpy(padded, w->at + (size_t)group * RK_GROUP * size, count * size);
    weight_block copy = {.at = padded};
    take_group(type, &copy, 0, out);
}
