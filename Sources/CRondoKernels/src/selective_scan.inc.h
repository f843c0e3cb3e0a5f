// The selective scan of Mamba, see rondo_selective_scan.h.
//
// Channels lie in lanes. A block's chunk of time is brought into scratch memory, dense and padded with zeros (lanes
// beyond the channels and states beyond N stay 0), and then walked through by SELECTIVE_GROUP states of one vector of
// channels at a time: their rates, states and sums stay in registers.
//
// Gradients, with g = dy and l_t = dL/dh_t:
//   l_t = g_t C_t + a_{t+1} l_{t+1};   through_t = sum_n l_t B_t;   along_t = sum_n l_t a_t h_{t-1} A
//   dx_t = D g_t + dt_t through_t;   ddt_t = x_t through_t + along_t;   dA = sum_t l_t a_t h_{t-1} dt_t
//   (with a_t = 2 exp(dt A) - 1, the a_t of along_t and dA is a_t + 1)
//   dB_t = sum_d l_t dt_t x_t;   dC_t = sum_d g_t h_t;   dD = sum_t g_t x_t

enum {
    SELECTIVE_CHANNELS = RK_SELECTIVE_CHANNELS,
    SELECTIVE_CHUNK = RK_SELECTIVE_CHUNK,
    SELECTIVE_GROUP = 4,
    SELECTIVE_ROWS = SELECTIVE_CHUNK * LANES, // one vector of channels at every position of a chunk
    SELECTIVE_SUMS = SELECTIVE_ROWS * SELECTIVE_GROUP
};

// (2^f - 1) / f, |f| <= 1/2: interpolated at Chebyshev points.
#if RK_FLOAT
static const T power_terms[] = {
    0.6931471880f, 0.2402265076f, 0.05550357114f, 0.009618082557f, 0.001339086336f, 0.0001545316295f,
};
#else
static const T power_terms[] = {
    0.693147180559945309, 0.240226506959100982, 0.0555041086648215943, 0.00961812910760688853, 0.00133335581464169353,
    0.000154035304417360502, 0.0000152527338298361184, 1.32154425879216897e-6, 1.01780624458457735e-7,
    7.0725859492692237e-9, 4.45496059818651839e-10,
};
#endif
#define SELECTIVE_LOG2E ((T)1.44269504088896340736)
#define SELECTIVE_LN2 ((T)0.693147180559945309417)

/// 2^z. Exactly 1 at 0.
RK_INLINE V v_power_of_two(V z) {
#if RK_VECTOR_BYTES == 64 && defined(__x86_64__) && RK_FLOAT
    V f = (V)_mm512_reduce_ps((__m512)z, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), n = z - f;
#elif RK_VECTOR_BYTES == 64 && defined(__x86_64__)
    V f = (V)_mm512_reduce_pd((__m512d)z, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), n = z - f;
#else
    z = v_min(v_set(EXPONENT_BIAS + 1), v_max(v_set(-EXPONENT_BIAS - MANTISSA_BITS - 2), z));
    V n = v_round(z), f = z - n;
#endif
    return v_scale_binary(v_fma(f, v_polynomial(power_terms, f), v_set(1)), n);
}

/// a_t from dt_t A log2(e): exp(dt A) in (0, 1], or 2 exp(dt A) - 1 in (-1, 1].
RK_INLINE V selective_transition(V z, bool symmetric) {
    V e = v_power_of_two(z);
    return symmetric ? e + e - v_set(1) : e;
}

typedef struct {
    const rk_selective_scan *scan;
    size_t row, block, begin, channels; // channels begin..<begin + channels
    size_t vectors, states;             // of channels; states rounded up to groups
    T *rate;                            // [states, SELECTIVE_CHANNELS]: A log2(e)
    T *state, *carry, *slope;           // the same: h before the chunk; a_{t+1} l_{t+1}; dA
    T *dt, *x, *y;                      // [vectors, SELECTIVE_CHUNK, LANES]: dt; x; y or its gradient
    T *through, *along;                 // the same: sums over states, see above
    const T *b, *c;                     // [SELECTIVE_CHUNK, states], in place or padded
    T *padded;                          // room for both
    T *decay, *before;                  // [SELECTIVE_CHUNK, SELECTIVE_GROUP, LANES]: a_t; h_{t-1}
    T *db, *dc;                         // the same: sums over vectors of channels
} selective_work;

// --- memory -------------------------------------------------------------------------------------

/// [channels, N] (NULL: zeros) times `scale` to [states, SELECTIVE_CHANNELS].
static void selective_load_states(const selective_work *w, const T *from, T scale, T *to) {
    const size_t count = (size_t)w->scan->states;
    memset(to, 0, w->states * SELECTIVE_CHANNELS * sizeof(T));
    for (size_t c = 0; from && c < w->channels; c++)
        for (size_t n = 0; n < count; n++) to[n * SELECTIVE_CHANNELS + c] = scale * from[c * count + n];
}

static void selective_store_states(const selective_work *w, const T *from, T *to) {
    const size_t count = (size_t)w->scan->states;
    for (size_t c = 0; c < w->channels; c++)
        for (size_t n = 0; n < count; n++) to[c * count + n] = from[n * SELECTIVE_CHANNELS + c];
}

static T *selective_checkpoint(const selective_work *w, size_t begin) {
    const rk_selective_scan *scan = w->scan;
    size_t blocks = ((size_t)scan->channels + SELECTIVE_CHANNELS - 1) / SELECTIVE_CHANNELS;
    size_t chunks = ((size_t)scan->time + SELECTIVE_CHUNK - 1) / SELECTIVE_CHUNK;
    size_t index = (w->row * blocks + w->block) * chunks + begin / SELECTIVE_CHUNK;
    return (T *)scan->checkpoints + index * (size_t)scan->states * SELECTIVE_CHANNELS;
}

/// Where the block's states lie in a [batch, channels, N], and its channels at time t in a [batch, time, channels].
RK_INLINE size_t selective_states_at(const selective_work *w) {
    return (w->row * (size_t)w->scan->channels + w->begin) * (size_t)w->scan->states;
}
RK_INLINE size_t selective_channels_at(const selective_work *w, size_t t) {
    return (w->row * (size_t)w->scan->time + t) * (size_t)w->scan->channels + w->begin;
}

static selective_work selective_open(const rk_selective_scan *scan, size_t row, size_t block) {
    const size_t begin = block * SELECTIVE_CHANNELS, rest = (size_t)scan->channels - begin;
    selective_work w = {.scan = scan, .row = row, .block = block, .begin = begin};
    w.channels = rest < SELECTIVE_CHANNELS ? rest : SELECTIVE_CHANNELS;
    w.vectors = (w.channels + LANES - 1) / LANES;
    w.states = ((size_t)scan->states + SELECTIVE_GROUP - 1) / SELECTIVE_GROUP * SELECTIVE_GROUP;
    const size_t state = w.states * SELECTIVE_CHANNELS, rows = SELECTIVE_CHANNELS * SELECTIVE_CHUNK;
    const size_t coefficients = SELECTIVE_CHUNK * w.states;
    const size_t count = 4 * SELECTIVE_SUMS + 5 * rows + 4 * state + 2 * coefficients;
    T *at = rk_scratch(RK_SCRATCH_SELECTIVE, count * sizeof(T));
    T **const parts[] = {&w.decay, &w.before, &w.db, &w.dc, &w.dt, &w.x, &w.y, &w.through, &w.along,
                         &w.rate, &w.state, &w.carry, &w.slope, &w.padded};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i] = at;
        at += i < 4 ? SELECTIVE_SUMS : i < 9 ? rows : i < 13 ? state : coefficients;
    }
    selective_load_states(&w, (const T *)scan->a + begin * (size_t)scan->states, SELECTIVE_LOG2E, w.rate);
    return w;
}

/// Rows of B or C: as they are if a row is a whole number of groups.
static const T *selective_padded(const selective_work *w, const T *from, size_t length, T *to) {
    const size_t count = (size_t)w->scan->states;
    if (count == w->states) return from;
    for (size_t t = 0; t < length; t++)
        for (size_t n = 0; n < w->states; n++) to[t * w->states + n] = n < count ? from[t * count + n] : 0;
    return to;
}

/// dt, x, B and C of a chunk.
static void selective_load_chunk(selective_work *w, size_t begin, size_t length) {
    const size_t channels = (size_t)w->scan->channels, from = selective_channels_at(w, begin);
    const size_t coefficients = (w->row * (size_t)w->scan->time + begin) * (size_t)w->scan->states;
    const T *x = (const T *)w->scan->x + from, *dt = (const T *)w->scan->dt + from;
    w->b = selective_padded(w, (const T *)w->scan->b + coefficients, length, w->padded);
    w->c = selective_padded(w, (const T *)w->scan->c + coefficients, length, w->padded + SELECTIVE_CHUNK * w->states);
    for (size_t t = 0; t < length; t++)
        for (size_t v = 0; v < w->vectors; v++) {
            size_t lane = v * LANES, to = v * SELECTIVE_ROWS + t * LANES;
            v_store(w->dt + to, v_load_up_to(dt + t * channels + lane, w->channels - lane));
            v_store(w->x + to, v_load_up_to(x + t * channels + lane, w->channels - lane));
        }
}

/// Fetches the block's part of a [batch, time, channels] at a few of the positions from `begin` on (there may be none):
/// those that fall to call number `part` of as many calls as a chunk has walks.
RK_INLINE void selective_fetch(const selective_work *w, const void *rows, size_t begin, size_t part, int write) {
    const size_t parts = w->vectors * w->states / SELECTIVE_GROUP, time = (size_t)w->scan->time;
    const size_t first = begin + part * SELECTIVE_CHUNK / parts, end = begin + (part + 1) * SELECTIVE_CHUNK / parts;
    for (size_t t = first; rows && t < end && t < time; t++) {
        const char *row = (const char *)((const T *)rows + selective_channels_at(w, t));
        for (size_t byte = 0; byte < w->channels * sizeof(T); byte += 64)
            if (write) __builtin_prefetch(row + byte, 1);
            else __builtin_prefetch(row + byte, 0, 2);
    }
}

// --- forward --------------------------------------------------------------------------------------

/// Walks SELECTIVE_GROUP states from n on of one vector of channels through a chunk, keeps where they began, and adds
/// their share of y.
RK_INLINE void selective_advance_as(const selective_work *w, T *kept, size_t n, size_t v, size_t length,
                                    bool symmetric) {
    const T *dt = w->dt + v * SELECTIVE_ROWS, *x = w->x + v * SELECTIVE_ROWS, *b = w->b + n, *c = w->c + n;
    const size_t at = n * SELECTIVE_CHANNELS + v * LANES, states = w->states;
    T *y = w->y + v * SELECTIVE_ROWS;
    V r[SELECTIVE_GROUP], h[SELECTIVE_GROUP];
    for (int j = 0; j < SELECTIVE_GROUP; j++) {
        r[j] = v_load(w->rate + at + j * SELECTIVE_CHANNELS);
        h[j] = v_load(w->state + at + j * SELECTIVE_CHANNELS);
        if (kept && n + (size_t)j < (size_t)w->scan->states) v_store(kept + at + j * SELECTIVE_CHANNELS, h[j]);
    }
    for (size_t t = 0; t < length; t++, b += states, c += states) {
        V step = v_load(dt + t * LANES), input = step * v_load(x + t * LANES), sum = v_load(y + t * LANES);
        for (int j = 0; j < SELECTIVE_GROUP; j++) {
            h[j] = v_fma(selective_transition(step * r[j], symmetric), h[j], input * b[j]);
            sum = v_fma(h[j], v_set(c[j]), sum);
        }
        v_store(y + t * LANES, sum);
    }
    for (int j = 0; j < SELECTIVE_GROUP; j++) v_store(w->state + at + j * SELECTIVE_CHANNELS, h[j]);
}

static void selective_advance(const selective_work *w, T *kept, size_t n, size_t v, size_t length) {
    if (w->scan->symmetric) selective_advance_as(w, kept, n, v, length, true);
    else selective_advance_as(w, kept, n, v, length, false);
}

/// y begins as D x.
static void selective_begin_output(const selective_work *w, size_t length) {
    const T *d = (const T *)w->scan->d + w->begin;
    for (size_t lane = 0; lane < w->channels; lane += LANES) {
        V skip = v_load_up_to(d + lane, w->channels - lane);
        const size_t rows = lane * SELECTIVE_CHUNK;
        for (size_t t = 0; t < length * LANES; t += LANES) v_store(w->y + rows + t, skip * v_load(w->x + rows + t));
    }
}

static void selective_store_output(const selective_work *w, size_t begin, size_t length) {
    T *y = (T *)w->scan->y + selective_channels_at(w, begin);
    for (size_t t = 0; t < length; t++, y += w->scan->channels)
        for (size_t lane = 0; lane < w->channels; lane += LANES)
            v_store_up_to(y + lane, v_load(w->y + lane * SELECTIVE_CHUNK + t * LANES), w->channels - lane);
}

static void selective_chunk_forward(selective_work *w, size_t begin, size_t length) {
    const rk_selective_scan *scan = w->scan;
    T *kept = scan->checkpoints ? selective_checkpoint(w, begin) : NULL;
    size_t part = 0;
    selective_load_chunk(w, begin, length);
    selective_begin_output(w, length);
    for (size_t v = 0; v < w->vectors; v++)
        for (size_t n = 0; n < w->states; n += SELECTIVE_GROUP, part++) {
            selective_fetch(w, scan->x, begin + SELECTIVE_CHUNK, part, 0);
            selective_fetch(w, scan->dt, begin + SELECTIVE_CHUNK, part, 0);
            selective_fetch(w, scan->y, begin, part, 1);
            selective_advance(w, kept, n, v, length);
        }
    selective_store_output(w, begin, length);
}

static void k_selective_scan_forward(const rk_selective_scan *scan, size_t row, size_t block) {
    selective_work w = selective_open(scan, row, block);
    const size_t time = (size_t)scan->time;
    selective_load_states(&w, (const T *)scan->initial + selective_states_at(&w), 1, w.state);
    for (size_t begin = 0; begin < time; begin += SELECTIVE_CHUNK)
        selective_chunk_forward(&w, begin, time - begin < SELECTIVE_CHUNK ? time - begin : SELECTIVE_CHUNK);
    selective_store_states(&w, w.state, (T *)scan->final + selective_states_at(&w));
}

// --- backward -------------------------------------------------------------------------------------

/// The forward walk again, keeping every decay and state; adds g h_t to dc, which begins with the first vector.
RK_INLINE void selective_replay(const selective_work *w, size_t n, size_t v, size_t length, bool first,
                                bool symmetric) {
    const T *dt = w->dt + v * SELECTIVE_ROWS, *x = w->x + v * SELECTIVE_ROWS, *g = w->y + v * SELECTIVE_ROWS;
    const size_t at = n * SELECTIVE_CHANNELS + v * LANES, states = w->states;
    const T *b = w->b + n;
    T *decay = w->decay, *before = w->before, *dc = w->dc;
    V r[SELECTIVE_GROUP], h[SELECTIVE_GROUP];
    for (int j = 0; j < SELECTIVE_GROUP; j++) {
        r[j] = v_load(w->rate + at + j * SELECTIVE_CHANNELS);
        h[j] = v_load(w->state + at + j * SELECTIVE_CHANNELS);
    }
    for (size_t t = 0; t < length; t++, b += states) {
        V step = v_load(dt + t * LANES), input = step * v_load(x + t * LANES), slope = v_load(g + t * LANES);
        for (int j = 0; j < SELECTIVE_GROUP; j++, decay += LANES, before += LANES, dc += LANES) {
            V a = selective_transition(step * r[j], symmetric);
            v_store(decay, a);
            v_store(before, h[j]);
            h[j] = v_fma(a, h[j], input * b[j]);
            v_store(dc, first ? slope * h[j] : v_fma(slope, h[j], v_load(dc)));
        }
    }
}

/// Walks back through what selective_replay kept.
RK_INLINE void selective_retreat(const selective_work *w, size_t n, size_t v, size_t length, bool first,
                                 bool symmetric) {
    const size_t at = n * SELECTIVE_CHANNELS + v * LANES, rows = v * SELECTIVE_ROWS, states = w->states;
    const size_t last = length - 1;
    const T *dt = w->dt + rows, *x = w->x + rows, *g = w->y + rows;
    const T *b = w->b + last * states + n, *c = w->c + last * states + n;
    const T *decay = w->decay, *before = w->before;
    T *through = w->through + rows, *along = w->along + rows, *db = w->db;
    T *carries = w->carry + at, *slopes = w->slope + at;
    V r[SELECTIVE_GROUP], carry[SELECTIVE_GROUP], slope[SELECTIVE_GROUP];
    for (int j = 0; j < SELECTIVE_GROUP; j++) {
        r[j] = v_load(w->rate + at + j * SELECTIVE_CHANNELS);
        carry[j] = v_load(carries + j * SELECTIVE_CHANNELS);
        slope[j] = 0;
    }
    for (size_t t = length; t-- > 0; b -= states, c -= states) {
        V step = v_load(dt + t * LANES), input = step * v_load(x + t * LANES), dy = v_load(g + t * LANES);
        V sum_through = v_load(through + t * LANES), sum_along = v_load(along + t * LANES);
        for (size_t j = 0, i = t * SELECTIVE_GROUP * LANES; j < SELECTIVE_GROUP; j++, i += LANES) {
            V l = v_fma(dy, v_set(c[j]), carry[j]);
            sum_through = v_fma(l, v_set(b[j]), sum_through);
            v_store(db + i, first ? l * input : v_fma(l, input, v_load(db + i)));
            carry[j] = l * v_load(decay + i);
            // The derivative of a_t by dt A: a_t itself, or 2 exp(dt A) = a_t + 1.
            V product = (symmetric ? carry[j] + l : carry[j]) * v_load(before + i);
            slope[j] = v_fma(product, step, slope[j]);
            sum_along = v_fma(product, r[j], sum_along);
        }
        v_store(through + t * LANES, sum_through);
        v_store(along + t * LANES, sum_along);
    }
    for (int j = 0; j < SELECTIVE_GROUP; j++, carries += SELECTIVE_CHANNELS, slopes += SELECTIVE_CHANNELS) {
        v_store(carries, carry[j]);
        v_store(slopes, slope[j] + v_load(slopes));
    }
}

/// The sums of the lanes of LANES vectors, in order; overwrites them.
RK_INLINE V v_lane_sums(V *v) {
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            v[i] = v_interleave_low(v[i], v[i + half]) + v_interleave_high(v[i], v[i + half]);
    return v[0];
}

/// Sums over the channels of a chunk, [SELECTIVE_CHUNK, SELECTIVE_GROUP, LANES], into states n... of rows [time, N].
static void selective_store_sums(const T *sums, size_t length, size_t n, size_t states, T *to) {
    T flat[SELECTIVE_CHUNK * SELECTIVE_GROUP];
    for (size_t i = 0; i < length * SELECTIVE_GROUP; i += LANES) {
        V v[LANES];
        for (size_t j = 0; j < LANES; j++) v[j] = v_load(sums + (i + j) * LANES);
        v_store(flat + i, v_lane_sums(v));
    }
    const size_t count = states - n < SELECTIVE_GROUP ? states - n : SELECTIVE_GROUP;
    for (size_t t = 0; t < length; t++)
        for (size_t j = 0; j < count; j++) to[t * states + n + j] = flat[t * SELECTIVE_GROUP + j];
}

/// The states before a chunk: where they are, if whole groups were kept.
static void selective_load_checkpoint(selective_work *w, size_t begin) {
    T *kept = selective_checkpoint(w, begin);
    if (w->states == (size_t)w->scan->states) w->state = kept;
    else memcpy(w->state, kept, (size_t)w->scan->states * SELECTIVE_CHANNELS * sizeof(T));
    for (size_t n = 0; begin > 0 && n < (size_t)w->scan->states * SELECTIVE_CHANNELS * sizeof(T); n += 64)
        __builtin_prefetch((const char *)selective_checkpoint(w, begin - SELECTIVE_CHUNK) + n, 0, 2);
}

static void selective_begin_gradients(const selective_work *w, const T *dy, size_t begin, size_t length) {
    for (size_t v = 0; v < w->vectors; v++)
        for (size_t t = 0; t < length; t++) {
            size_t from = selective_channels_at(w, begin + t) + v * LANES, to = v * SELECTIVE_ROWS + t * LANES;
            v_store(w->y + to, dy ? v_load_up_to(dy + from, w->channels - v * LANES) : v_set(0));
            v_store(w->through + to, v_set(0));
            v_store(w->along + to, v_set(0));
        }
}

/// dx and ddt of a chunk; adds to dD.
static void selective_store_gradients(const selective_work *w, const rk_selective_scan_gradients *gradients,
                                      size_t begin, size_t length) {
    const size_t channels = (size_t)w->scan->channels, from = selective_channels_at(w, begin);
    const T *d = (const T *)w->scan->d + w->begin;
    T *dx = (T *)gradients->dx + from, *ddt = (T *)gradients->ddt + from;
    T *dd = (T *)gradients->dd + w->row * channels + w->begin;
    for (size_t lane = 0; lane < w->channels; lane += LANES) {
        const size_t count = w->channels - lane;
        V skip = v_load_up_to(d + lane, count), sum = 0;
        for (size_t t = 0; t < length; t++) {
            const size_t at = lane * SELECTIVE_CHUNK + t * LANES, to = t * channels + lane;
            V x = v_load(w->x + at), g = v_load(w->y + at), through = v_load(w->through + at);
            v_store_up_to(dx + to, v_fma(v_load(w->dt + at), through, skip * g), count);
            v_store_up_to(ddt + to, v_fma(x, through, v_load(w->along + at) * SELECTIVE_LN2), count);
            sum = v_fma(g, x, sum);
        }
        v_store_up_to(dd + lane, sum + v_load_up_to(dd + lane, count), count);
    }
}

RK_INLINE void selective_walk_as(const selective_work *w, size_t n, size_t v, size_t length, bool first,
                                 bool symmetric) {
    selective_replay(w, n, v, length, first, symmetric);
    selective_retreat(w, n, v, length, first, symmetric);
}

/// One walk of a chunk forward and back.
static void selective_walk(const selective_work *w, size_t n, size_t v, size_t length) {
    if (w->scan->symmetric) selective_walk_as(w, n, v, length, v == 0, true);
    else if (v == 0) selective_walk_as(w, n, v, length, true, false);
    else selective_walk_as(w, n, v, length, false, false);
}

static void selective_fetch_gradients(const selective_work *w, const rk_selective_scan_gradients *gradients,
                                      size_t begin, size_t part) {
    if (begin > 0) {
        selective_fetch(w, w->scan->x, begin - SELECTIVE_CHUNK, part, 0);
        selective_fetch(w, w->scan->dt, begin - SELECTIVE_CHUNK, part, 0);
        selective_fetch(w, gradients->dy, begin - SELECTIVE_CHUNK, part, 0);
    }
    selective_fetch(w, gradients->dx, begin, part, 1);
    selective_fetch(w, gradients->ddt, begin, part, 1);
}

static void selective_chunk_backward(selective_work *w, const rk_selective_scan_gradients *gradients, size_t begin,
                                     size_t length) {
    const size_t states = (size_t)w->scan->states;
    const size_t rows = (w->block * (size_t)w->scan->batch + w->row) * (size_t)w->scan->time + begin;
    size_t part = 0;
    selective_load_checkpoint(w, begin);
    selective_load_chunk(w, begin, length);
    selective_begin_gradients(w, gradients->dy, begin, length);
    for (size_t n = 0; n < states; n += SELECTIVE_GROUP) {
        for (size_t v = 0; v < w->vectors; v++, part++) {
            selective_fetch_gradients(w, gradients, begin, part);
            selective_walk(w, n, v, length);
        }
        selective_store_sums(w->db, length, n, states, (T *)gradients->db + rows * states);
        selective_store_sums(w->dc, length, n, states, (T *)gradients->dc + rows * states);
    }
    selective_store_gradients(w, gradients, begin, length);
}

static void k_selective_scan_backward(const rk_selective_scan *scan, const rk_selective_scan_gradients *gradients,
                                      size_t row, size_t block) {
    selective_work w = selective_open(scan, row, block);
    const size_t time = (size_t)scan->time, states_at = selective_states_at(&w);
    memset((T *)gradients->dd + row * (size_t)scan->channels + w.begin, 0, w.channels * sizeof(T));
    memset(w.slope, 0, w.states * SELECTIVE_CHANNELS * sizeof(T));
    memset(w.state, 0, w.states * SELECTIVE_CHANNELS * sizeof(T));
    const T *dfinal = gradients->dfinal;
    selective_load_states(&w, dfinal ? dfinal + states_at : NULL, 1, w.carry);
    for (size_t end = time; end > 0;) {
        size_t begin = (end - 1) / SELECTIVE_CHUNK * SELECTIVE_CHUNK;
        selective_chunk_backward(&w, gradients, begin, end - begin);
        end = begin;
    }
    selective_store_states(&w, w.carry, (T *)gradients->dinitial + states_at);
    selective_store_states(&w, w.slope, (T *)gradients->da + states_at);
}

// --- one position ---------------------------------------------------------------------------------

/// Here the states of a channel lie in lanes, as they do in memory.
static void k_selective_scan_step(const rk_selective_step *step, size_t row, size_t begin, size_t end) {
    const size_t channels = (size_t)step->channels, states = (size_t)step->states;
    const T *x = (const T *)step->x + row * (size_t)step->x_row, *dt = (const T *)step->dt + row * (size_t)step->dt_row;
    const T *b = (const T *)step->b + row * (size_t)step->b_row, *c = (const T *)step->c + row * (size_t)step->c_row;
    const T *a = step->a, *d = step->d, *gate = step->gate ? (const T *)step->gate + row * (size_t)step->gate_row : NULL;
    T *state = (T *)step->state + row * channels * states, *y = (T *)step->y + row * channels;
    for (size_t first = begin; first < end; first += LANES) {
        const size_t count = end - first < LANES ? end - first : LANES;
        V sums[LANES] = {0}, steps = v_load_up_to(dt + first, count);
        T deltas[LANES];
        v_store(deltas, step->softplus ? v_softplus(steps) : steps);
        for (size_t i = 0; i < count; i++) {
            const size_t channel = first + i;
            V doublings = v_set(deltas[i] * SELECTIVE_LOG2E), input = v_set(deltas[i] * x[channel]);
            for (size_t n = 0; n < states; n += LANES) {
                T *at = state + channel * states + n;
                const size_t rest = states - n;
                V rates = doublings * v_load_up_to(a + channel * states + n, rest);
                V decay = selective_transition(rates, step->symmetric != 0);
                V h = v_fma(decay, v_load_up_to(at, rest), input * v_load_up_to(b + n, rest));
                v_store_up_to(at, h, rest);
                sums[i] = v_fma(h, v_load_up_to(c + n, rest), sums[i]);
            }
        }
        V result = v_load_up_to(d + first, count) * v_load_up_to(x + first, count) + v_lane_sums(sums);
        if (gate) {
            V z = v_load_up_to(gate + first, count);
            result *= z * v_sigmoid(z);
        }
        v_store_up_to(y + first, result, count);
    }
}
