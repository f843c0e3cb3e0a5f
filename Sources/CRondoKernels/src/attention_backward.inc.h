// The gradient of attention. With the weights p = 2^(score - logarithm) recomputed block by block:
//   dp = dy . v,  ds = p (dp - dy . y),  dv += p dy,  dk += ds q,  dq += ds k
// (dk and dq are scaled at the end). Keys are the outer loop: dk and dv of a block stay in the cache.

enum { GRADIENT_QUERIES = 96 };

static void k_attention_pack_queries(const rk_attention *a, int64_t row, int64_t head, int64_t first, int64_t count,
                                     const rk_attention_operand *dy, const void *output, void *queries,
                                     void *gradients, void *products) {
    const int64_t width = (int64_t)whole_vectors((size_t)a->width);
    const int64_t value_width = (int64_t)whole_vectors((size_t)a->value_width);
    const int64_t start = (row * a->heads + head) * a->time + first;
    const T *y = (const T *)output + ((row * a->time + first) * a->heads + head) * a->value_width;
    T *gradient = (T *)gradients + start * value_width;
    attention_copy_rows(attention_at(&a->q, row, first, head), a->q.position, (size_t)count, (size_t)a->width,
                        (T *)queries + start * width);
    attention_copy_rows(attention_at(dy, row, first, head), dy->position, (size_t)count, (size_t)a->value_width,
                        gradient);
    for (int64_t i = 0; i < count; i++, y += a->heads * a->value_width, gradient += value_width) {
        V sum = v_set(0);
        for (int64_t d = 0; d < a->value_width; d += LANES)
            sum = v_fma(v_load(gradient + d), v_load_up_to(y + d, (size_t)(a->value_width - d)), sum);
        ((T *)products)[start + i] = v_sum(sum);
    }
}

/// A block of keys under way.
typedef struct {
    int64_t start, count;
    T *keys_transposed, *values_transposed, *keys;  // packed
    T *dk, *dv;                                     // sums, padded rows
    T *weights, *slopes;                            // scores and then p; dp and then ds
} gradient_block;

/// One block of queries of a head: from their scores and dp to p and ds, within each row's span.
static void gradient_slopes(size_t count, const span *spans, const T *logarithms, const T *products, T *weights,
                            T *slopes) {
    for (size_t i = 0; i < count; i++, weights += ATTENTION_STRIDE, slopes += ATTENTION_STRIDE) {
        const V logarithm = v_set(logarithms[i]), product = v_set(products[i]);
        for (int32_t j = spans[i].from / LANES * LANES; j < spans[i].to; j += LANES) {
            V weight = v_exp2(v_load(weights + j) - logarithm);
            v_store(weights + j, weight);
            v_store(slopes + j, weight * (v_load(slopes + j) - product));
        }
    }
}

/// A head's queries first ..< first + count against the block.
static void gradient_queries(const rk_attention *a, const gradient_block *block, int64_t row, int64_t head,
                             int64_t first, size_t count, const rk_attention_gradients *g) {
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const int64_t start = (row * a->heads + head) * a->time + first;
    const T *queries = (const T *)g->queries + start * (int64_t)width;
    const T *gradients = (const T *)g->gradients + start * (int64_t)value_width;
    span of_queries[GRADIENT_QUERIES], of_keys[ATTENTION_KEYS];
    for (size_t i = 0; i < count; i++)
        of_queries[i] = visible_keys(a, first + (int64_t)i, block->start, block->count);
    for (int64_t j = 0; j < block->count; j++) {
        int64_t own = block->start + j - (a->keys - a->time) - first;  // the query at the key's position
        bool exists = block->start + j >= a->valid_from;
        of_keys[j] = make_span(own, exists ? own + a->window : own, (int64_t)count);
    }
    attention_scores(count, of_queries, (size_t)a->width, queries, width, block->keys_transposed, block->weights);
    attention_scores(count, of_queries, (size_t)a->value_width, gradients, value_width, block->values_transposed,
                     block->slopes);
    gradient_slopes(count, of_queries, (const T *)g->logarithms + start, (const T *)g->products + start,
                    block->weights, block->slopes);
    attention_sums((size_t)block->count, of_keys, value_width, block->weights, 1, ATTENTION_STRIDE, gradients,
                   value_width, NULL, block->dv, value_width);
    attention_sums((size_t)block->count, of_keys, width, block->slopes, 1, ATTENTION_STRIDE, queries, width, NULL,
                   block->dk, width);
    attention_sums(count, of_queries, width, block->slopes, ATTENTION_STRIDE, 1, block->keys, width, NULL,
                   (T *)g->dq + start * (int64_t)width, width);
}

/// Writes the block's sums where they belong.
static void gradient_store(const rk_attention *a, const gradient_block *block, int64_t row, int64_t group,
                           const rk_attention_gradients *g) {
    const size_t width = (size_t)a->width, value_width = (size_t)a->value_width;
    for (int64_t j = 0; j < block->count; j++) {
        int64_t at = (row * a->keys + block->start + j) * a->groups + group;
        const T *dk = block->dk + j * (int64_t)whole_vectors(width);
        const T *dv = block->dv + j * (int64_t)whole_vectors(value_width);
        for (size_t d = 0; d < width; d += LANES)
            v_store_up_to((T *)g->dk + at * a->width + d, (T)a->scale * v_load(dk + d), width - d);
        for (size_t d = 0; d < value_width; d += LANES)
            v_store_up_to((T *)g->dv + at * a->value_width + d, v_load(dv + d), value_width - d);
    }
}

/// All queries of all heads of the group against one block of keys.
static void gradient_keys(const rk_attention *a, const gradient_block *block, int64_t row, int64_t group,
                          const rk_attention_gradients *g) {
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    memset(block->dk, 0, width * ATTENTION_KEYS * sizeof(T));
    memset(block->dv, 0, value_width * ATTENTION_KEYS * sizeof(T));
    const int64_t own = block->start - (a->keys - a->time), end = block->start + block->count;
    const int64_t from = clamped(own, 0, a->time);
    const int64_t to = end <= a->valid_from ? 0 : clamped(own + block->count - 1 + a->window, 0, a->time);
    if (from < to) {
        const T *keys = attention_at(&a->k, row, block->start, group);
        const T *values = attention_at(&a->v, row, block->start, group);
        attention_transpose(keys, a->k.position, (size_t)block->count, (size_t)a->width, (T)a->scale * LOG2_E,
                            block->keys_transposed);
        attention_transpose(values, a->v.position, (size_t)block->count, (size_t)a->value_width, 1,
                            block->values_transposed);
        attention_copy_rows(keys, a->k.position, (size_t)block->count, (size_t)a->width, block->keys);
        const int64_t shared = a->heads / a->groups;
        for (int64_t head = group * shared; head < (group + 1) * shared; head++)
            for (int64_t t = from; t < to; t += GRADIENT_QUERIES)
                gradient_queries(a, block, row, head, t, (size_t)clamped(to - t, 0, GRADIENT_QUERIES), g);
    }
    gradient_store(a, block, row, group, g);
}

static void k_attention_backward(const rk_attention *a, int64_t row, int64_t group, int64_t first, int64_t step,
                                 const rk_attention_gradients *g) {
    const size_t width = whole_vectors((size_t)a->width), value_width = whole_vectors((size_t)a->value_width);
    const size_t per_key = (size_t)a->width + (size_t)a->value_width + 2 * width + value_width;
    gradient_block block;
    block.keys_transposed = rk_scratch(
        RK_SCRATCH_ATTENTION, (per_key * ATTENTION_KEYS + 2 * GRADIENT_QUERIES * ATTENTION_STRIDE) * sizeof(T));
    block.values_transposed = block.keys_transposed + a->width * ATTENTION_KEYS;
    block.keys = block.values_transposed + a->value_width * ATTENTION_KEYS;
    block.dk = block.keys + width * ATTENTION_KEYS;
    block.dv = block.dk + width * ATTENTION_KEYS;
    block.weights = block.dv + value_width * ATTENTION_KEYS;
    block.slopes = block.weights + GRADIENT_QUERIES * ATTENTION_STRIDE;
    const int64_t shared = a->heads / a->groups, rows = shared * a->time;
    memset((T *)g->dq + (row * a->heads + group * shared) * a->time * (int64_t)width, 0,
           (size_t)rows * width * sizeof(T));
    for (block.start = first * ATTENTION_KEYS; block.start < a->keys; block.start += step * ATTENTION_KEYS) {
        block.count = clamped(a->keys - block.start, 0, ATTENTION_KEYS);
        gradient_keys(a, &block, row, group, g);
    }
}

static void k_attention_sum_queries(const rk_attention *a, int64_t row, int64_t head, int64_t first, int64_t count,
                                    int64_t parts, int64_t part, const void *shares, void *dq) {
    const int64_t width = (int64_t)whole_vectors((size_t)a->width);
    for (int64_t t = first; t < first + count; t++) {
        const T *share = (const T *)shares + ((row * a->heads + head) * a->time + t) * width;
        T *to = (T *)dq + ((row * a->time + t) * a->heads + head) * a->width;
        for (int64_t d = 0; d < a->width; d += LANES) {
            V sum = v_load(share + d);
            for (int64_t p = 1; p < parts; p++) sum += v_load(share + p * part + d);
            v_store_up_to(to + d, (T)a->scale * sum, (size_t)(a->width - d));
        }
    }
}
