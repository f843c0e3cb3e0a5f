// Elementwise maps of one dense operand, with parameters or without.

/// y = f(x), f a constant that is inlined.
RK_INLINE void map(V (*f)(V), const T *x, T *y, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) v_store(y + i, f(v_load(x + i)));
    if (i < count) v_store_part(y + i, f(v_load_part(x + i, count - i)), count - i);
}

RK_INLINE V op_negate(V x) { return -x; }
RK_INLINE V op_sign(V x) { return x > 0 ? v_set(1) : x < 0 ? v_set(-1) : x; }
RK_INLINE V op_rsqrt(V x) { return 1 / v_sqrt(x); }
RK_INLINE V op_reciprocal(V x) { return 1 / x; }
RK_INLINE V op_square(V x) { return x * x; }
RK_INLINE V op_relu(V x) { return v_max(v_set(0), x); }
RK_INLINE V op_silu(V x) { return x * v_sigmoid(x); }

/// x Phi(x); the limits at the infinities are inf and 0.
RK_INLINE V op_gelu(V x) {
    V gaussian;
    x = x == -(T)INFINITY ? v_set(-(T)TAIL_END) : x;
    return x * v_normal_cumulative(x, &gaussian);
}

/// x (1 + tanh u) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): this is 2 u.
RK_INLINE V gelu_tanh_argument(V x) {
    return (T)1.59576912160573071176 * x * v_fma((T)0.044715 * x, x, v_set(1));
}

RK_INLINE V op_gelu_tanh(V x) {
    V bounded = x < -100 ? v_set(-100) : x;
    return bounded * v_sigmoid(gelu_tanh_argument(bounded));
}

static void k_unary(rk_unary_op op, const void *x, void *y, size_t count) {
    switch (op) {
    case RK_NEGATE: map(op_negate, x, y, count); return;
    case RK_ABS: map(v_abs, x, y, count); return;
    case RK_SIGN: map(op_sign, x, y, count); return;
    case RK_EXP: map(v_exp, x, y, count); return;
    case RK_EXPM1: map(v_expm1, x, y, count); return;
    case RK_LOG: map(v_log, x, y, count); return;
    case RK_LOG1P: map(v_log1p, x, y, count); return;
    case RK_SQRT: map(v_sqrt, x, y, count); return;
    case RK_RSQRT: map(op_rsqrt, x, y, count); return;
    case RK_RECIPROCAL: map(op_reciprocal, x, y, count); return;
    case RK_SQUARE: map(op_square, x, y, count); return;
    case RK_SIN: map(v_sin, x, y, count); return;
    case RK_COS: map(v_cos, x, y, count); return;
    case RK_TANH: map(v_tanh, x, y, count); return;
    case RK_SIGMOID: map(v_sigmoid, x, y, count); return;
    case RK_RELU: map(op_relu, x, y, count); return;
    case RK_GELU: map(op_gelu, x, y, count); return;
    case RK_GELU_TANH: map(op_gelu_tanh, x, y, count); return;
    case RK_SILU: map(op_silu, x, y, count); return;
    case RK_SOFTPLUS: map(v_softplus, x, y, count); return;
    case RK_LOG_SIGMOID: map(v_log_sigmoid, x, y, count); return;
    case RK_ERF: map(v_erf, x, y, count); return;
    case RK_FLOOR: map(v_floor, x, y, count); return;
    case RK_ROUND: map(v_round, x, y, count); return;
    case RK_UNARY_COUNT: return;
    }
}

// --- with parameters ------------------------------------------------------------------------------

/// y = f(x, p).
RK_INLINE void map_with(V (*f)(V, const V *), const V *p, const T *x, T *y, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) v_store(y + i, f(v_load(x + i), p));
    if (i < count) v_store_part(y + i, f(v_load_part(x + i, count - i), p), count - i);
}

RK_INLINE V op_affine(V x, const V *p) { return v_fma(p[0], x, p[1]); }
RK_INLINE V op_clamp(V x, const V *p) { return v_min(p[1], v_max(p[0], x)); }

RK_INLINE V op_scale(V x, const V *p) { return x * p[0]; }
RK_INLINE V op_shift_twice(V x, const V *p) { return (x - p[0]) - p[1]; }

static void k_affine(const void *x, double scale, double offset, void *y, size_t count) {
    V p[] = {v_set((T)scale), v_set((T)offset)};
    map_with(op_affine, p, x, y, count);
}

static void k_clamp(const void *x, double low, double high, void *y, size_t count) {
    V p[] = {v_set((T)low), v_set((T)high)};
    map_with(op_clamp, p, x, y, count);
}

RK_INLINE V op_cube(V x) { return x * x * x; }
RK_INLINE V op_fourth(V x) { return (x * x) * (x * x); }
RK_INLINE V op_inverse_square(V x) { return 1 / (x * x); }
RK_INLINE V op_same(V x) { return x; }
RK_INLINE V op_one(V x) { return (void)x, v_set(1); }

RK_INLINE T power(T x, T y) { return RK_FLOAT ? (T)powf((float)x, (float)y) : (T)pow((double)x, (double)y); }

static void k_power_scalar(const void *x, double exponent, void *y, size_t count) {
    if (exponent == 0) return map(op_one, x, y, count);
    if (exponent == 1) return map(op_same, x, y, count);
    if (exponent == 2) return map(op_square, x, y, count);
    if (exponent == 3) return map(op_cube, x, y, count);
    if (exponent == 4) return map(op_fourth, x, y, count);
    if (exponent == 0.5) return map(v_sqrt, x, y, count);
    if (exponent == -0.5) return map(op_rsqrt, x, y, count);
    if (exponent == -1) return map(op_reciprocal, x, y, count);
    if (exponent == -2) return map(op_inverse_square, x, y, count);
    for (size_t i = 0; i < count; i++) ((T *)y)[i] = power(((const T *)x)[i], (T)exponent);
}

static void k_axpy(double scale, const void *x, void *y, size_t count) {
    const T *from = x;
    T *to = y;
    V factor = v_set((T)scale);
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i;
        v_store_up_to(to + i, v_fma(factor, v_load_up_to(from + i, n), v_load_up_to(to + i, n)), n);
    }
}

static void k_fill(double value, void *y, size_t count) {
    for (size_t i = 0; i < count; i += LANES) v_store_up_to((T *)y + i, v_set((T)value), count - i);
}
