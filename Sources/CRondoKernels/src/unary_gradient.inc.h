// Gradients of the elementwise functions: dx = g f'(x), written with y = f(x) where that is cheaper.

typedef V gradient_function(V x, V y, V g);

RK_INLINE void map_gradient(gradient_function f, const T *x, const T *y, const T *g, T *dx, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i;
        v_store_up_to(dx + i, f(v_load_up_to(x + i, n), v_load_up_to(y + i, n), v_load_up_to(g + i, n)), n);
    }
}

#define GRADIENT(name, expression) \
    RK_INLINE V gradient_##name(V x, V y, V g) { \
        (void)x, (void)y, (void)g; \
        return expression; \
    }

GRADIENT(negate, -g)
GRADIENT(abs, g *op_sign(x))
GRADIENT(zero, v_set(0))
GRADIENT(exp, g *y)
GRADIENT(expm1, g *(y + 1))
GRADIENT(log, g / x)
GRADIENT(log1p, g / (1 + x))
GRADIENT(sqrt, (T)0.5 * g / y)
GRADIENT(rsqrt, (T)-0.5 * g * y * y * y)
GRADIENT(reciprocal, -g *y *y)
GRADIENT(square, 2 * g * x)
GRADIENT(sin, g *v_cos(x))
GRADIENT(cos, -g *v_sin(x))
GRADIENT(tanh, g *(1 - y) * (1 + y))
GRADIENT(sigmoid, g *y *(1 - y))
GRADIENT(relu, x > 0 ? g : v_set(0))
GRADIENT(softplus, g *v_sigmoid(x))
GRADIENT(log_sigmoid, g *v_sigmoid(-x))
GRADIENT(erf, (T)1.12837916709551257390 * g * v_exp(-x * x))

/// (x Phi(x))' = Phi(x) + x phi(x).
RK_INLINE V gradient_gelu(V x, V y, V g) {
    (void)y;
    V bounded = x < -TAIL_END ? v_set(-TAIL_END) : x > TAIL_END ? v_set(TAIL_END) : x;
    V gaussian, cumulative = v_normal_cumulative(bounded, &gaussian);
    return g * v_fma(bounded * gaussian, v_set((T)0.39894228040143267794), cumulative);
}

/// (x s(z))' = s + x s (1 - s) z', s = sigmoid(z), where z is 2 u of gelu_tanh.
RK_INLINE V gradient_gelu_tanh(V x, V y, V g) {
    (void)y;
    x = x < -100 ? v_set(-100) : x > 100 ? v_set(100) : x;
    V s = v_sigmoid(gelu_tanh_argument(x));
    V slope = (T)1.59576912160573071176 * v_fma((T)(3 * 0.044715) * x, x, v_set(1));
    return g * v_fma(x * s * (1 - s), slope, s);
}

RK_INLINE V gradient_silu(V x, V y, V g) {
    (void)y;
    V s = v_sigmoid(x), bounded = v_max(v_set(2 * EXP_LOWEST), v_min(v_set(-2 * EXP_LOWEST), x));
    return g * v_fma(bounded * s, 1 - s, s);
}

static void k_unary_gradient(rk_unary_op op, const void *x, const void *y, const void *g, void *dx, size_t count) {
    switch (op) {
    case RK_NEGATE: map_gradient(gradient_negate, x, y, g, dx, count); return;
    case RK_ABS: map_gradient(gradient_abs, x, y, g, dx, count); return;
    case RK_EXP: map_gradient(gradient_exp, x, y, g, dx, count); return;
    case RK_EXPM1: map_gradient(gradient_expm1, x, y, g, dx, count); return;
    case RK_LOG: map_gradient(gradient_log, x, y, g, dx, count); return;
    case RK_LOG1P: map_gradient(gradient_log1p, x, y, g, dx, count); return;
    case RK_SQRT: map_gradient(gradient_sqrt, x, y, g, dx, count); return;
    case RK_RSQRT: map_gradient(gradient_rsqrt, x, y, g, dx, count); return;
    case RK_RECIPROCAL: map_gradient(gradient_reciprocal, x, y, g, dx, count); return;
    case RK_SQUARE: map_gradient(gradient_square, x, y, g, dx, count); return;
    case RK_SIN: map_gradient(gradient_sin, x, y, g, dx, count); return;
    case RK_COS: map_gradient(gradient_cos, x, y, g, dx, count); return;
    case RK_TANH: map_gradient(gradient_tanh, x, y, g, dx, count); return;
    case RK_SIGMOID: map_gradient(gradient_sigmoid, x, y, g, dx, count); return;
    case RK_RELU: map_gradient(gradient_relu, x, y, g, dx, count); return;
    case RK_GELU: map_gradient(gradient_gelu, x, y, g, dx, count); return;
    case RK_GELU_TANH: map_gradient(gradient_gelu_tanh, x, y, g, dx, count); return;
    case RK_SILU: map_gradient(gradient_silu, x, y, g, dx, count); return;
    case RK_SOFTPLUS: map_gradient(gradient_softplus, x, y, g, dx, count); return;
    case RK_LOG_SIGMOID: map_gradient(gradient_log_sigmoid, x, y, g, dx, count); return;
    case RK_ERF: map_gradient(gradient_erf, x, y, g, dx, count); return;
    case RK_SIGN:
    case RK_FLOOR:
    case RK_ROUND: map_gradient(gradient_zero, x, y, g, dx, count); return;
    case RK_UNARY_COUNT: return;
    }
}
