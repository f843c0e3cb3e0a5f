// Optimisers: one pass over parameters p, gradients g and their moments, in place.

/// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// p = (1 - rate decay) p - rate / c1 * m / (sqrt(v) / sqrt(c2) + epsilon).
static void k_adamw(size_t count, void *p, const void *g, void *m, void *v, double rate, double beta1, double beta2,
                    double epsilon, double decay, double correction1, double correction2, double gradient_scale) {
    T *parameter = p, *first = m, *second = v;
    const T *gradient = g;
    const V scale = v_set((T)gradient_scale), keep = v_set((T)(1 - rate * decay)),
            step = v_set((T)(rate / correction1)), b1 = v_set((T)beta1), c1 = v_set((T)(1 - beta1)),
            b2 = v_set((T)beta2), c2 = v_set((T)(1 - beta2)), root = v_set((T)(1 / sqrt(correction2))), small = v_set((T)epsilon);
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i;
        V slope = scale * v_load_up_to(gradient + i, n);
        V mean = v_fma(b1, v_load_up_to(first + i, n), c1 * slope);
        V square = v_fma(b2, v_load_up_to(second + i, n), c2 * slope * slope);
        V update = step * mean / v_fma(v_sqrt(square), root, small);
        v_store_up_to(first + i, mean, n);
        v_store_up_to(second + i, square, n);
        v_store_up_to(parameter + i, v_fma(keep, v_load_up_to(parameter + i, n), -update), n);
    }
}

/// p = (1 - rate decay) p - rate sign(b1 m + (1 - b1) g), m = b2 m + (1 - b2) g.
static void k_lion(size_t count, void *p, const void *g, void *m, double rate, double beta1, double beta2, double decay,
                   double gradient_scale) {
    T *parameter = p, *moment = m;
    const T *gradient = g;
    const V scale = v_set((T)gradient_scale), keep = v_set((T)(1 - rate * decay)), step = v_set((T)-rate),
            b1 = v_set((T)beta1), c1 = v_set((T)(1 - beta1)), b2 = v_set((T)beta2), c2 = v_set((T)(1 - beta2));
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i;
        V slope = scale * v_load_up_to(gradient + i, n), mean = v_load_up_to(moment + i, n);
        V direction = op_sign(v_fma(b1, mean, c1 * slope));
        v_store_up_to(moment + i, v_fma(b2, mean, c2 * slope), n);
        v_store_up_to(parameter + i, v_fma(keep, v_load_up_to(parameter + i, n), step * direction), n);
    }
}

/// d = g + decay p (coupled); buffer = momentum buffer + d; d = buffer, or d + momentum buffer (Nesterov);
/// p = p - rate d, after p = (1 - rate decay) p (decoupled).
static void k_sgd(size_t count, void *p, const void *g, void *buffer, double rate, double momentum, double decay,
                  bool decoupled, bool nesterov, bool first, double gradient_scale) {
    T *parameter = p, *velocity = buffer;
    const T *gradient = g;
    const V scale = v_set((T)gradient_scale), keep = v_set((T)(decoupled ? 1 - rate * decay : 1)),
            coupled = v_set((T)(decoupled ? 0 : decay)), step = v_set((T)-rate), inertia = v_set((T)momentum);
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i;
        V value = v_load_up_to(parameter + i, n);
        V direction = v_fma(coupled, value, scale * v_load_up_to(gradient + i, n));
        if (velocity) {
            V moved = first ? direction : v_fma(inertia, v_load_up_to(velocity + i, n), direction);
            v_store_up_to(velocity + i, moved, n);
            direction = nesterov ? v_fma(inertia, moved, direction) : moved;
        }
        v_store_up_to(parameter + i, v_fma(step, direction, keep * value), n);
    }
}
