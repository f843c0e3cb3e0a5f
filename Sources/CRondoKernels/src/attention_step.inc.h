// Attention of few queries over many keys: every key and value is read once, in the order of memory.

/// Lane i: the sum of the lanes of v[i].
RK_INLINE V v_sums(V *v) {
    for (int count = LANES; count > 1; count /= 2)
        for (int i = 0; i < count / 2; i++) v[i] = v_evens(v[2 * i], v[2 * i + 1]) + v_odds(v[2 * i], v[2 * i + 1]);
    return v[0];
}

/// Scores of one query with `count` keys; the query is padded with zeros.
RK_INLINE void step_scores(const T *query, const T *keys, int64_t step, size_t count, size_t width, T *scores) {
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

/// The queries of a group, over time and then heads, and their memory.
typedef struct {
    size_t count;  // queries of one group
    T *queries;    // [group][query][width], scaled
    T *partials;   // [group][query]: maximum, sums, output
    T *scores, *values, *factor;
    span *spans;
} step_rows;

/// One group's queries over a block of up to STEP_KEYS keys.
static void step_block(const rk_attention *a, const step_rows *rows, int64_t row, int64_t group, int64_t start,
                       int64_t count) {
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const size_t size = partial_size(a), first = (size_t)group * rows->count;
    const int64_t shared = a->heads / a->groups;
    for (size_t i = 0; i < rows->count; i++) {
        T *scores = rows->scores + i * ATTENTION_STRIDE, *partial = rows->partials + (first + i) * size;
        span s = rows->spans[i] = visible_keys(a, (int64_t)i / shared, start, count);
        V sum = v_load(partial + LANES);
        if (s.to > s.from)
            step_scores(rows->queries + (first + i) * width, attention_at(&a->k, row, start, group), a->k.position,
                        (size_t)count, (size_t)a->width, scores);
        rows->factor[i] = attention_weights(scores, s, partial, &sum);
        v_store(partial + LANES, sum);
    }
    const T *values = attention_at(&a->v, row, start, group);
    size_t value_step = (size_t)a->v.position;
    if (value_width != (size_t)a->value_width) {  // whole vectors would reach into the next row
        attention_copy_rows(values, a->v.position, (size_t)count, (size_t)a->value_width, rows->values);
        values = rows->values;
        value_step = value_width;
    }
    attention_sums(rows->count, rows->spans, value_width, rows->scores, ATTENTION_STRIDE, 1, values, value_step,
                   rows->factor, rows->partials + first * size + 2 * LANES, size);
}

/// Scaled queries in the order group, time, head of the group; partial results that saw nothing yet.
static void step_begin(const rk_attention *a, const step_rows *rows, int64_t row) {
    const size_t width = whole_vectors((size_t)a->width), size = partial_size(a);
    const int64_t shared = a->heads / a->groups;
    T *to = rows->queries, *partial = rows->partials;
    for (int64_t group = 0; group < a->groups; group++)
        for (int64_t t = 0; t < a->time; t++)
            for (int64_t head = group * shared; head < (group + 1) * shared; head++, to += width, partial += size) {
                attention_copy_rows(attention_at(&a->q, row, t, head), 0, 1, (size_t)a->width, to);
                for (size_t d = 0; d < width; d += LANES)
                    v_store(to + d, (T)a->scale * LOG2_E * v_load(to + d));
                memset(partial, 0, size * sizeof(T));
                *partial = -(T)INFINITY;
            }
}

static void k_attention_step(const rk_attention *a, int64_t row, int64_t first, void *segment) {
    rk_attention_layout layout;
    k_attention_plan(a, &layout);
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const size_t queries = (size_t)(a->time * a->heads), count = queries / (size_t)a->groups;
    const size_t elements = queries * width + count * ATTENTION_STRIDE + STEP_KEYS * value_width + whole_vectors(count);
    T *memory = rk_scratch(RK_SCRATCH_ATTENTION, elements * sizeof(T) + count * sizeof(span));
    step_rows rows = {.count = count, .queries = memory, .partials = segment};
    rows.scores = rows.queries + queries * width;
    rows.values = rows.scores + count * ATTENTION_STRIDE;
    rows.factor = rows.values + STEP_KEYS * value_width;
    rows.spans = (span *)(memory + elements);
    step_begin(a, &rows, row);
    int64_t end = first + layout.segment_keys < a->keys ? first + layout.segment_keys : a->keys;
    for (int64_t start = first; start < end; start += STEP_KEYS)
        for (int64_t group = 0; group < a->groups; group++)
            step_block(a, &rows, row, group, start, end - start < STEP_KEYS ? end - start : STEP_KEYS);
}

/// One head and query: `count` partial results, `step` elements apart.
static void join_partials(const rk_attention *a, size_t count, const T *partials, size_t step, T *output,
                          T *logarithm) {
    T maximum = -(T)INFINITY, sum = 0;
    for (size_t s = 0; s < count; s++) maximum = partials[s * step] > maximum ? partials[s * step] : maximum;
    size_t width = whole_vectors((size_t)a->value_width);
    T *total = rk_scratch(RK_SCRATCH_ATTENTION, width * sizeof(T));
    memset(total, 0, width * sizeof(T));
    for (size_t s = 0; s < count; s++, partials += step) {
        if (*partials == -(T)INFINITY) continue;  // saw no key
        T weight = v_exp2(v_set(*partials - maximum))[0];
        sum += weight * v_sum(v_load(partials + LANES));
        for (size_t d = 0; d < width; d += LANES)
            v_store(total + d, v_fma(v_set(weight), v_load(partials + 2 * LANES + d), v_load(total + d)));
    }
    attention_finish(a, total, sum, output);
    *logarithm = attention_logarithm(maximum, sum);
}

static void k_attention_join(const rk_attention *a, int64_t row, int64_t count, const void *segments, void *output,
                             void *logarithms) {
    const size_t size = partial_size(a), step = (size_t)(a->time * a->heads) * size;
    const int64_t shared = a->heads / a->groups;
    const T *partials = segments;
    for (int64_t group = 0; group < a->groups; group++)
        for (int64_t t = 0; t < a->time; t++)
            for (int64_t head = group * shared; head < (group + 1) * shared; head++, partials += size)
                join_partials(a, (size_t)count, partials, step,
                              (T *)output + ((row * a->time + t) * a->heads + head) * a->value_width,
                              (T *)logarithms + (row * a->heads + head) * a->time + t);
}
