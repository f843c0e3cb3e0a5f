// The delta rule with decay: matrix states with diagonal plus rank-one transitions, chunk by chunk.
//
// Three ways, each where it was measured to be the fastest:
//   - position by position with columns of the values in lanes (here): one pass over S updates it, reads the output and
//     reads what the next position asks for. Forward, while a block of columns fits the first-level cache.
//   - blocks of positions as matrix products, the WY form (delta_rule_blocks.inc.h): the delta rule's backward, and its
//     forward for larger states. It takes as many multiply-adds as a walk by position, but at the speed of products.
//   - position by position with keys in lanes (delta_rule_gradient.inc.h): the general form's backward.
// Decays e^g are only ever multiplied, so nothing overflows and hard resets are exact.

enum { DELTA_CHUNK = RK_DELTA_RULE_CHUNK };
#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { DELTA_VECTORS = 4 };  // 4 x (update, output, two reads) of 32 registers
#else
enum { DELTA_VECTORS = 2 };
#endif

/// delta without decay, delta with decay, general.
typedef enum { DELTA_PLAIN, DELTA_DECAY, DELTA_GENERAL } delta_form;

/// One position's operands, in scalars per key; `next` is what the next position reads from the state.
typedef struct {
    const T *q, *k, *a, *w, *next;
    T decay;
} delta_position;

RK_INLINE size_t delta_round_up(size_t count, size_t step) { return (count + step - 1) / step * step; }

RK_INLINE void delta_copy_row(const T *from, T *to, size_t count) {
    for (size_t i = 0; i < count; i += LANES) v_store_up_to(to + i, v_load_up_to(from + i, count - i), count - i);
}

/// `rows` rows of `count` elements, `step` apart (NULL: zeros), to rows of `width`, ending with zeros.
static void delta_pack(const T *from, size_t step, size_t rows, size_t count, T *to, size_t width) {
    for (size_t t = 0; t < rows; t++, to += width) {
        size_t filled = from ? count : 0;
        if (from) delta_copy_row(from + t * step, to, count);
        if (filled < width) memset(to + filled, 0, (width - filled) * sizeof(T));
    }
}

static void delta_unpack(const T *from, size_t width, size_t rows, size_t count, T *to, size_t step) {
    for (size_t t = 0; t < rows; t++) delta_copy_row(from + t * width, to + t * step, count);
}

/// A square of LANES rows and columns, by log2(LANES) rounds of interleaving in registers.
RK_INLINE void delta_transpose_square(const T *from, size_t ld, T *to, size_t ld_to) {
    V x[LANES], y[LANES];
    for (int i = 0; i < LANES; i++) x[i] = v_load(from + (size_t)i * ld);
#pragma clang loop unroll(full)
    for (int half = LANES; half > 1; half /= 2) {
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = v_interleave_low(x[i], x[i + LANES / 2]);
            y[2 * i + 1] = v_interleave_high(x[i], x[i + LANES / 2]);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES; i++) x[i] = y[i];
    }
    for (int i = 0; i < LANES; i++) v_store(to + (size_t)i * ld_to, x[i]);
}

/// Moves a matrix, `from` [rows, columns], to `to` [columns, rows].
static void delta_transpose(const T *from, size_t ld, size_t rows, size_t columns, T *to, size_t ld_to) {
    for (size_t i = 0; i < rows; i += LANES)
        for (size_t j = 0; j < columns; j += LANES) {
            if (i + LANES <= rows && j + LANES <= columns) {
                delta_transpose_square(from + i * ld + j, ld, to + j * ld_to + i, ld_to);
                continue;
            }
            for (size_t c = j; c < columns && c < j + LANES; c++)
                for (size_t r = i; r < rows && r < i + LANES; r++) to[c * ld_to + r] = from[r * ld + c];
        }
}

/// e^x of `rows` rows of `count` elements, rows of `from` being `step` apart; rows of `to` are `width` apart and end
/// with zeros.
static void delta_exponentials(const T *from, size_t step, size_t rows, size_t count, T *to, size_t width) {
    for (size_t t = 0; t < rows; t++, from += step, to += width) {
        for (size_t i = 0; i < count; i += LANES)
            v_store_up_to(to + i, v_exp(v_load_up_to(from + i, count - i)), count - i);
        for (size_t i = count; i < width; i++) to[i] = 0;
    }
}

/// S becomes decayed S + k u' (+ a e'); its columns give o for q and e for `next` in the same pass. `u` is what goes
/// along k, `e` on entry (general) what goes along a.
RK_INLINE void delta_advance_columns(delta_form form, int vectors, size_t keys, T *s, size_t ld, delta_position p,
                                     const V *u, V *o, V *e) {
    V reads[DELTA_VECTORS];
    for (int v = 0; v < vectors; v++) o[v] = reads[v] = 0;
    for (size_t i = 0; i < keys; i++, s += ld) {
        V key = v_set(p.k[i]), query = v_set(p.q[i]), next = v_set(p.next[i]);
        for (int v = 0; v < vectors; v++) {
            V x = v_load(s + v * LANES);
            if (form == DELTA_PLAIN) x = v_fma(key, u[v], x);
            if (form == DELTA_DECAY) x = v_fma(v_set(p.decay), x, key * u[v]);
            if (form == DELTA_GENERAL) x = v_fma(key, u[v], v_fma(v_set(p.a[i]), e[v], v_set(p.w[i]) * x));
            v_store(s + v * LANES, x);
            o[v] = v_fma(query, x, o[v]);
            reads[v] = v_fma(next, x, reads[v]);
        }
    }
    for (int v = 0; v < vectors; v++) e[v] = reads[v];
}

/// Positions `from`..<`to` of `vectors` vectors of columns, the last of them perhaps in part; `decay` begins with that
/// of position `from`, `width` elements a position.
RK_INLINE void delta_columns(delta_form form, int vectors, const rk_delta_rule *rule, size_t from, size_t to,
                             const T *decay, size_t width, T *s, size_t ld, size_t first, size_t count) {
    size_t keys = rule->keys, values = rule->values, key_step = rule->heads * keys, step = rule->heads * values;
    const T *asked = form == DELTA_GENERAL ? rule->b : rule->k;
    const T *value = (const T *)rule->v + first, *beta = rule->beta;
    T *output = (T *)rule->o + first, *kept = rule->reads ? (T *)rule->reads + first : NULL;
    V u[DELTA_VECTORS], o[DELTA_VECTORS], e[DELTA_VECTORS];
    for (int v = 0; v < vectors; v++) e[v] = 0;
    for (size_t i = 0; i < keys; i++)
        for (int v = 0; v < vectors; v++)
            e[v] = v_fma(v_set(asked[from * key_step + i]), v_load(s + i * ld + v * LANES), e[v]);
    for (size_t t = from; t < to; t++, decay += width) {
        size_t at = t * key_step, after = t + 1 < to ? at + key_step : at;
        delta_position p = {(const T *)rule->q + at, (const T *)rule->k + at, NULL, decay, asked + after, *decay};
        if (form == DELTA_GENERAL) p.a = (const T *)rule->a + at;
        for (int v = 0; v < vectors; v++) {
            size_t n = count - (size_t)v * LANES;
            u[v] = v_load_up_to(value + t * step + v * LANES, n);
            if (form == DELTA_PLAIN) u[v] = u[v] - e[v];
            if (form == DELTA_DECAY) u[v] = v_fma(v_set(-p.decay), e[v], u[v]);
            if (kept) v_store_up_to(kept + t * values + v * LANES, form == DELTA_GENERAL ? e[v] : u[v], n);
            if (form != DELTA_GENERAL) u[v] *= beta[t * rule->heads];
        }
        delta_advance_columns(form, vectors, keys, s, ld, p, u, o, e);
        for (int v = 0; v < vectors; v++)
            v_store_up_to(output + t * step + v * LANES, o[v], count - (size_t)v * LANES);
    }
}

typedef void delta_columns_function(const rk_delta_rule *rule, size_t from, size_t to, const T *decay, size_t width,
                                    T *s, size_t ld, size_t first, size_t count);

#define DELTA_COLUMNS(name, form, vectors) \
    static void name##_##vectors(const rk_delta_rule *rule, size_t from, size_t to, const T *decay, size_t width, \
                                 T *s, size_t ld, size_t first, size_t count) { \
        delta_columns(form, vectors, rule, from, to, decay, width, s, ld, first, count); \
    }
#if RK_VECTOR_BYTES == 64 || defined(__aarch64__)
#define DELTA_COLUMNS_OF(name, form) \
    DELTA_COLUMNS(name, form, 1) DELTA_COLUMNS(name, form, 2) DELTA_COLUMNS(name, form, 3) DELTA_COLUMNS(name, form, 4)
#define DELTA_COLUMN_NAMES(name) {name##_1, name##_2, name##_3, name##_4}
#else
#define DELTA_COLUMNS_OF(name, form) DELTA_COLUMNS(name, form, 1) DELTA_COLUMNS(name, form, 2)
#define DELTA_COLUMN_NAMES(name) {name##_1, name##_2}
#endif
DELTA_COLUMNS_OF(delta_plain, DELTA_PLAIN)
DELTA_COLUMNS_OF(delta_decay, DELTA_DECAY)
DELTA_COLUMNS_OF(delta_general, DELTA_GENERAL)
static delta_columns_function *const delta_columns_functions[][DELTA_VECTORS] = {
    DELTA_COLUMN_NAMES(delta_plain), DELTA_COLUMN_NAMES(delta_decay), DELTA_COLUMN_NAMES(delta_general)};

RK_INLINE delta_form delta_form_of(const rk_delta_rule *rule) {
    return rule->general ? DELTA_GENERAL : rule->g ? DELTA_DECAY : DELTA_PLAIN;
}

/// The decays e^g of `count` positions: `width` each, one for the delta rule.
static void delta_decays(const rk_delta_rule *rule, size_t from, size_t count, T *decay, size_t width) {
    if (rule->general) {
        size_t step = rule->heads * rule->keys;
        return delta_exponentials((const T *)rule->g + from * step, step, count, rule->keys, decay, width);
    }
    for (size_t t = 0; t < count; t++) decay[t] = rule->g ? ((const T *)rule->g)[(from + t) * rule->heads] : 0;
    delta_exponentials(decay, count, 1, count, decay, count);
}

/// Columns `first`..<`first + count` of the state between its place and blocks of DELTA_VECTORS vectors of columns,
/// each [keys, DELTA_VECTORS * LANES].
static void delta_move_state(const rk_delta_rule *rule, size_t first, size_t count, T *blocks, bool back) {
    enum { WIDTH = DELTA_VECTORS * LANES };
    for (size_t j = 0; j < count; j += WIDTH, blocks += rule->keys * WIDTH)
        for (size_t i = 0; i < rule->keys; i++)
            for (size_t c = 0; c < WIDTH && j + c < count; c += LANES) {
                T *whole = (T *)rule->state + i * rule->values + first + j + c, *part = blocks + i * WIDTH + c;
                if (back)
                    v_store_up_to(whole, v_load(part), count - j - c);
                else
                    v_store(part, v_load_up_to(whole, count - j - c));
            }
}

/// The column `column` of the state kept before position `from`.
RK_INLINE T *delta_kept_state(const rk_delta_rule *rule, size_t from, size_t column) {
    return (T *)rule->states + (from / DELTA_CHUNK * rule->values + column) * rule->keys;
}

static void delta_forward_chunk(const rk_delta_rule *rule, size_t from, size_t to, const T *decay, size_t width,
                                T *s, size_t ld, size_t block_step, size_t first, size_t count) {
    enum { WIDTH = DELTA_VECTORS * LANES };
    delta_form form = delta_form_of(rule);
    for (size_t j = 0; j < count; j += WIDTH, s += block_step) {
        size_t n = count - j < WIDTH ? count - j : WIDTH, vectors = (n + LANES - 1) / LANES;
        if (rule->states)
            delta_transpose(s, ld, rule->keys, n, delta_kept_state(rule, from, first + j), rule->keys);
        delta_columns_functions[form][vectors - 1](rule, from, to, decay, width, s, ld, first + j, n);
    }
}

static void delta_forward_columns(const rk_delta_rule *rule, size_t first, size_t count) {
    enum { WIDTH = DELTA_VECTORS * LANES };
    size_t keys = rule->keys, width = rule->general ? delta_round_up(keys, LANES) : 1;
    size_t blocks = (count + WIDTH - 1) / WIDTH;
    T *decay = rk_scratch(RK_SCRATCH_DELTA_RULE, (blocks * keys * WIDTH + DELTA_CHUNK * width + LANES) * sizeof(T));
    T *packed = decay + delta_round_up(DELTA_CHUNK * width, LANES);
    // A few positions do not repay moving the state, if its rows are whole vectors.
    bool in_place = rule->time <= 2 && count % LANES == 0;
    T *s = in_place ? (T *)rule->state + first : packed;
    if (!in_place) delta_move_state(rule, first, count, packed, false);
    for (size_t from = 0; from < rule->time; from += DELTA_CHUNK) {
        size_t to = rule->time - from < DELTA_CHUNK ? rule->time : from + DELTA_CHUNK;
        delta_decays(rule, from, to - from, decay, width);
        delta_forward_chunk(rule, from, to, decay, width, s, in_place ? rule->values : WIDTH,
                            in_place ? WIDTH : keys * WIDTH, first, count);
    }
    if (!in_place) delta_move_state(rule, first, count, packed, true);
}

#include "delta_rule_blocks.inc.h"
#include "delta_rule_gradient.inc.h"

/// Blocks pay for states that outgrow the first-level cache.
static void k_delta_rule_forward(const rk_delta_rule *rule, size_t first, size_t count) {
    bool blocks = !rule->general && rule->keys >= 128 && rule->time > 8;
    (blocks ? delta_forward_blocks : delta_forward_columns)(rule, first, count);
}

static void k_delta_rule_backward(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient) {
    (rule->general ? delta_backward_rows : delta_backward_blocks)(rule, gradient);
}
