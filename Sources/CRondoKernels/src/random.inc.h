// Counter-based randomness: Philox4x32 with ten rounds. Block b of a stream is the cipher of the counter
// (b, stream) under the key: four 32-bit words. Element i is word i mod 4 of block i / 4 (floats, bits, dropout), or
// made of two words: element i of doubles is half i mod 2 of block i / 2.
//
// Normal deviates come in pairs (Box-Muller): elements 2j and 2j + 1 are r cos(a), r sin(a) with r^2 = -2 log u1,
// a = 2 pi u2.

typedef uint64_t philox_lanes __attribute__((ext_vector_type(8)));  // 8 blocks; a word in the low half of each lane
enum { PHILOX_WORDS = 32, GROUP = PHILOX_WORDS * 4 / sizeof(T) };   // words and elements per call

/// The 32 words of the blocks block..<block+8.
static void philox(uint64_t key, uint64_t stream, uint64_t block, uint32_t out[PHILOX_WORDS]) {
    const philox_lanes low = 0xffffffffu, lane = {0, 1, 2, 3, 4, 5, 6, 7};
    philox_lanes counter = block + lane;
    philox_lanes c0 = counter & low, c1 = counter >> 32, c2 = stream & low, c3 = (stream >> 32) + (philox_lanes){0};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        philox_lanes p0 = c0 * 0xD2511F53u, p1 = c2 * 0xCD9E8D57u;
        c0 = (p1 >> 32) ^ c1 ^ k0;
        c2 = (p0 >> 32) ^ c3 ^ k1;
        c1 = p1 & low;
        c3 = p0 & low;
    }
    philox_lanes first = c0 | c1 << 32, second = c2 | c3 << 32;  // words 0 1, and 2 3, of each block
    philox_lanes early = __builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
    philox_lanes late = __builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15);
    memcpy(out, &early, sizeof early);
    memcpy(out + PHILOX_WORDS / 2, &late, sizeof late);
}

static void k_random_bits(uint64_t key, uint64_t stream, uint64_t offset, uint32_t *out, size_t count) {
    uint32_t words[PHILOX_WORDS];
    while (count > 0) {
        size_t skip = offset % PHILOX_WORDS, take = PHILOX_WORDS - skip < count ? PHILOX_WORDS - skip : count;
        philox(key, stream, (offset - skip) / 4, words);
        memcpy(out, words + skip, take * sizeof *out);
        out += take, offset += take, count -= take;
    }
}

/// Random integers of one vector as numbers in [0, 1): the upper 24 (double: 53) bits.
RK_INLINE V unit_interval(const uint32_t *words) {
    U bits;
    memcpy(&bits, words, sizeof bits);
    I whole = (I)(bits >> (RK_FLOAT ? 8 : 11));
    return __builtin_convertvector(whole, V) * (T)(RK_FLOAT ? 0x1p-24 : 0x1p-53);
}

/// Makes groups of elements by `fill` and copies out those asked for.
typedef void fill_function(const uint32_t *words, T a, T b, T *values);
RK_INLINE void random_elements(fill_function fill, uint64_t key, uint64_t stream, uint64_t offset, T a, T b, T *out,
                               size_t count) {
    uint32_t words[PHILOX_WORDS];
    T values[GROUP];
    while (count > 0) {
        size_t skip = offset % GROUP, take = GROUP - skip < count ? GROUP - skip : count;
        philox(key, stream, (offset - skip) / GROUP * (PHILOX_WORDS / 4), words);
        if (take == GROUP) {
            fill(words, a, b, out);
        } else {
            fill(words, a, b, values);
            memcpy(out, values + skip, take * sizeof(T));
        }
        out += take, offset += take, count -= take;
    }
}

/// low + u (high - low), kept below high where rounding would reach it.
RK_INLINE void fill_uniform(const uint32_t *words, T low, T high, T *values) {
    const V limit = v_set(RK_FLOAT ? (T)nextafterf((float)high, (float)low) : (T)nextafter((double)high, (double)low));
    for (size_t i = 0; i < GROUP; i += LANES) {
        V u = unit_interval(words + i * (sizeof(T) / 4));
        V value = v_fma(u, v_set(high - low), v_set(low));
        v_store(values + i, value < high ? value : limit);
    }
}

/// Box-Muller on the pairs (even, odd) of a group.
RK_INLINE void fill_normal(const uint32_t *words, T mean, T deviation, T *values) {
    const T tiny = (T)(RK_FLOAT ? 0x1p-25 : 0x1p-54);  // half a step: u1 is never 0
    for (size_t i = 0; i < GROUP; i += 2 * LANES) {
        V a = unit_interval(words + i * (sizeof(T) / 4)), b = unit_interval(words + (i + LANES) * (sizeof(T) / 4));
        V even = v_evens(a, b) + tiny, odd = v_odds(a, b);
        V radius = deviation * v_sqrt(-2 * v_log(even)), cosine, sine = v_sine_turn(odd, &cosine);
        V x = v_fma(radius, cosine, v_set(mean)), y = v_fma(radius, sine, v_set(mean));
        v_store(values + i, v_interleave_low(x, y));
        v_store(values + i + LANES, v_interleave_high(x, y));
    }
}

static void k_random_uniform(uint64_t key, uint64_t stream, uint64_t offset, double low, double high, void *out,
                             size_t count) {
    random_elements(fill_uniform, key, stream, offset, (T)low, (T)high, out, count);
}

static void k_random_normal(uint64_t key, uint64_t stream, uint64_t offset, double mean, double deviation, void *out,
                            size_t count) {
    random_elements(fill_normal, key, stream, offset, (T)mean, (T)deviation, out, count);
}

static void k_dropout(uint64_t key, uint64_t stream, uint64_t offset, double probability, const void *input,
                      void *output, size_t count) {
    typedef uint32_t W __attribute__((ext_vector_type(LANES)));
    if (probability >= 1) return k_fill(0, output, count);
    const uint32_t threshold = (uint32_t)(probability * 0x1p32);  // drop where the word lies below
    const V scale = v_set((T)(1 / (1 - probability)));
    const T *x = input;
    T *y = output;
    uint32_t words[PHILOX_WORDS] = {0};
    while (count > 0) {
        size_t skip = offset % PHILOX_WORDS, take = PHILOX_WORDS - skip < count ? PHILOX_WORDS - skip : count;
        k_random_bits(key, stream, offset, words, take);
        for (size_t i = 0; i < take; i += LANES) {
            W bits;
            memcpy(&bits, words + i, sizeof bits);
            I keep = __builtin_convertvector(bits >= threshold, I);
            V value = v_load_up_to(x + i, take - i) * scale;
            v_store_up_to(y + i, keep != 0 ? value : v_set(0), take - i);
        }
        x += take, y += take, offset += take, count -= take;
    }
}
