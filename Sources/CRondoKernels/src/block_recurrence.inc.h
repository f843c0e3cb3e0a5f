// Linear recurrences of small blocks, s_t = J_t s_{t-1} + x_t: every channel has a state of `block` numbers of its own
// and a block x block matrix per position. Channels lie in vector lanes.

enum { LARGEST_BLOCK = 4 };

typedef struct {
    bool descending, transposed;
    size_t time, channels;
    const T *jacobian, *x, *initial;
    T *states, *end, *product;
} block_recurrence;

/// The up to LANES channels from `c` on.
RK_INLINE void block_recurrence_lanes(const int k, const block_recurrence *r, size_t c, size_t count) {
    const size_t plane = r->channels, square = (size_t)(k * k) * plane, width = (size_t)k * plane;
    V s[LARGEST_BLOCK], p[LARGEST_BLOCK][LARGEST_BLOCK];
    bool zero = !r->initial, identity = true;
    for (int i = 0; i < k; i++) s[i] = zero ? v_set(0) : v_load_up_to(r->initial + (size_t)i * plane + c, count);
    for (size_t step = 0; step < r->time; step++) {
        size_t t = r->descending ? r->time - 1 - step : step;
        const T *x = r->x + t * width + c, *matrix = r->jacobian + t * square + c;
        V next[LARGEST_BLOCK], j[LARGEST_BLOCK][LARGEST_BLOCK];
        for (int i = 0; i < k; i++) next[i] = v_load_up_to(x + (size_t)i * plane, count);
        // A zero state needs no matrix, and there may be none: before the first position nothing is multiplied.
        if (!zero || r->product) {
            for (int a = 0; a < k; a++)
                for (int b = 0; b < k; b++) {
                    size_t at = (size_t)(r->transposed ? b * k + a : a * k + b);
                    j[a][b] = v_load_up_to(matrix + at * plane, count);
                }
            for (int a = 0; a < k; a++)
                for (int b = 0; b < k && !zero; b++) next[a] = v_fma(j[a][b], s[b], next[a]);
        }
        if (r->product) {
            V q[LARGEST_BLOCK][LARGEST_BLOCK];
            for (int a = 0; a < k; a++)
                for (int b = 0; b < k; b++) {
                    q[a][b] = identity ? j[a][b] : j[a][0] * p[0][b];
                    for (int i = 1; i < k && !identity; i++) q[a][b] = v_fma(j[a][i], p[i][b], q[a][b]);
                }
            for (int a = 0; a < k; a++)
                for (int b = 0; b < k; b++) p[a][b] = q[a][b];
            identity = false;
        }
        zero = false;
        for (int i = 0; i < k; i++) {
            s[i] = next[i];
            if (r->states) v_store_up_to(r->states + t * width + (size_t)i * plane + c, s[i], count);
        }
    }
    for (int i = 0; i < k && r->end; i++) v_store_up_to(r->end + (size_t)i * plane + c, s[i], count);
    for (int a = 0; a < k && r->product; a++)
        for (int b = 0; b < k; b++)
            v_store_up_to(r->product + (size_t)(a * k + b) * plane + c,
                          identity ? v_set(a == b ? 1 : 0) : p[a][b], count);
}

static void k_linear_recurrence_blocks(size_t block, bool descending, bool transposed, size_t time, size_t channels,
                                       size_t first, size_t last, const void *jacobian, const void *x,
                                       const void *initial, void *states, void *end, void *product) {
    block_recurrence r = {descending, transposed, time, channels, jacobian, x, initial, states, end, product};
    for (size_t c = first; c < last; c += LANES) {
        switch (block) {
        case 1: block_recurrence_lanes(1, &r, c, last - c); break;
        case 2: block_recurrence_lanes(2, &r, c, last - c); break;
        case 3: block_recurrence_lanes(3, &r, c, last - c); break;
        default: block_recurrence_lanes(4, &r, c, last - c); break;
        }
    }
}
