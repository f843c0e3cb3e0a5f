// One position of linear state spaces, see rondo_state_space.h.

/// One part of complex numbers at an offset.
RK_INLINE V space_load(const void *numbers, size_t at, size_t rest) { return v_load_up_to((const T *)numbers + at, rest); }

/// Re(q · s) of one channel.
RK_INLINE T space_read(const rk_diagonal_space *space, size_t at, const T *re, const T *im) {
    const size_t states = (size_t)space->states;
    V sum = v_set(0);
    for (size_t n = 0; n < states; n += LANES) {
        const size_t rest = states - n;
        sum = v_fma(space_load(space->read_re, at + n, rest), v_load_up_to(re + n, rest), sum);
        sum = v_fma(-space_load(space->read_im, at + n, rest), v_load_up_to(im + n, rest), sum);
    }
    return v_sum(sum);
}

/// Advances one channel; returns the lanes of Re(c · s).
RK_INLINE V space_advance(const rk_diagonal_space *space, size_t at, T u, T lost, T *re, T *im) {
    const size_t states = (size_t)space->states;
    V sum = v_set(0);
    for (size_t n = 0; n < states; n += LANES) {
        const size_t rest = states - n;
        V a = space_load(space->lambda_re, at + n, rest), b = space_load(space->lambda_im, at + n, rest);
        V x = v_load_up_to(re + n, rest), y = v_load_up_to(im + n, rest);
        V next_re = v_fma(a, x, -(b * y)), next_im = v_fma(a, y, b * x);
        if (space->input_re) {
            next_re = v_fma(space_load(space->input_re, at + n, rest), v_set(u), next_re);
            next_im = v_fma(space_load(space->input_im, at + n, rest), v_set(u), next_im);
        } else {
            next_re += v_set(u);
        }
        if (space->write_re) {
            next_re = v_fma(space_load(space->write_re, at + n, rest), v_set(-lost), next_re);
            next_im = v_fma(space_load(space->write_im, at + n, rest), v_set(-lost), next_im);
        }
        v_store_up_to(re + n, next_re, rest);
        v_store_up_to(im + n, next_im, rest);
        sum = v_fma(space_load(space->readout_re, at + n, rest), next_re, sum);
        sum = v_fma(-space_load(space->readout_im, at + n, rest), next_im, sum);
    }
    return sum;
}

static void k_diagonal_space_step(const rk_diagonal_space *space, size_t row, size_t begin, size_t end) {
    const size_t channels = (size_t)space->channels, states = (size_t)space->states;
    const size_t stride = (size_t)space->state_stride;
    const T *u = (const T *)space->u + row * channels;
    for (size_t channel = begin; channel < end; channel++) {
        const size_t at = channel * states, place = (row * channels + channel) * stride;
        T *re = (T *)space->state_re + place, *im = (T *)space->state_im + place;
        const T lost = space->write_re ? space_read(space, at, re, im) : 0;
        const T read = v_sum(space_advance(space, at, u[channel], lost, re, im));
        ((T *)space->y)[row * channels + channel] = read + ((const T *)space->skip)[channel] * u[channel];
    }
}

/// Advances LANES channels side by side, `count` of which exist. Running sums r · s⁻ and r · s stand for the part of A
/// below the diagonal. States are turned so that channels are neighbours, tile by tile where a tile is full.
static void semiseparable_advance(const rk_semiseparable_space *space, V dt, V u, T *state, size_t count) {
    const size_t states = (size_t)space->states;
    const T *diagonal = space->diagonal, *left = space->left, *right = space->right, *input = space->input;
    const V implicit = dt * v_set((T)space->alpha), explicit = dt * v_set((T)(1 - space->alpha)), entered = dt * u;
    V before = v_set(0), after = v_set(0);
    T tile[LANES * LANES];
    bool full = false;
    for (size_t n = 0; n < states; n++) {
        const size_t place = n % LANES;
        if (place == 0) full = count == LANES && n + LANES <= states;
        if (place == 0 && full) la_transpose(state + n, states, LANES, LANES, tile, LANES);
        V s = full ? v_load(tile + place * LANES) : v_load_strided(state + n, (int64_t)states, count);
        V change = v_fma(v_set(diagonal[n]), s, v_set(left[n]) * before);
        V right_side = v_fma(entered, v_set(input[n]), v_fma(-explicit, change, s));
        V inverse = v_set(1) / v_fma(implicit, v_set(diagonal[n]), v_set(1));
        before = v_fma(v_set(right[n]), s, before);
        V next = v_fma(-implicit * v_set(left[n]), after, right_side) * inverse;
        after = v_fma(v_set(right[n]), next, after);
        if (full)
            v_store(tile + place * LANES, next);
        else
            for (size_t i = 0; i < count; i++) state[i * states + n] = next[i];
        if (full && place == LANES - 1)
            la_transpose(tile, LANES, LANES, LANES, state + n + 1 - LANES, states);
    }
}

static void k_semiseparable_space_step(const rk_semiseparable_space *space, size_t row, size_t begin, size_t end) {
    const size_t channels = (size_t)space->channels, states = (size_t)space->states;
    const size_t outputs = (size_t)space->outputs;
    const T *u = (const T *)space->u + row * channels, *skip = space->skip, *readout = space->readout;
    T *state = (T *)space->state + row * channels * states, *y = (T *)space->y + row * channels * outputs;
    for (size_t first = begin; first < end; first += LANES) {
        const size_t count = end - first < LANES ? end - first : LANES;
        V dt = v_load_up_to((const T *)space->step + first, count);
        semiseparable_advance(space, dt, v_load_up_to(u + first, count), state + first * states, count);
    }
    for (size_t channel = begin; channel < end; channel++)
        for (size_t m = channel * outputs; m < (channel + 1) * outputs; m++) {
            V sum = v_set(0);
            for (size_t n = 0; n < states; n += LANES)
                sum = v_fma(v_load_up_to(readout + m * states + n, states - n),
                            v_load_up_to(state + channel * states + n, states - n), sum);
            y[m] = v_sum(sum) + skip[m] * u[channel];
        }
}
