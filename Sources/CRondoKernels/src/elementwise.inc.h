// Elementwise maps of one dense operand.

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

/// x (1 + tanh u) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
RK_INLINE V op_gelu_tanh(V x) {
    V bounded = x < -100 ? v_set(-100) : x;
    V twice_u = (T)1.59576912160573071176 * bounded * v_fma((T)0.044715 * bounded, bounded, v_set(1));
    return bounded * v_sigmoid(twice_u);
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
