// Stored weights, RK_GROUP columns at a time, as vectors of T.

enum { GROUP_VECTORS = RK_GROUP / LANES, BLOCK_GROUPS = RK_BLOCK / RK_GROUP };

/// A place in a row of weights: the groups of a block are taken in order.
typedef struct {
    const char *at;      // the next group's elements; of quantised types the block
    const char *scales;  // the next group's
#if RK_FLOAT
    // The codes of a block of 4 bits. AVX-512: 16 words, whose lowest 4 bits come next. Otherwise the levels of the
    // even and the odd numbered columns of 16, a byte each, whose lowest byte comes next.
    U even[16 / LANES], odd[16 / LANES];
#endif
} weight_place;

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

/// The scale of the next group in all lanes.
RK_INLINE V next_scale(weight_place *w) {
    uint16_t half;
    memcpy(&half, w->scales, sizeof half);
    w->scales += sizeof half;
    return (V)((U)(uint32_t)half << 16);
}

#if RK_VECTOR_BYTES == 64 && defined(__x86_64__)
#define PACKED_LEVELS 0
#else
#define PACKED_LEVELS 1
#endif

/// The levels, a byte each, of the codes in the lower halves of the bytes.
#if PACKED_LEVELS
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
#endif

RK_INLINE void begin_codes4(weight_place *w) {
    for (int h = 0; h < 16 / LANES; h++) {
        U words;
        memcpy(&words, w->at + (size_t)h * sizeof words, sizeof words);
#if PACKED_LEVELS
        w->even[h] = level_bytes(words);
        w->odd[h] = level_bytes(words >> 4);
#else
        w->even[h] = words;
#endif
    }
    w->scales = w->at + RK_BLOCK / 2;
    w->at += RK_BLOCK4_BYTES;
}

RK_INLINE void next_group4(weight_place *w, V *out) {
    V scale = next_scale(w);
#if PACKED_LEVELS
    for (int h = 0; h < 16 / LANES; h++) {
        out[h] = __builtin_convertvector((I)(w->even[h] << 24) >> 24, V) * scale;
        out[16 / LANES + h] = __builtin_convertvector((I)(w->odd[h] << 24) >> 24, V) * scale;
        w->even[h] >>= 8;
        w->odd[h] >>= 8;
    }
#else
    V levels = v_from_int8((const char *)rk_levels) * scale;
    for (int i = 0; i < GROUP_VECTORS; i++) {
        out[i] = (V)_mm512_permutexvar_ps((__m512i)w->even[0], (__m512)levels);
        w->even[0] >>= 4;
    }
#endif
}
#endif

/// Goes to the next block of RK_BLOCK columns.
RK_INLINE void begin_block(rk_storage type, weight_place *w) {
#if RK_FLOAT
    if (type == RK_S_QUANTIZED4) begin_codes4(w);
    if (type == RK_S_QUANTIZED8) w->scales = w->at + RK_BLOCK;
#endif
    (void)type, (void)w;
}

/// Takes the next group of the block.
RK_INLINE void next_group(rk_storage type, weight_place *w, V *out) {
#if RK_FLOAT
    if (type == RK_S_QUANTIZED4) {
        next_group4(w, out);
        return;
    }
    if (type == RK_S_QUANTIZED8) {
        V scale = next_scale(w);
        for (int v = 0; v < GROUP_VECTORS; v++, w->at += LANES) out[v] = v_from_int8(w->at) * scale;
        return;
    }
    if (type == RK_S_BFLOAT16 || type == RK_S_FLOAT16) {
        for (int v = 0; v < GROUP_VECTORS; v++, w->at += 2 * LANES)
            out[v] = type == RK_S_BFLOAT16 ? v_from_bfloat16(w->at) : v_from_float16(w->at);
        return;
    }
#endif
    (void)type;
    for (int v = 0; v < GROUP_VECTORS; v++, w->at += sizeof(V)) out[v] = v_load((const T *)(const void *)w->at);
}

/// Leaves a block of quantised columns whose groups have been taken.
RK_INLINE void end_block(rk_storage type, weight_place *w) {
    if (type == RK_S_QUANTIZED8) w->at += RK_BLOCK8_BYTES - RK_BLOCK;
}

/// Takes the first `count` < RK_GROUP columns of the last group; the others are zero, or whatever the row was filled
/// up with.
RK_INLINE void last_group(rk_storage type, weight_place *w, size_t count, V *out) {
    if (is_quantized(type)) {
        next_group(type, w, out);
        return;
    }
    char padded[RK_GROUP * sizeof(T)] = {0};
    size_t size = block_bytes(type) / RK_BLOCK;
    memcpy(padded, w->at, count * size);
    weight_place copy = {.at = padded};
    next_group(type, &copy, out);
}
