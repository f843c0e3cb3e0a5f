// The backward computation of linear attention. A block with the state S before it, the cotangents dO of its outputs
// and dS' of the state after it gives, with M the cotangent of the undecayed scores (dO V^T, decayed as P),
//   dV = P^T dO + (write k) dS'                dS = d(start, end) dS' + (read q)^T dO
//   dq = read (dO S^T) + M K                   dk = write (V dS'^T) + M^T Q
// where a vector decay stands inside of the last products' sums. As a decay multiplies everything that reaches over it,
//   dg_t = <S', dS'> + sum over s >= t of (q_s dq_s - k_s dk_s),
// without the terms of positions with themselves, which are left out of these sums from the start. The sum runs to the
// end of the segment only, so that its rounding errors do not grow with time.

/// Memory of the backward computation: of a segment, then of the head at hand.
typedef struct {
    T *dq, *dk;       // summed over the unit's heads
    T *pairs;         // M, summed over heads, rows of LA_SEGMENT
    T *own;           // vector decay: the cotangents of q_i k_i, rows of `key`
    T *ends;          // the sums <S', dS'> of each row of the state
    T *v, *dout, *dv;
    T *dp;            // dO V^T, rows of LA_SEGMENT
    T *read, *write;  // dO S^T and V dS'^T
    T *transposed;    // of V, S or dS'
    T *states;        // before each block but the first
    T *dstates;       // of each head
    T *dbonus;        // of each head
    T *ones;
} la_gradient;

static la_gradient la_make_gradient(la_unit *unit) {
    const size_t key = unit->key, value = unit->value, size = key * value, wide = key > value ? key : value;
    la_gradient d = {.dq = la_take(unit, LA_SEGMENT * key), .dk = la_take(unit, LA_SEGMENT * key)};
    d.pairs = la_take(unit, LA_SEGMENT * LA_SEGMENT);
    d.own = la_take(unit, LA_SEGMENT * key);
    d.ends = la_take(unit, key);
    d.v = la_take(unit, LA_SEGMENT * value);
    d.dout = la_take(unit, LA_SEGMENT * value);
    d.dv = la_take(unit, LA_SEGMENT * value);
    d.dp = la_take(unit, LA_SEGMENT * LA_SEGMENT);
    d.read = la_take(unit, LA_SEGMENT * key);
    d.write = la_take(unit, LA_SEGMENT * key);
    d.transposed = la_take(unit, size > LA_SEGMENT * wide ? size : LA_SEGMENT * wide);
    d.states = la_take(unit, (LA_SEGMENT / LA_BLOCK - 1) * size);
    d.dstates = la_take(unit, unit->heads * size);
    d.dbonus = la_take(unit, unit->heads * key);
    d.ones = la_take(unit, LA_SEGMENT);
    for (size_t i = 0; i < LA_SEGMENT; i++) d.ones[i] = 1;
    for (size_t i = 0; i < unit->heads * key; i++) d.dbonus[i] = 0;
    return d;
}

/// The products of one block; dstate becomes the cotangent of the state before it.
static void la_backward_block(const la_unit *unit, const la_segment *s, const la_gradient *d, size_t start,
                              const T *state, T *dstate) {
    const size_t key = unit->key, value = unit->value, block = s->block;
    const T *v = d->v + start * value, *dout = d->dout + start * value, *p = s->p + start * LA_SEGMENT;
    la_transpose(v, value, block, value, d->transposed, block);
    la_term scores = {dout, value, 1, d->transposed, block, value};
    la_multiply(block, block, &scores, LA_LOWER_RESULT, NULL, la_replace, d->dp + start * LA_SEGMENT, LA_SEGMENT,
                unit->fetch);

    la_term inside = {p, 1, LA_SEGMENT, dout, value, block};
    la_term across = {s->write_k + start * key, key, 1, dstate, value, key};
    la_multiply(block, value, &inside, LA_UPPER, &across, la_replace, d->dv + start * value, value, unit->fetch);

    la_transpose(state, value, key, value, d->transposed, key);
    la_term reading = {dout, value, 1, d->transposed, key, value};
    la_multiply(block, key, &reading, LA_FULL, NULL, la_replace, d->read + start * key, key, unit->fetch);
    la_transpose(dstate, value, key, value, d->transposed, key);
    la_term writing = {v, value, 1, d->transposed, key, value};
    la_multiply(block, key, &writing, LA_FULL, NULL, la_replace, d->write + start * key, key, unit->fetch);

    la_term product = {s->read_q + start * key, 1, key, dout, value, block};
    la_update update = {s->total + start / block * key, dstate};
    la_multiply(key, value, &product, LA_FULL, NULL, update, dstate, value, unit->fetch);
}

/// All blocks of a segment, the last first. A vector decay has several: their states are computed again.
static void la_backward_blocks(const la_unit *unit, const la_segment *s, const la_gradient *d, const T *state,
                               T *dstate) {
    const size_t size = unit->key * unit->value, blocks = s->rows / s->block;
    const T *states[LA_SEGMENT / LA_BLOCK] = {state};
    for (size_t b = 1; b < blocks; b++) {
        la_advance(unit, s, (b - 1) * s->block, d->v, states[b - 1], d->states + (b - 1) * size);
        states[b] = d->states + (b - 1) * size;
    }
    for (size_t b = blocks; b-- > 0;) la_backward_block(unit, s, d, b * s->block, states[b], dstate);
}

// --- scalar decay ---------------------------------------------------------------------------------

/// y = x, or y += x.
RK_INLINE void la_accumulate(T *y, V x, bool first) { v_store(y, first ? x : v_load(y) + x); }

/// Row i of M; adds its products with the scores to `columns`, and returns them summed, both without the diagonal.
RK_INLINE V la_scalar_row(const la_segment *s, const la_gradient *d, size_t i, bool first, bool decays, V *columns) {
    V lane, sum = v_set(0);
    for (int l = 0; l < LANES; l++) lane[l] = (T)l;
    for (size_t j = 0; j < la_reach(i); j += LANES) {
        size_t at = i * LA_SEGMENT + j;
        V pairs = la_weighted(v_load(s->weights + at), v_load(d->dp + at));
        la_accumulate(d->pairs + at, pairs, first);
        if (!decays) continue;
        V effect = lane < v_set((T)i - (T)j) ? pairs * v_load(s->scores + at) : v_set(0);
        columns[j / LANES] += effect;
        sum += effect;
    }
    return sum;
}

/// Adds a head's part of dq, dk and M, and gives its dg.
static void la_scalar_head(const la_unit *unit, const la_segment *s, const la_gradient *d, bool first, T *dg) {
    const size_t key = unit->key;
    const bool decays = dg != NULL;
    V columns[LA_SEGMENT / LANES], sums[LA_BLOCK];
    for (size_t j = 0; j < LA_SEGMENT / LANES; j++) columns[j] = v_set(0);
    for (size_t i = 0; i < s->rows; i++) {
        V sum = la_scalar_row(s, d, i, first, decays, columns), read = v_set(s->read[i]), write = v_set(s->write[i]);
        for (size_t at = i * key; at < (i + 1) * key; at += LANES) {
            V dq = read * v_load(d->read + at), dk = write * v_load(d->write + at);
            la_accumulate(d->dq + at, dq, first);
            la_accumulate(d->dk + at, dk, first);
            if (decays) sum += v_load(s->q + at) * dq - v_load(s->k + at) * dk;
        }
        sums[i % LA_BLOCK] = sum;
        if (decays && i % LA_BLOCK == LA_BLOCK - 1) la_sum_lanes(sums, dg + i + 1 - LA_BLOCK);
    }
    if (!decays) return;
    T column[LA_SEGMENT], run = 0;
    for (size_t j = 0; j < LA_SEGMENT / LANES; j++) v_store(column + j * LANES, columns[j]);
    for (size_t c = 0; c < key; c++) run += d->ends[c];
    for (size_t i = s->rows; i-- > 0;) dg[i] = run += dg[i] - column[i];
}

/// The products inside of the chunk, of all heads at once.
static void la_scalar_finish(const la_unit *unit, const la_segment *s, const la_gradient *d) {
    const size_t key = unit->key;
    la_term queries = {d->pairs, LA_SEGMENT, 1, s->k, key, s->rows};
    la_term keys = {d->pairs, 1, LA_SEGMENT, s->q, key, s->rows};
    la_multiply(s->rows, key, &queries, LA_LOWER, NULL, (la_update){d->ones, d->dq}, d->dq, key, unit->fetch);
    la_multiply(s->rows, key, &keys, LA_UPPER, NULL, (la_update){d->ones, d->dk}, d->dk, key, unit->fetch);
}

// --- vector decay ---------------------------------------------------------------------------------

/// Adds a head's part of dq, dk, M and of what belongs to a position alone.
static void la_vector_head(const la_unit *unit, const la_segment *s, const la_gradient *d, size_t h, bool first) {
    const size_t key = unit->key;
    const rk_linear_attention *call = unit->call;
    T *u = s->spare, *dbonus = d->dbonus + h * key;
    if (call->bonus) la_load((const T *)call->bonus + (unit->head + h) * call->key, 0, 1, call->key, u, 1, key);
    for (size_t i = 0; i < s->rows; i++) {
        const T *dp = d->dp + i * LA_SEGMENT;
        V own = v_set(dp[i % LA_BLOCK]);
        for (size_t j = 0; j < la_reach(i % LA_BLOCK); j += LANES)
            la_accumulate(d->pairs + i * LA_SEGMENT + j, v_load(dp + j), first);
        for (size_t c = 0; c < key; c += LANES) {
            size_t at = i * key + c;
            la_accumulate(d->dq + at, v_load(s->read + at) * v_load(d->read + at), first);
            la_accumulate(d->dk + at, v_load(s->write + at) * v_load(d->write + at), first);
            la_accumulate(d->own + at, call->bonus ? own * v_load(u + c) : own, first);
            if (call->bonus)
                v_store(dbonus + c, v_fma(own * v_load(s->q + at), v_load(s->k + at), v_load(dbonus + c)));
        }
    }
}

/// The sums over pairs of different positions of a block: LANES channels at a time, with the decay from each earlier
/// position to the one at hand.
static void la_vector_pairs(const la_unit *unit, const la_segment *s, const la_gradient *d, size_t start) {
    const size_t key = unit->key;
    const bool early = unit->call->bonus != NULL;
    for (size_t c = 0; c < key; c += LANES) {
        V weights[LA_BLOCK], dk[LA_BLOCK];
        for (size_t i = 0; i < LA_BLOCK; i++) {
            const T *pairs = d->pairs + (start + i) * LA_SEGMENT;
            const size_t at = (start + i) * key + c;
            const V decay = v_load(s->decay + at), q = v_load(s->q + at);
            V dq = v_load(d->dq + at);
            for (size_t j = 0; j < i; j++) {
                V after = la_flushed(weights[j] * decay), weighted = pairs[j] * (early ? weights[j] : after);
                dq = v_fma(weighted, v_load(s->k + (start + j) * key + c), dq);
                dk[j] = v_fma(weighted, q, dk[j]);
                weights[j] = after;
            }
            v_store(d->dq + at, dq);
            weights[i] = v_set(1);
            dk[i] = v_load(d->dk + at);
        }
        for (size_t i = 0; i < LA_BLOCK; i++) v_store(d->dk + (start + i) * key + c, dk[i]);
    }
}

/// dg, then what q and k of one position have to do with each other.
static void la_vector_finish(const la_unit *unit, const la_segment *s, const la_gradient *d, T *dg) {
    const size_t key = unit->key;
    const bool early = unit->call->bonus != NULL;
    for (size_t start = 0; start < s->rows; start += LA_BLOCK) la_vector_pairs(unit, s, d, start);
    for (size_t c = 0; c < key; c += LANES) {
        V run = v_load(d->ends + c);
        for (size_t i = s->rows; i-- > 0;) {
            size_t at = i * key + c;
            V q = v_load(s->q + at), k = v_load(s->k + at), dq = v_load(d->dq + at), dk = v_load(d->dk + at);
            V before = run - k * dk, after = before + q * dq, own = v_load(d->own + at);
            v_store(dg + at, early ? before : after);
            run = after;
            v_store(d->dq + at, v_fma(own, k, dq));
            v_store(d->dk + at, v_fma(own, q, dk));
        }
    }
}

// --- the whole unit -------------------------------------------------------------------------------

/// Adds <S', dS'> of each row of the state after a segment to `ends`.
static void la_add_ends(const la_unit *unit, const la_gradient *d, const T *state, const T *dstate) {
    if (unit->call->decay != RK_DECAY_NONE) la_row_products(state, dstate, unit->key, unit->value, d->ends);
}

static void la_clear(T *x, size_t count) { memset(x, 0, count * sizeof(T)); }

static void la_backward_head(const la_unit *unit, la_segment *s, const la_gradient *d, size_t h, const T *states,
                             T *spare_dg) {
    const rk_linear_attention *call = unit->call;
    const size_t head = unit->head + h, size = unit->key * unit->value;
    const T *state = states + h * size, *dout = la_at(&call->output_gradient, unit->sequence, s->start, head);
    T *dstate = d->dstates + h * size;
    la_open_head(unit, s, head);
    la_load(la_at(&call->v, unit->sequence, s->start, head) + unit->column, call->v.time, s->count, unit->columns, d->v,
            s->rows, unit->value);
    la_load(dout ? dout + unit->column : NULL, call->output_gradient.time, s->count, unit->columns, d->dout, s->rows,
            unit->value);
    if (!unit->vector) la_clear(d->ends, unit->key);
    la_add_ends(unit, d, state + call->unit_heads * size, dstate);
    la_plan_fetch(unit, s, h, true, call->v_gradient);
    la_backward_blocks(unit, s, d, state, dstate);
    la_store(d->dv, unit->value, s->count, unit->columns,
             (T *)call->v_gradient + la_dense(unit, call->heads, head, s->start, call->value) + unit->column,
             call->heads * call->value);
    if (unit->vector) return la_vector_head(unit, s, d, h, h == 0);
    bool decays = call->decay == RK_DECAY_SCALAR;
    la_scalar_head(unit, s, d, h == 0, decays ? spare_dg : NULL);
    if (!decays) return;
    T *dg = (T *)call->g_gradient + unit->column_part * call->sequences * call->time * call->heads +
            la_dense(unit, call->heads, head, s->start, 1);
    for (size_t i = 0; i < s->count; i++) dg[i * call->heads] = spare_dg[i];
}

static void la_backward_segment(const la_unit *unit, la_segment *s, const la_gradient *d, const T *states) {
    const rk_linear_attention *call = unit->call;
    const size_t width = call->groups * call->key;
    const size_t at = la_shared(unit, s->start);
    la_clear(d->ends, unit->key);
    for (size_t h = 0; h < unit->heads; h++) la_backward_head(unit, s, d, h, states, s->spare);
    if (unit->vector) {
        la_vector_finish(unit, s, d, s->spare);
        la_store(s->spare, unit->key, s->count, call->key, (T *)call->g_gradient + at, width);
    } else {
        la_scalar_finish(unit, s, d);
    }
    la_store(d->dq, unit->key, s->count, call->key, (T *)call->q_gradient + at, width);
    la_store(d->dk, unit->key, s->count, call->key, (T *)call->k_gradient + at, width);
}

static void k_linear_attention_backward(const rk_linear_attention *call, size_t sequence, size_t group, size_t part) {
    la_fetch fetch = {.count = 0};
    la_unit unit = la_begin(call, sequence, group, part, &fetch);
    la_segment s = la_make_segment(&unit);
    la_gradient d = la_make_gradient(&unit);
    const size_t size = unit.key * unit.value, matrix = call->key * call->value;
    const size_t first = (sequence * call->heads + unit.head) * matrix + unit.column;
    for (size_t h = 0; h < unit.heads; h++)
        la_load(call->final_gradient ? (const T *)call->final_gradient + first + h * matrix : NULL,
                (ptrdiff_t)call->value, call->key, unit.columns, d.dstates + h * size, unit.key, unit.value);
    for (size_t segment = la_segments(call); segment-- > 0;) {
        la_open_segment(&unit, &s, segment * LA_SEGMENT);
        la_backward_segment(&unit, &s, &d, unit.saved + segment * call->unit_heads * size);
    }
    for (size_t h = 0; h < unit.heads; h++) {
        la_store(d.dstates + h * size, unit.value, call->key, unit.columns,
                 (T *)call->state_gradient + first + h * matrix, call->value);
        if (!call->bonus) continue;
        size_t row = (sequence * unit.column_parts + unit.column_part) * call->heads + unit.head + h;
        la_store(d.dbonus + h * unit.key, unit.key, 1, call->key, (T *)call->bonus_gradient + row * call->key,
                 call->key);
    }
}
