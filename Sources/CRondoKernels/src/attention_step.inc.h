// Attention of few queries over many keys: every key and value is read once, in the order of memory.
//
// All queries of a group meet a block of keys together. Very few take their scores from the keys as they are, more of
// them from a copy of the block that is packed for tiles.

/// Lane i: the sum of the lanes of v[i].
RK_INLINE V v_sums(V *v) {
    for (int count = LANES; count > 1; count /= 2)
        for (int i = 0; i < count / 2; i++) v[i] = v_evens(v[2 * i], v[2 * i + 1]) + v_odds(v[2 * i], v[2 * i + 1]);
    return v[0];
}

/// Scores of one query with `count` keys; the query is padded with zeros.
RK_INLINE void score_keys(const T *query, const T *keys, int64_t step, size_t count, size_t width, T *scores) {
    for (size_t j = 0; j < count; j += LANES) {
        V dot[LANES];
        for (size_t i = 0; i < LANES; i++) {
            const T *key = keys + (int64_t)(j + i < count ? j + i : count - 1) * step;
            V even = v_set(0), odd = v_set(0);
            size_t d = 0;
            for (; d + 2 * LANES <= width; d += 2 * LANES) {
                even = v_fma(v_load(query + d), v_load(key + d), even);
                odd = v_fma(v_load(query + d + LANES), v_load(key + d + LANES), odd);
            }
            for (; d < width; d += LANES) even = v_fma(v_load(query + d), v_load_up_to(key + d, width - d), even);
            dot[i] = even + odd;
        }
        v_store(scores + j, v_sums(dot));
    }
}

/// `score_keys`, unrolled for common widths.
static void step_scores(const T *query, const T *keys, int64_t step, size_t count, size_t width, T *scores) {
    switch (width) {
        case 32: score_keys(query, keys, step, count, 32, scores); return;
        case 64: score_keys(query, keys, step, count, 64, scores); return;
        case 128: score_keys(query, keys, step, count, 128, scores); return;
        default: score_keys(query, keys, step, count, width, scores);
    }
}

/// The softmaxes under way of a row, over groups, then time, then the heads of the group.
typedef struct {
    T *maxima, *sums, *outputs;
} step_segment;

RK_INLINE step_segment make_segment(const rk_attention *a, const void *memory) {
    size_t queries = (size_t)(a->time * a->heads);
    T *maxima = (T *)memory, *sums = maxima + whole_vectors(queries);
    return (step_segment){maxima, sums, sums + queries * LANES};
}

/// The queries and their memory.
typedef struct {
    size_t count;  // queries of one group
    T *queries;    // of all groups, [width] each, scaled
    T *scores, *keys, *values, *factors;  // keys, values: a packed block
    span *spans;
    step_segment segment;
} step_rows;

/// The scores of one group's queries with a block of keys.
static void step_block_scores(const rk_attention *a, const step_rows *rows, const T *queries, const T *keys,
                              size_t count) {
    const size_t width = (size_t)a->width, padded = whole_vectors(width);
    if (rows->count >= STEP_PACKED_ROWS) {
        attention_transpose(keys, a->k.position, count, width, 1, rows->keys);
        attention_scores(rows->count, rows->spans, width, queries, padded, rows->keys, rows->scores);
        return;
    }
    for (size_t i = 0; i < rows->count; i++)
        if (rows->spans[i].to > rows->spans[i].from)
            step_scores(queries + i * padded, keys, a->k.position, count, width, rows->scores + i * ATTENTION_STRIDE);
}

/// One group's queries over a block of up to ATTENTION_KEYS keys.
static void step_block(const rk_attention *a, const step_rows *rows, int64_t row, int64_t group, int64_t start,
                       int64_t count) {
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const size_t first = (size_t)group * rows->count;
    const int64_t shared = a->heads / a->groups;
    for (size_t i = 0; i < rows->count; i++) rows->spans[i] = visible_keys(a, (int64_t)i / shared, start, count);
    step_block_scores(a, rows, rows->queries + first * width, attention_at(&a->k, row, start, group), (size_t)count);
    attention_weights(rows->count, rows->spans, rows->scores, rows->segment.maxima + first,
                      rows->segment.sums + first * LANES, rows->factors);
    const T *values = attention_at(&a->v, row, start, group);
    size_t value_step = (size_t)a->v.position;
    // Whole vectors would reach into the next row, or many tiles would read few sets of the cache.
    if (value_width != (size_t)a->value_width || rows->count >= STEP_PACKED_ROWS) {
        attention_copy_rows(values, a->v.position, (size_t)count, (size_t)a->value_width, rows->values);
        values = rows->values;
        value_step = value_width;
    }
    attention_sums(rows->count, rows->spans, value_width, rows->scores, ATTENTION_STRIDE, 1, values, value_step,
                   rows->factors, rows->segment.outputs + first * value_width, value_width);
}

/// Scaled queries in the order group, time, head of the group; softmaxes that saw nothing yet.
static void step_begin(const rk_attention *a, const step_rows *rows, int64_t row) {
    const size_t width = whole_vectors((size_t)a->width);
    const int64_t shared = a->heads / a->groups;
    T *to = rows->queries;
    memset(rows->segment.maxima, 0, segment_size(a) * sizeof(T));
    for (int64_t i = 0; i < a->time * a->heads; i++) rows->segment.maxima[i] = -(T)INFINITY;
    for (int64_t group = 0; group < a->groups; group++)
        for (int64_t t = 0; t < a->time; t++)
            for (int64_t head = group * shared; head < (group + 1) * shared; head++, to += width) {
                attention_copy_rows(attention_at(&a->q, row, t, head), 0, 1, (size_t)a->width, to);
                for (size_t d = 0; d < width; d += LANES)
                    v_store(to + d, (T)a->scale * LOG2_E * v_load(to + d));
            }
}

static void k_attention_step(const rk_attention *a, int64_t row, int64_t first, void *segment) {
    rk_attention_layout layout;
    k_attention_plan(a, &layout);
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const size_t queries = (size_t)(a->time * a->heads), count = queries / (size_t)a->groups;
    const size_t elements = queries * width + count * ATTENTION_STRIDE + whole_vectors(count) +
                            ATTENTION_KEYS * ((size_t)a->width + value_width);
    T *memory = rk_scratch(RK_SCRATCH_ATTENTION, elements * sizeof(T) + count * sizeof(span));
    step_rows rows = {.count = count, .queries = memory, .segment = make_segment(a, segment)};
    rows.scores = rows.queries + queries * width;
    rows.keys = rows.scores + count * ATTENTION_STRIDE;
    rows.values = rows.keys + ATTENTION_KEYS * a->width;
    rows.factors = rows.values + ATTENTION_KEYS * value_width;
    rows.spans = (span *)(memory + elements);
    step_begin(a, &rows, row);
    int64_t end = first + layout.segment_keys < a->keys ? first + layout.segment_keys : a->keys;
    for (int64_t start = first; start < end; start += ATTENTION_KEYS)
        for (int64_t group = 0; group < a->groups; group++)
            step_block(a, &rows, row, group, start, end - start < ATTENTION_KEYS ? end - start : ATTENTION_KEYS);
}

/// Query `index` of `count` segments, `step` elements apart.
static void join_query(const rk_attention *a, size_t index, size_t count, const T *segments, size_t step, T *output,
                       T *logarithm) {
    const size_t width = whole_vectors((size_t)a->value_width);
    T maximum = -(T)INFINITY, sum = 0;
    for (size_t s = 0; s < count; s++) {
        T other = make_segment(a, segments + s * step).maxima[index];
        maximum = other > maximum ? other : maximum;
    }
    T *total = rk_scratch(RK_SCRATCH_ATTENTION, width * sizeof(T));
    memset(total, 0, width * sizeof(T));
    for (size_t s = 0; s < count; s++) {
        step_segment part = make_segment(a, segments + s * step);
        if (part.maxima[index] == -(T)INFINITY) continue;  // saw no key
        T weight = v_exp2(v_set(part.maxima[index] - maximum))[0];
        sum += weight * v_sum(v_load(part.sums + index * LANES));
        for (size_t d = 0; d < width; d += LANES)
            v_store(total + d, v_fma(v_set(weight), v_load(part.outputs + index * width + d), v_load(total + d)));
    }
    attention_finish(a, total, sum, output);
    *logarithm = attention_logarithm(maximum, sum);
}

static void k_attention_join(const rk_attention *a, int64_t row, int64_t count, const void *segments, void *output,
                             void *logarithms) {
    const int64_t shared = a->heads / a->groups;
    size_t index = 0;
    for (int64_t group = 0; group < a->groups; group++)
        for (int64_t t = 0; t < a->time; t++)
            for (int64_t head = group * shared; head < (group + 1) * shared; head++)
                join_query(a, index++, (size_t)count, segments, segment_size(a),
                           (T *)output + ((row * a->time + t) * a->heads + head) * a->value_width,
                           (T *)logarithms + (row * a->heads + head) * a->time + t);
}
