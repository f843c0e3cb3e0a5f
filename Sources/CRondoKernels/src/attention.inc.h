// Causal softmax attention without the matrix of scores.
//
// Blocks of queries meet blocks of keys. Scores are kept in base 2 (scale and log2 e enter where keys are packed or
// queries copied), with a running maximum per query, so that only powers of non-positive numbers occur.
#if defined(__aarch64__)
#define ATTENTION_MANY_REGISTERS 1
#else
#define ATTENTION_MANY_REGISTERS 0
#endif
#include "attention_tiles.inc.h"

// A call of attention_step takes enough keys to have SEGMENT_ELEMENTS elements, and more where that would make more
// than MAX_SEGMENTS calls a row. From STEP_PACKED_ROWS queries of a group on it packs keys and values.
enum { MAX_SEGMENTS = 16, SEGMENT_ELEMENTS = 1 << 15, STEP_PACKED_ROWS = 12 };

/// The keys from `start` on that query t sees, within a block of `count`.
RK_INLINE span visible_keys(const rk_attention *a, int64_t t, int64_t start, int64_t count) {
    int64_t last = a->keys - a->time + t, first = last - a->window + 1;
    if (first < a->valid_from) first = a->valid_from;
    return make_span(first - start, last + 1 - start, count);
}

/// The first key that any query sees.
RK_INLINE int64_t first_visible(const rk_attention *a) {
    int64_t first = a->keys - a->time - a->window + 1;
    return clamped(first > a->valid_from ? first : a->valid_from, 0, a->keys);
}

/// Elements of the softmaxes under way of one row: maxima, sums (LANES each) and outputs of all heads and queries.
RK_INLINE size_t segment_size(const rk_attention *a) {
    size_t queries = (size_t)(a->time * a->heads);
    return whole_vectors(queries) + queries * (LANES + whole_vectors((size_t)a->value_width));
}

static void k_attention_plan(const rk_attention *a, rk_attention_layout *layout) {
    size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    int64_t key_elements = a->groups * (a->width + a->value_width), seen = a->keys - first_visible(a);
    int64_t few = (seen + MAX_SEGMENTS - 1) / MAX_SEGMENTS, least = SEGMENT_ELEMENTS / key_elements;
    *layout = (rk_attention_layout){
        .query_block = ATTENTION_QUERIES,
        .first_block = first_visible(a) / ATTENTION_KEYS,
        .blocks = (a->keys + ATTENTION_KEYS - 1) / ATTENTION_KEYS,
        .block_bytes = (int64_t)(((size_t)a->width + value_width) * ATTENTION_KEYS * sizeof(T)),
        .width = (int64_t)width,
        .value_width = (int64_t)value_width,
        .first_key = first_visible(a),
        .segment_keys = ((few > least ? few : least) / ATTENTION_KEYS + 1) * ATTENTION_KEYS,
        .segment_bytes = (int64_t)(segment_size(a) * sizeof(T)),
    };
}

static void k_attention_pack(const rk_attention *a, int64_t row, int64_t group, int64_t block, void *packed) {
    int64_t start = block * ATTENTION_KEYS, count = clamped(a->keys - start, 0, ATTENTION_KEYS);
    T *keys = packed, *values = keys + a->width * ATTENTION_KEYS;
    attention_transpose(attention_at(&a->k, row, start, group), a->k.position, (size_t)count, (size_t)a->width,
                        (T)a->scale * LOG2_E, keys);
    attention_copy_rows(attention_at(&a->v, row, start, group), a->v.position, (size_t)count, (size_t)a->value_width,
                        values);
}

// --- many queries ---------------------------------------------------------------------------------

/// What attention_forward keeps of its block of queries.
typedef struct {
    T maxima[ATTENTION_QUERIES], factors[ATTENTION_QUERIES], sums[ATTENTION_QUERIES * LANES];
    span spans[ATTENTION_QUERIES];
    T *queries, *scores, *output;
} attention_rows;

static void attend_block(const rk_attention *a, attention_rows *rows, int64_t first, size_t count, int64_t start,
                         const T *packed) {
    const size_t value_width = whole_vectors((size_t)a->value_width);
    for (size_t i = 0; i < count; i++) rows->spans[i] = visible_keys(a, first + (int64_t)i, start, ATTENTION_KEYS);
    attention_scores(count, rows->spans, (size_t)a->width, rows->queries, whole_vectors((size_t)a->width), packed,
                     rows->scores);
    attention_weights(count, rows->spans, rows->scores, rows->maxima, rows->sums, rows->factors);
    attention_sums(count, rows->spans, value_width, rows->scores, ATTENTION_STRIDE, 1,
                   packed + a->width * ATTENTION_KEYS, value_width, rows->factors, rows->output, value_width);
}

/// Divides an output row by its sum and stores it.
RK_INLINE void attention_finish(const rk_attention *a, const T *output, T sum, T *to) {
    const V inverse = v_set(1 / sum);
    for (size_t d = 0, width = (size_t)a->value_width; d < width; d += LANES)
        v_store_up_to(to + d, inverse * v_load(output + d), width - d);
}

static void k_attention_forward(const rk_attention *a, int64_t row, int64_t head, int64_t first, const void *packed,
                                void *output, void *logarithms) {
    const size_t count = (size_t)clamped(a->time - first, 0, ATTENTION_QUERIES);
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const int64_t past = a->keys - a->time, first_block = first_visible(a) / ATTENTION_KEYS;
    const size_t block_size = ((size_t)a->width + value_width) * ATTENTION_KEYS;
    attention_rows rows;
    rows.queries = rk_scratch(RK_SCRATCH_ATTENTION,
                              (width + value_width + ATTENTION_STRIDE) * ATTENTION_QUERIES * sizeof(T));
    rows.output = rows.queries + width * ATTENTION_QUERIES;
    rows.scores = rows.output + value_width * ATTENTION_QUERIES;
    attention_copy_rows(attention_at(&a->q, row, first, head), a->q.position, count, (size_t)a->width, rows.queries);
    memset(rows.output, 0, value_width * count * sizeof(T));
    memset(rows.sums, 0, count * LANES * sizeof(T));
    for (size_t i = 0; i < count; i++) rows.maxima[i] = -(T)INFINITY;
    int64_t from = (past + first - a->window + 1) / ATTENTION_KEYS;
    int64_t to = (past + first + (int64_t)count - 1) / ATTENTION_KEYS;
    for (int64_t block = from > first_block ? from : first_block; block <= to; block++)
        attend_block(a, &rows, first, count, block * ATTENTION_KEYS,
                     (const T *)packed + (size_t)(block - first_block) * block_size);
    for (size_t i = 0; i < count; i++) {
        int64_t t = first + (int64_t)i;
        T sum = v_sum(v_load(rows.sums + i * LANES));
        attention_finish(a, rows.output + i * value_width, sum,
                         (T *)output + ((row * a->time + t) * a->heads + head) * a->value_width);
        ((T *)logarithms)[(row * a->heads + head) * a->time + t] = attention_logarithm(rows.maxima[i], sum);
    }
}

#include "attention_step.inc.h"
#include "attention_backward.inc.h"
