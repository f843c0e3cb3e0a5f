// Linear attention with decay: matrix states, chunk by chunk.
//
// Time is cut into segments of LA_SEGMENT positions, whose first states the forward computation may save, and those
// into blocks: one with a scalar decay, LA_BLOCK positions each with a vector decay. With the decay from position j to
// i written d(j, i) = exp(g_{j+1} + ... + g_i), a block with the state S before it has
//   O = P V + (read q) S,  P_ij = q_i . (d(j, i) k_j) for j <= i,  read_i = d(start, i)
//   S' = d(start, end) S + (write k)^T V,                          write_j = d(j, end)
// A scalar decay multiplies the scores Q K^T from outside; a vector decay is inside of their sum over channels, which
// is then computed pair by pair: LA_BLOCK is small. (Yang et al., Gated Linear Attention Transformers with
// Hardware-Efficient Training, 2024, section 4; Dao and Gu, Transformers are SSMs, 2024, section 6. Larger chunks in
// two levels, as there, cost more arithmetic and pay only where states are far away in memory.)
//
// Decays are running products of exp(g) <= 1, never differences of cumulated logarithms: those would lose the digits of
// small decays after a large one. With the bonus a state is read before the decay of its position: then d(j, i - 1)
// and d(start, i - 1) stand for d(j, i) and d(start, i) in reading, and the bonus for the weight of j = i.
#include "linear_attention_parts.inc.h"

/// One unit of work, see rk_linear_attention_forward.
typedef struct {
    const rk_linear_attention *call;
    size_t sequence, group, head, heads, column, columns;  // the unit's heads and columns of V
    size_t column_part, column_parts, part, parts;
    size_t key, value;  // padded
    bool vector;
    T *saved;    // the states before the segments and after the last, [segments + 1, unit_heads, key, value], or NULL
    T *scratch;  // memory not yet given out
    la_fetch *fetch;
} la_unit;

/// A segment's data that the unit's heads share, then those of the head at hand. Rows are positions.
typedef struct {
    size_t start, count, rows, block;      // `count` positions, `rows` with padding
    T *q, *k, *scores;                     // scores: Q K^T, scalar decay only, leading dimension LA_SEGMENT
    T *decay, *read, *write;               // scalar: one a row, vector: rows of `key`
    T *total;                              // d(start, end) of each block, `key` each
    T *read_q, *write_k;                   // read q, write k
    T *weights;                            // d(j, i), scalar decay only
    T *p;                                  // P of each block, rows of LA_SEGMENT
    T *spare;                              // LA_SEGMENT * max(key, value)
} la_segment;

RK_INLINE size_t la_segments(const rk_linear_attention *call) { return (call->time + LA_SEGMENT - 1) / LA_SEGMENT; }

RK_INLINE T *la_take(la_unit *unit, size_t count) {
    T *memory = unit->scratch;
    unit->scratch += (count + 15) / 16 * 16;
    return memory;
}

static la_unit la_begin(const rk_linear_attention *call, size_t sequence, size_t group, size_t part,
                        la_fetch *fetch) {
    size_t per_group = call->heads / call->groups;
    la_unit unit = {.call = call, .sequence = sequence, .group = group, .part = part, .fetch = fetch};
    unit.column_parts = (call->value + call->unit_columns - 1) / call->unit_columns;
    unit.parts = (per_group + call->unit_heads - 1) / call->unit_heads * unit.column_parts;
    unit.column_part = part % unit.column_parts;
    size_t first = part / unit.column_parts * call->unit_heads;
    unit.head = group * per_group + first;
    unit.heads = per_group - first < call->unit_heads ? per_group - first : call->unit_heads;
    unit.column = unit.column_part * call->unit_columns;
    unit.columns = call->value - unit.column < call->unit_columns ? call->value - unit.column : call->unit_columns;
    unit.key = la_padded(call->key);
    unit.value = la_padded(call->unit_columns);
    unit.vector = call->decay == RK_DECAY_VECTOR;
    size_t states = (la_segments(call) + 1) * call->unit_heads * unit.key * unit.value;
    if (call->saved) unit.saved = (T *)call->saved + ((sequence * call->groups + group) * unit.parts + part) * states;
    size_t wide = unit.key > unit.value ? unit.key : unit.value;
    // Generous: at most 24 buffers of a segment, a few of a state, and what each head keeps.
    size_t count = 24 * LA_SEGMENT * (wide + LA_SEGMENT) + (2 * unit.heads + 8) * unit.key * unit.value;
    unit.scratch = rk_scratch(RK_SCRATCH_LINEAR_ATTENTION, count * sizeof(T));
    return unit;
}

static la_segment la_make_segment(la_unit *unit) {
    size_t rows = LA_SEGMENT * unit->key, square = LA_SEGMENT * LA_SEGMENT;
    la_segment s = {.block = unit->vector ? LA_BLOCK : LA_SEGMENT};
    s.q = la_take(unit, rows);
    s.k = la_take(unit, rows);
    s.scores = la_take(unit, square);
    s.decay = la_take(unit, rows);
    s.read = la_take(unit, rows);
    s.write = la_take(unit, rows);
    s.total = la_take(unit, LA_SEGMENT / LA_BLOCK * unit->key);
    s.read_q = la_take(unit, rows);
    s.write_k = la_take(unit, rows);
    s.weights = la_take(unit, square);
    s.p = la_take(unit, square);
    s.spare = la_take(unit, LA_SEGMENT * (unit->key > unit->value ? unit->key : unit->value));
    return s;
}

/// The address of a position and head (or group) of an operand, or NULL.
RK_INLINE const T *la_at(const rk_linear_operand *x, size_t sequence, size_t time, size_t head) {
    const T *data = x->data;
    return data ? data + (ptrdiff_t)sequence * x->sequence + (ptrdiff_t)time * x->time + (ptrdiff_t)head * x->head
                : NULL;
}

/// The position of a dense tensor [sequences, time, heads, width].
RK_INLINE size_t la_dense(const la_unit *unit, size_t heads, size_t head, size_t time, size_t width) {
    return ((unit->sequence * unit->call->time + time) * heads + head) * width;
}

/// The position of the unit's part of the gradients of q and k.
RK_INLINE size_t la_shared(const la_unit *unit, size_t time) {
    const rk_linear_attention *call = unit->call;
    return unit->part * call->sequences * call->time * call->groups * call->key +
           la_dense(unit, call->groups, unit->group, time, call->key);
}

// --- decays and scores ----------------------------------------------------------------------------

/// exp(g) in place, in rows of `width`.
static void la_exponentials(T *g, size_t count) {
    for (size_t i = 0; i < count; i += LANES) v_store(g + i, la_flushed(v_exp(v_load(g + i))));
}

/// read, write and total of a vector decay, and what they multiply.
static void la_vector_decays(const la_unit *unit, la_segment *s) {
    const size_t key = unit->key;
    const bool early = unit->call->bonus != NULL;
    for (size_t start = 0; start < s->rows; start += LA_BLOCK)
        for (size_t c = 0; c < key; c += LANES) {
            V run = v_set(1);
            for (size_t i = start; i < start + LA_BLOCK; i++) {
                size_t at = i * key + c;
                V after = la_flushed(run * v_load(s->decay + at)), read = early ? run : after;
                v_store(s->read + at, read);
                v_store(s->read_q + at, read * v_load(s->q + at));
                run = after;
            }
            v_store(s->total + start / LA_BLOCK * key + c, run);
            run = v_set(1);
            for (size_t i = start + LA_BLOCK; i-- > start;) {
                size_t at = i * key + c;
                v_store(s->write + at, run);
                v_store(s->write_k + at, run * v_load(s->k + at));
                run = la_flushed(run * v_load(s->decay + at));
            }
        }
}

/// P of the blocks with a vector decay, pair by pair: every earlier k is kept, decayed to the position at hand. With
/// the bonus the diagonal is left zero.
static void la_vector_scores(const la_unit *unit, la_segment *s) {
    const size_t key = unit->key;
    const bool early = unit->call->bonus != NULL;
    T *kept = s->spare;
    for (size_t start = 0; start < s->rows; start += LA_BLOCK)
        for (size_t i = 0; i < LA_BLOCK; i++) {
            const T *q = s->q + (start + i) * key, *decay = s->decay + (start + i) * key;
            V sums[LA_BLOCK];
            memcpy(kept + i * key, s->k + (start + i) * key, key * sizeof(T));
            for (size_t j = 0; j < LA_BLOCK; j++) sums[j] = v_set(0);
            for (size_t j = 0; j < i; j++) {
                T *k = kept + j * key;
                V sum = v_set(0);
                for (size_t c = 0; c < key; c += LANES) {
                    V before = v_load(k + c), after = before * v_load(decay + c);
                    v_store(k + c, after);
                    sum = v_fma(v_load(q + c), early ? before : after, sum);
                }
                sums[j] = sum;
            }
            if (!early)
                for (size_t c = 0; c < key; c += LANES)
                    sums[i] = v_fma(v_load(q + c), v_load(kept + i * key + c), sums[i]);
            la_sum_lanes(sums, s->p + (start + i) * LA_SEGMENT);
        }
}

/// d(j, i) for j <= i, and zeros for j > i as far as tiles of LA_ROWS rows reach.
static void la_scalar_weights(la_segment *s) {
    V lane;
    for (int l = 0; l < LANES; l++) lane[l] = (T)l;
    for (size_t j = 0; j < s->rows; j += LANES) {
        V run = v_set(0);
        for (size_t i = j / LA_ROWS * LA_ROWS; i < s->rows; i++) {
            V own = v_set((T)i - (T)j);
            run = lane == own ? v_set(1) : la_flushed(s->decay[i] * run);
            v_store(s->weights + i * LA_SEGMENT + j, run);
        }
    }
    memcpy(s->write, s->weights + (s->rows - 1) * LA_SEGMENT, s->rows * sizeof(T));
    T run = 1;
    for (size_t i = 0; i < s->rows; i++) {
        run *= s->decay[i];
        if (run < LA_TINY) run = 0;
        s->read[i] = run;
    }
}

/// The columns that hold P and the like in a row of a block, in whole vectors.
RK_INLINE size_t la_reach(size_t i) { return (i / LA_ROWS * LA_ROWS + LA_ROWS + LANES - 1) / LANES * LANES; }

/// weight * x, and zero where the weight is: what comes later, finite or not, does not reach back.
RK_INLINE V la_weighted(V weight, V x) { return weight == 0 ? v_set(0) : weight * x; }

static void la_open_segment(const la_unit *unit, la_segment *s, size_t start) {
    const rk_linear_attention *call = unit->call;
    size_t key = unit->key;
    s->start = start;
    s->count = call->time - start < LA_SEGMENT ? call->time - start : LA_SEGMENT;
    s->rows = la_padded(s->count);
    if (!unit->vector) s->block = s->rows;
    la_load(la_at(&call->q, unit->sequence, start, unit->group), call->q.time, s->count, call->key, s->q, s->rows, key);
    la_load(la_at(&call->k, unit->sequence, start, unit->group), call->k.time, s->count, call->key, s->k, s->rows, key);
    if (unit->vector) {
        const T *g = la_at(&call->g, unit->sequence, start, unit->group);
        la_load(g, call->g.time, s->count, call->key, s->decay, s->rows, key);
        la_exponentials(s->decay, s->rows * key);
        la_vector_decays(unit, s);
        la_vector_scores(unit, s);
    } else {
        la_transpose(s->k, key, s->rows, key, s->spare, LA_SEGMENT);
        la_term product = {s->q, key, 1, s->spare, LA_SEGMENT, key};
        la_multiply(s->rows, s->rows, &product, LA_LOWER_RESULT, NULL, la_replace, s->scores, LA_SEGMENT, unit->fetch);
    }
}

/// The part of a segment that depends on the head.
static void la_open_head(const la_unit *unit, la_segment *s, size_t head) {
    const rk_linear_attention *call = unit->call;
    const size_t key = unit->key;
    if (unit->vector) {
        if (!call->bonus) return;
        const T *bonus = (const T *)call->bonus + head * call->key;
        T *u = s->spare;
        la_load(bonus, 0, 1, call->key, u, 1, key);
        for (size_t i = 0; i < s->rows; i++) {
            V sum = v_set(0);
            for (size_t c = 0; c < key; c += LANES)
                sum = v_fma(v_load(s->q + i * key + c) * v_load(u + c), v_load(s->k + i * key + c), sum);
            s->p[i * LA_SEGMENT + i % LA_BLOCK] = v_sum(sum);
        }
        return;
    }
    const T *g = call->decay == RK_DECAY_SCALAR ? la_at(&call->g, unit->sequence, s->start, head) : NULL;
    for (size_t i = 0; i < s->rows; i++) s->decay[i] = g && i < s->count ? g[(ptrdiff_t)i * call->g.time] : 0;
    la_exponentials(s->decay, s->rows);
    la_scalar_weights(s);
    for (size_t i = 0; i < s->rows; i++)
        for (size_t j = 0; j < la_reach(i); j += LANES) {
            size_t at = i * LA_SEGMENT + j;
            v_store(s->p + at, la_weighted(v_load(s->weights + at), v_load(s->scores + at)));
        }
    la_scale_rows(s->q, s->read, s->rows, key, s->read_q);
    la_scale_rows(s->k, s->write, s->rows, key, s->write_k);
    for (size_t c = 0; c < key; c++) s->total[c] = s->read[s->rows - 1];
}

/// after = d(start, end) before + (write k)^T V of the block that begins in row `start`.
static void la_advance(const la_unit *unit, const la_segment *s, size_t start, const T *v, const T *before, T *after) {
    la_term product = {s->write_k + start * unit->key, 1, unit->key, v + start * unit->value, unit->value, s->block};
    la_update update = {s->total + start / s->block * unit->key, before};
    la_multiply(unit->key, unit->value, &product, LA_FULL, NULL, update, after, unit->value, unit->fetch);
}

/// What will be read and written after a head's part of a segment is begun: the results of this one (`results`, dense
/// as v is), and the operands of the next, which is another head's or the next segment's in the order of work.
static void la_plan_fetch(const la_unit *unit, const la_segment *s, size_t h, bool backward, const void *results) {
    const rk_linear_attention *call = unit->call;
    size_t head = unit->head + h, start = s->start;
    *unit->fetch = (la_fetch){.count = 0};
    la_fetch_add(unit->fetch, (const T *)results + la_dense(unit, call->heads, head, start, call->value) + unit->column,
                 (ptrdiff_t)(call->heads * call->value), s->count, unit->columns);
    size_t count = s->count;
    if (h + 1 < unit->heads) {
        head++;
    } else {
        const size_t at = la_shared(unit, start);
        const ptrdiff_t width = (ptrdiff_t)(call->groups * call->key);
        if (backward) {
            la_fetch_add(unit->fetch, (const T *)call->q_gradient + at, width, count, call->key);
            la_fetch_add(unit->fetch, (const T *)call->k_gradient + at, width, count, call->key);
        }
        if (backward ? start == 0 : start + LA_SEGMENT >= call->time) return;
        start = backward ? start - LA_SEGMENT : start + LA_SEGMENT;
        count = call->time - start < LA_SEGMENT ? call->time - start : LA_SEGMENT;
        head = unit->head;
        const rk_linear_operand *shared[] = {&call->q, &call->k, &call->g};
        for (int x = 0; x < (unit->vector ? 3 : 2); x++)
            la_fetch_add(unit->fetch, la_at(shared[x], unit->sequence, start, unit->group), shared[x]->time, count,
                         call->key);
    }
    la_fetch_add(unit->fetch, la_at(&call->v, unit->sequence, start, head) + unit->column, call->v.time, count,
                 unit->columns);
    if (backward && call->output_gradient.data)
        la_fetch_add(unit->fetch, la_at(&call->output_gradient, unit->sequence, start, head) + unit->column,
                     call->output_gradient.time, count, unit->columns);
}

// --- forward --------------------------------------------------------------------------------------

static void la_forward_head(const la_unit *unit, const la_segment *s, const T *v, const T *before, T *after, T *out) {
    const size_t key = unit->key, value = unit->value;
    for (size_t start = 0; start < s->rows; start += s->block) {
        la_term inside = {s->p + start * LA_SEGMENT, LA_SEGMENT, 1, v + start * value, value, s->block};
        la_term across = {s->read_q + start * key, key, 1, before, value, key};
        la_multiply(s->block, value, &inside, LA_LOWER, &across, la_replace, out + start * value, value, unit->fetch);
        la_advance(unit, s, start, v, before, after);
        before = after;
    }
}

static void k_linear_attention_forward(const rk_linear_attention *call, size_t sequence, size_t group, size_t part) {
    la_fetch fetch = {.count = 0};
    la_unit unit = la_begin(call, sequence, group, part, &fetch);
    la_segment s = la_make_segment(&unit);
    const size_t key = unit.key, value = unit.value, size = key * value;
    const size_t slot = unit.saved ? call->unit_heads * size : 0;
    T *v = la_take(&unit, LA_SEGMENT * value), *out = la_take(&unit, LA_SEGMENT * value);
    T *states = unit.saved ? unit.saved : la_take(&unit, unit.heads * size);
    const size_t first = (sequence * call->heads + unit.head) * call->key * call->value + unit.column;
    for (size_t h = 0; h < unit.heads; h++)
        la_load((const T *)call->state + first + h * call->key * call->value, (ptrdiff_t)call->value, call->key,
                unit.columns, states + h * size, key, value);
    for (size_t start = 0; start < call->time; start += LA_SEGMENT, states += slot) {
        la_open_segment(&unit, &s, start);
        for (size_t h = 0; h < unit.heads; h++) {
            size_t head = unit.head + h;
            la_open_head(&unit, &s, head);
            la_load(la_at(&call->v, sequence, start, head) + unit.column, call->v.time, s.count, unit.columns, v,
                    s.rows, value);
            la_plan_fetch(&unit, &s, h, false, call->output);
            la_forward_head(&unit, &s, v, states + h * size, states + h * size + slot, out);
            la_store(out, value, s.count, unit.columns,
                     (T *)call->output + la_dense(&unit, call->heads, head, start, call->value) + unit.column,
                     call->heads * call->value);
        }
    }
    for (size_t h = 0; h < unit.heads; h++)
        la_store(states + h * size, value, call->key, unit.columns,
                 (T *)call->final_state + first + h * call->key * call->value, call->value);
}

#include "linear_attention_gradient.inc.h"

// --- one position ---------------------------------------------------------------------------------

/// Updates and reads `vectors` vectors of columns of the state, row by row.
RK_INLINE void la_step_columns(int vectors, size_t key, size_t value, size_t columns, const T *q, const T *k,
                               const T *v, const T *decay, size_t decays, const T *bonus, T *state, T *output) {
    V sum[4], write[4];
    for (int x = 0; x < vectors; x++) {
        size_t j = (size_t)x * LANES;
        sum[x] = v_set(0);
        write[x] = v_load_up_to(v + j, columns - j);
    }
    for (size_t c = 0; c < key; c++, state += value) {
        V left = v_set(q[c]), key_value = v_set(k[c]), kept = v_set(decays ? decay[decays > 1 ? c : 0] : 1);
        for (int x = 0; x < vectors; x++) {
            size_t j = (size_t)x * LANES;
            V before = v_load_up_to(state + j, columns - j), after = v_fma(kept, before, key_value * write[x]);
            v_store_up_to(state + j, after, columns - j);
            sum[x] = v_fma(left, bonus ? v_fma(v_set(bonus[c]), key_value * write[x], before) : after, sum[x]);
        }
    }
    for (int x = 0; x < vectors; x++) {
        size_t j = (size_t)x * LANES;
        v_store_up_to(output + j, sum[x], columns - j);
    }
}

static void k_linear_attention_step(size_t key, size_t value, const void *q, const void *k, const void *v,
                                    const void *decay, size_t decays, const void *bonus, void *state, void *output) {
    T *kept = rk_scratch(RK_SCRATCH_LINEAR_ATTENTION, (decays + LANES) * sizeof(T));
    const T *g = decay;
    for (size_t c = 0; c < decays; c += LANES)
        v_store_up_to(kept + c, v_exp(v_load_up_to(g + c, decays - c)), decays - c);
    size_t j = 0;
    for (; j + 4 * LANES <= value; j += 4 * LANES)
        la_step_columns(4, key, value, 4 * LANES, q, k, (const T *)v + j, kept, decays, bonus, (T *)state + j,
                        (T *)output + j);
    for (; j < value; j += LANES)
        la_step_columns(1, key, value, value - j, q, k, (const T *)v + j, kept, decays, bonus, (T *)state + j,
                        (T *)output + j);
}
