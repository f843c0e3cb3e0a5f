// One position of state-space duality, see rk_dual_step: linear attention with what lies before and after it.

static void k_state_space_dual_step(const rk_dual_step *step, size_t row, size_t begin, size_t end) {
    const size_t heads = (size_t)step->heads, states = (size_t)step->states, width = (size_t)step->width;
    const T *x = (const T *)step->x + row * (size_t)step->x_row, *dt = (const T *)step->dt + row * (size_t)step->dt_row;
    const T *b = (const T *)step->b + row * (size_t)step->b_row, *c = (const T *)step->c + row * (size_t)step->c_row;
    const T *a = step->a, *d = step->d, *bias = step->dt_bias, least = (T)step->least, most = (T)step->most;
    const T *gate = step->gate ? (const T *)step->gate + row * (size_t)step->gate_row : NULL;
    T *written = rk_scratch(RK_SCRATCH_SELECTIVE, width * sizeof(T));
    for (size_t head = begin; head < end; head++) {
        const size_t at = head * width, group = head * (size_t)step->groups / heads;
        T delta = v_softplus(v_set(dt[head] + bias[head]))[0];
        delta = delta < least ? least : delta > most ? most : delta;
        T log_decay = delta * a[head], *y = (T *)step->y + row * heads * width + at;
        for (size_t p = 0; p < width; p += LANES)
            v_store_up_to(written + p, v_set(delta) * v_load_up_to(x + at + p, width - p), width - p);
        k_linear_attention_step(states, width, c + group * states, b + group * states, written, &log_decay, 1, NULL,
                                (T *)step->state + (row * heads + head) * states * width, y);
        for (size_t p = 0; p < width; p += LANES) {
            V o = v_fma(v_set(d[head]), v_load_up_to(x + at + p, width - p), v_load_up_to(y + p, width - p));
            if (gate) {
                V z = v_load_up_to(gate + at + p, width - p);
                o *= z * v_sigmoid(z);
            }
            v_store_up_to(y + p, o, width - p);
        }
    }
}
