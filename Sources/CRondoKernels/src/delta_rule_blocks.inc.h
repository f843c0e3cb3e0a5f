// The delta rule block by block, see delta_rule.inc.h: the WY form.
//
// Within a block of positions, with D_ij = the product of the decays after j up to i (lower triangle, D_ii = 1),
// gamma_i the product of all up to i, eta_j = D_last,j and S the state before,
//   X = V - gamma K S - strictly lower(D K K') U,  U = beta X  (a unit triangular system, solved row by row)
//   O = gamma Q S + lower(D Q K') U,               S' = gamma_last S + (eta K)' U
// Everything large is a matrix product. Decays are products of factors, never quotients, so nothing overflows.
// Gradients, with M that of S':
//   dU = lower(D Q K')'dO + eta K M, through the system backwards: dX = beta dU, dU_j -= sum over i (D K K')_ij dX_i
//   B = -D dX U' strictly below the diagonal, P = D dO U' on and below it
//   dQ = P K + gamma dO S',  dK = P'Q + (B + B')K - gamma dX S' + eta U M',  dV = dX,  dbeta = dU X
//   M <- gamma_last M + Q'(gamma dO) - K'(gamma dX)
// and the log decay of position t gets every term of the above whose factor D or gamma contains it.
// Here states are transposed, [values, keys], in backward.

enum { DELTA_SIDE = 32 };  // the longest block

typedef struct {
    size_t keys, values, count;
    T *kq;               // [2 count][keys]: keys, then queries
    T *x, *u, *scaled;   // [count][values]: errors, beta errors, eta beta errors
    T *both;             // [2 count][values]: what belongs to the keys (X, dX), then to the queries (O, dO)
    T *rows, *with_m;    // [2 count][keys], [count][keys]
    T *du;               // [count][values]
    T *turned;           // what had to be transposed
    T *m, *states;       // [values][keys]; as many as a chunk has blocks
    T beta[DELTA_SIDE], decay[DELTA_CHUNK], gamma[DELTA_SIDE];
    T d[DELTA_SIDE][DELTA_SIDE];
    T scores[2 * DELTA_SIDE][DELTA_SIDE];  // D K K' strictly below the diagonal, then D Q K'
    T inner[2 * DELTA_SIDE][DELTA_SIDE];   // B, then P
    T terms[DELTA_SIDE][DELTA_SIDE];       // what D_ij is worth
} delta_block;

/// Positions a block has.
RK_INLINE size_t delta_side(const rk_delta_rule *rule) { return rule->keys * rule->values > 64 * 64 ? 32 : 16; }

static void delta_block_lay_out(const rk_delta_rule *rule, size_t values, bool backward, delta_block *b) {
    size_t side = delta_side(rule);
    size_t row = delta_round_up(side * values, LANES), keys = delta_round_up(side * rule->keys, LANES);
    size_t most = rule->keys > values ? rule->keys : values, turned = most * (backward && most > side ? most : side);
    size_t states = backward ? (1 + DELTA_CHUNK / side) * values * rule->keys : 0;
    T *next = rk_scratch(RK_SCRATCH_DELTA_RULE, (6 * row + 5 * keys + turned + states) * sizeof(T));
    b->keys = rule->keys;
    b->values = values;
    b->kq = next;
    b->rows = b->kq + 2 * keys;
    b->with_m = b->rows + 2 * keys;
    b->x = b->with_m + keys;
    b->u = b->x + row;
    b->scaled = b->u + row;
    b->both = b->scaled + row;
    b->du = b->both + 2 * row;
    b->turned = b->du + row;
    b->m = b->turned + turned;
    b->states = b->m + values * rule->keys;
}

/// A product of few rows: C = A B + beta C. Up to 16 rows at a time the product reads B in place.
static void delta_product(size_t m, size_t n, size_t k, const T *a, size_t lda, const T *b, size_t ldb, T beta, T *c,
                          size_t ldc) {
    for (size_t i = 0; i < m; i += 16)
        block_product(false, false, m - i < 16 ? m - i : 16, n, k, 1, a + i * lda, lda, b, ldb, beta, c + i * ldc, ldc);
}

/// to = factor from.
RK_INLINE void delta_scale_row(const T *from, T factor, T *to, size_t count) {
    for (size_t i = 0; i < count; i += LANES)
        v_store_up_to(to + i, v_load_up_to(from + i, count - i) * factor, count - i);
}

/// to += factor from.
RK_INLINE void delta_add_row(const T *from, T factor, T *to, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        V sum = v_fma(v_load_up_to(from + i, count - i), v_set(factor), v_load_up_to(to + i, count - i));
        v_store_up_to(to + i, sum, count - i);
    }
}

RK_INLINE T delta_dot(const T *a, const T *b, size_t count) {
    V sum = 0;
    for (size_t i = 0; i < count; i += LANES)
        sum = v_fma(v_load_up_to(a + i, count - i), v_load_up_to(b + i, count - i), sum);
    return v_sum(sum);
}

/// The keys and queries of `count` positions from `from` on, their decays and scores; `decay` begins with the first.
static void delta_block_load(const rk_delta_rule *rule, size_t from, size_t count, const T *decay, delta_block *b) {
    size_t step = rule->heads * rule->keys;
    b->count = count;
    for (size_t t = 0; t < count; t++) {
        delta_copy_row((const T *)rule->k + (from + t) * step, b->kq + t * b->keys, b->keys);
        delta_copy_row((const T *)rule->q + (from + t) * step, b->kq + (count + t) * b->keys, b->keys);
        b->beta[t] = ((const T *)rule->beta)[(from + t) * rule->heads];
        b->gamma[t] = t > 0 ? b->gamma[t - 1] * decay[t] : decay[0];
        for (size_t j = 0; j < DELTA_SIDE; j += LANES)  // right of the diagonal stand zeros
            v_store(b->d[t] + j, t > 0 ? v_load(b->d[t - 1] + j) * decay[t] : v_set(0));
        b->d[t][t] = 1;
    }
}

static void delta_block_scores(delta_block *b) {
    size_t n = b->count;
    delta_transpose(b->kq, b->keys, n, b->keys, b->turned, n);
    delta_product(2 * n, n, b->keys, b->kq, b->keys, b->turned, n, 0, b->scores[0], DELTA_SIDE);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j += LANES) {
            V decay = v_load(b->d[i] + j);
            T *kk = b->scores[i] + j, *qk = b->scores[n + i] + j;
            v_store(kk, v_first(i > j ? i - j : 0) ? v_load(kk) * decay : 0);
            v_store(qk, v_first(i + 1 > j ? i + 1 - j : 0) ? v_load(qk) * decay : 0);
        }
}

/// U = beta X and eta U, from X.
static void delta_block_scale(delta_block *b) {
    for (size_t t = 0; t < b->count; t++) {
        delta_scale_row(b->x + t * b->values, b->beta[t], b->u + t * b->values, b->values);
        delta_scale_row(b->u + t * b->values, b->d[b->count - 1][t], b->scaled + t * b->values, b->values);
    }
}

// --- forward ----------------------------------------------------------------------------------------

/// Rows i of X, less the scores times the rows of U before, then rows of U.
static void delta_block_solve(delta_block *b) {
    for (size_t c = 0; c < b->values; c += LANES) {
        size_t n = b->values - c;
        for (size_t i = 0; i < b->count; i++) {
            V sum = v_load_up_to(b->x + i * b->values + c, n), other = 0;
            size_t j = 0;
            for (; j + 1 < i; j += 2) {
                sum = v_fma(v_set(-b->scores[i][j]), v_load_up_to(b->u + j * b->values + c, n), sum);
                other = v_fma(v_set(-b->scores[i][j + 1]), v_load_up_to(b->u + (j + 1) * b->values + c, n), other);
            }
            if (j < i) sum = v_fma(v_set(-b->scores[i][j]), v_load_up_to(b->u + j * b->values + c, n), sum);
            sum += other;
            v_store_up_to(b->x + i * b->values + c, sum, n);
            v_store_up_to(b->u + i * b->values + c, sum * b->beta[i], n);
        }
    }
}

/// Outputs and state after a block, in place, for the columns from `first` on.
static void delta_block_advance(const rk_delta_rule *rule, size_t from, size_t first, delta_block *b) {
    size_t n = b->count, values = b->values, step = rule->heads * rule->values;
    T *s = (T *)rule->state + first, *o = (T *)rule->o + from * step + first;
    delta_block_scores(b);
    delta_product(2 * n, values, b->keys, b->kq, b->keys, s, rule->values, 0, b->both, values);
    for (size_t t = 0; t < n; t++) {
        delta_copy_row((const T *)rule->v + (from + t) * step + first, b->x + t * values, values);
        delta_add_row(b->both + t * values, -b->gamma[t], b->x + t * values, values);
        delta_scale_row(b->both + (n + t) * values, b->gamma[t], o + t * step, values);
    }
    delta_block_solve(b);
    delta_block_scale(b);
    if (rule->reads)
        for (size_t t = 0; t < n; t++)
            delta_copy_row(b->x + t * values, (T *)rule->reads + (from + t) * rule->values + first, values);
    delta_product(n, values, n, b->scores[n], DELTA_SIDE, b->u, values, 1, o, step);
    block_product(true, false, b->keys, values, n, 1, b->kq, b->keys, b->scaled, values, b->gamma[n - 1], s,
                  rule->values);
}

static void delta_forward_blocks(const rk_delta_rule *rule, size_t first, size_t count) {
    delta_block b;
    delta_block_lay_out(rule, count, false, &b);
    size_t side = delta_side(rule);
    for (size_t t = 0; t < rule->time; t += side) {
        size_t n = rule->time - t < side ? rule->time - t : side;
        if (rule->states && t % DELTA_CHUNK == 0)
            delta_transpose((const T *)rule->state + first, rule->values, rule->keys, count,
                            delta_kept_state(rule, t, first), rule->keys);
        delta_decays(rule, t, n, b.decay, 1);
        delta_block_load(rule, t, n, b.decay, &b);
        delta_block_advance(rule, t, first, &b);
    }
}

// --- backward ---------------------------------------------------------------------------------------

static void delta_block_load_errors(const rk_delta_rule *rule, size_t from, delta_block *b) {
    memcpy(b->x, (const T *)rule->reads + from * b->values, b->count * b->values * sizeof(T));
    delta_block_scale(b);
}

/// dX into the first rows of `both`, and dU completed.
static void delta_block_solve_back(delta_block *b) {
    size_t last = b->count - 1;
    for (size_t c = 0; c < b->values; c += LANES) {
        size_t n = b->values - c;
        for (size_t j = last + 1; j-- > 0;) {
            V sum = v_load_up_to(b->du + j * b->values + c, n), other = 0;
            size_t i = j + 1;
            for (; i < last; i += 2) {
                sum = v_fma(v_set(-b->scores[i][j]), v_load_up_to(b->both + i * b->values + c, n), sum);
                other = v_fma(v_set(-b->scores[i + 1][j]), v_load_up_to(b->both + (i + 1) * b->values + c, n), other);
            }
            if (i <= last) sum = v_fma(v_set(-b->scores[i][j]), v_load_up_to(b->both + i * b->values + c, n), sum);
            sum += other;
            v_store_up_to(b->du + j * b->values + c, sum, n);
            v_store_up_to(b->both + j * b->values + c, sum * b->beta[j], n);
        }
    }
}

/// Cotangents of U, X and the scores; dV and dbeta go out.
static void delta_block_errors_back(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient, size_t from,
                                    delta_block *b) {
    size_t n = b->count, values = b->values, step = rule->heads * rule->values;
    T *d_o = b->both + n * values;
    delta_pack(gradient->o ? (const T *)gradient->o + from * step : NULL, step, n, values, d_o, values);
    delta_transpose(b->m, b->keys, values, b->keys, b->turned, values);
    delta_product(n, values, b->keys, b->kq, b->keys, b->turned, values, 0, b->du, values);
    for (size_t t = 0; t < n; t++) delta_scale_row(b->du + t * values, b->d[n - 1][t], b->du + t * values, values);
    block_product(true, false, n, values, n, 1, b->scores[n], DELTA_SIDE, d_o, values, 1, b->du, values);
    delta_block_solve_back(b);
    for (size_t t = 0; t < n; t++) {
        ((T *)gradient->beta)[(from + t) * rule->heads] = delta_dot(b->du + t * values, b->x + t * values, values);
        delta_copy_row(b->both + t * values, (T *)gradient->v + (from + t) * step, values);
    }
    delta_transpose(b->u, values, n, values, b->turned, n);
    delta_product(2 * n, n, values, b->both, values, b->turned, n, 0, b->inner[0], DELTA_SIDE);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j += LANES) {
            I below = v_first(i > j ? i - j : 0), on = v_first(i + 1 > j ? i + 1 - j : 0);
            V decay = v_load(b->d[i] + j), xu = v_load(b->inner[i] + j), ou = v_load(b->inner[n + i] + j);
            v_store(b->terms[i] + j, ou * v_load(b->scores[n + i] + j) - xu * v_load(b->scores[i] + j));
            v_store(b->inner[i] + j, below ? -xu * decay : 0);
            v_store(b->inner[n + i] + j, on ? ou * decay : 0);
        }
}

/// The log decays' gradients: of position t, all terms that decay at t. `rows` holds -gamma dX S' and gamma dO S',
/// `with_m` eta U M'. Every term comes as a product with its whole decay: no small decay is ever divided by.
static void delta_block_decays_back(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient, size_t from,
                                    const T *s, const delta_block *b) {
    size_t n = b->count, keys = b->keys;
    T below[DELTA_SIDE], all = b->gamma[n - 1] * delta_dot(s, b->m, keys * b->values);
    for (size_t j = 0; j < n; j++) below[j] = delta_dot(b->kq + j * keys, b->with_m + j * keys, keys);
    for (size_t i = n; i-- > 0;) {
        all += delta_dot(b->kq + i * keys, b->rows + i * keys, keys);
        all += delta_dot(b->kq + (n + i) * keys, b->rows + (n + i) * keys, keys);
        V part = 0;
        for (size_t j = 0; j < i; j += LANES) {
            V term = v_load(below + j) + v_load(b->terms[i] + j);
            v_store(below + j, term);
            part += v_first(i - j) ? term : 0;
        }
        ((T *)gradient->g)[(from + i) * rule->heads] = all + v_sum(part);
    }
}

/// What the keys and queries get from the scores, onto `rows`.
static void delta_block_scores_back(delta_block *b) {
    size_t n = b->count, keys = b->keys;
    T weights[DELTA_SIDE][2 * DELTA_SIDE];  // B + B', then P'
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            weights[i][j] = b->inner[i][j] + b->inner[j][i];
            weights[i][n + j] = b->inner[n + j][i];
        }
    delta_product(n, keys, 2 * n, weights[0], 2 * DELTA_SIDE, b->kq, keys, 1, b->rows, keys);
    delta_product(n, keys, n, b->inner[n], DELTA_SIDE, b->kq, keys, 1, b->rows + n * keys, keys);
}

/// One block; s is the state before it, M goes from that after to that before.
static void delta_block_retreat(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient, size_t from,
                                const T *s, delta_block *b) {
    size_t n = b->count, keys = b->keys, values = b->values, step = rule->heads * keys;
    delta_block_scores(b);
    delta_block_errors_back(rule, gradient, from, b);
    for (size_t t = 0; t < n; t++) {
        delta_scale_row(b->both + t * values, -b->gamma[t], b->both + t * values, values);
        delta_scale_row(b->both + (n + t) * values, b->gamma[t], b->both + (n + t) * values, values);
    }
    delta_product(2 * n, keys, values, b->both, values, s, keys, 0, b->rows, keys);
    delta_product(n, keys, values, b->scaled, values, b->m, keys, 0, b->with_m, keys);
    if (rule->g) delta_block_decays_back(rule, gradient, from, s, b);
    delta_add_row(b->with_m, 1, b->rows, n * keys);
    delta_block_scores_back(b);
    delta_unpack(b->rows, keys, n, keys, (T *)gradient->k + from * step, step);
    delta_unpack(b->rows + n * keys, keys, n, keys, (T *)gradient->q + from * step, step);
    block_product(true, false, values, keys, 2 * n, 1, b->both, values, b->kq, keys, b->gamma[n - 1], b->m, keys);
}

/// The states before all blocks of the chunk from `from` to `to`.
static void delta_block_replay(const rk_delta_rule *rule, size_t from, size_t to, delta_block *b) {
    size_t side = delta_side(rule), state = b->keys * b->values;
    memcpy(b->states, (const T *)rule->states + from / DELTA_CHUNK * state, state * sizeof(T));
    T *s = b->states;
    for (size_t t = from; t + side < to; t += side, s += state) {
        delta_block_load(rule, t, side, b->decay + (t - from), b);
        delta_block_load_errors(rule, t, b);
        memcpy(s + state, s, state * sizeof(T));
        block_product(true, false, b->values, b->keys, side, 1, b->scaled, b->values, b->kq, b->keys,
                      b->gamma[side - 1], s + state, b->keys);
    }
}

static void delta_backward_blocks(const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient) {
    delta_block b;
    delta_block_lay_out(rule, rule->values, true, &b);
    size_t side = delta_side(rule), time = rule->time;
    delta_transpose(gradient->state, rule->values, b.keys, b.values, b.m, b.keys);
    for (size_t chunk = (time + DELTA_CHUNK - 1) / DELTA_CHUNK; chunk-- > 0;) {
        size_t from = chunk * DELTA_CHUNK, to = time - from < DELTA_CHUNK ? time : from + DELTA_CHUNK;
        delta_decays(rule, from, to - from, b.decay, 1);
        delta_block_replay(rule, from, to, &b);
        for (size_t block = (to - from + side - 1) / side; block-- > 0;) {
            size_t t = from + block * side, n = to - t < side ? to - t : side;
            delta_block_load(rule, t, n, b.decay + (t - from), &b);
            delta_block_load_errors(rule, t, &b);
            delta_block_retreat(rule, gradient, t, b.states + block * b.keys * b.values, &b);
        }
    }
    delta_transpose(b.m, b.keys, b.values, b.keys, gradient->state, rule->values);
}
