// The mathematics of the recurrent cells, one vector of units at a time.
//
// NAME_forward(x, r, p, s, save): x are the projected gates, r the products of R with h, p the extra parameters. s holds
// the states before and becomes those after; what backward needs goes to `save`.
// NAME_backward(save, s, p, d, g, dp): s are the states before. d holds the gradients of the states after and becomes
// those of the states before, without the part that flows through R; g gets the gate gradients (first those of the
// products, see rk_cell_shape), dp what this position adds to the gradient of p.
//
// To add a cell: write the two functions here, its line in RECURRENT_CELLS and its name in rk_cell.

RK_INLINE void elman_tanh_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    save[0] = s[0] = v_tanh(x[0] + r[0]);
}

RK_INLINE void elman_tanh_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    g[0] = d[0] * (1 - save[0] * save[0]);
    d[0] = v_set(0);
}

RK_INLINE void elman_relu_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    V sum = x[0] + r[0];
    save[0] = s[0] = v_max(v_set(0), sum);  // NaN stays NaN
}

RK_INLINE void elman_relu_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    g[0] = save[0] > 0 ? d[0] : v_set(0);
    d[0] = v_set(0);
}

// Extras: rate, slope. Saved: what drives the unit, x + R h. A sum of exactly 0 counts as negative.
RK_INLINE V leaky_rectified(V sum, V slope) { return sum > 0 ? sum : slope * sum; }

RK_INLINE void leaky_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    save[0] = x[0] + r[0];
    s[0] = leaky_rectified(v_fma(p[0], save[0] - s[0], s[0]), p[1]);
}

RK_INLINE void leaky_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    V sum = v_fma(p[0], save[0] - s[0], s[0]), zero = v_set(0);
    V dsum = sum > 0 ? d[0] : p[1] * d[0];
    g[0] = p[0] * dsum;
    dp[0] = dsum * (save[0] - s[0]);
    dp[1] = sum > 0 ? zero : d[0] * sum;
    d[0] = dsum - g[0];
}

RK_INLINE void leaky_outside_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    save[0] = x[0] + r[0];
    s[0] = v_fma(p[0], leaky_rectified(save[0], p[1]) - s[0], s[0]);
}

RK_INLINE void leaky_outside_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    V drectified = p[0] * d[0], zero = v_set(0);
    g[0] = save[0] > 0 ? drectified : p[1] * drectified;
    dp[0] = d[0] * (leaky_rectified(save[0], p[1]) - s[0]);
    dp[1] = save[0] > 0 ? zero : drectified * save[0];
    d[0] = d[0] - drectified;
}

RK_INLINE void elman_sigmoid_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    save[0] = s[0] = v_sigmoid(x[0] + r[0]);
}

RK_INLINE void elman_sigmoid_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    g[0] = d[0] * save[0] * (1 - save[0]);
    d[0] = v_set(0);
}

RK_INLINE void elman_identity_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    save[0] = s[0] = x[0] + r[0];
}

RK_INLINE void elman_identity_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    g[0] = d[0];
    d[0] = v_set(0);
}

RK_INLINE void lstm_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    V i = v_sigmoid(x[0] + r[0]), f = v_sigmoid(x[1] + r[1]), z = v_tanh(x[2] + r[2]), o = v_sigmoid(x[3] + r[3]);
    s[1] = v_fma(f, s[1], i * z);
    s[0] = o * v_tanh(s[1]);
    save[0] = i, save[1] = f, save[2] = z, save[3] = o;
}

/// The gate gradients of an LSTM, from those of c (after) and of the output gate's value.
RK_INLINE void lstm_gates_backward(const V *save, V c_before, V dc, V dout, V *g) {
    V i = save[0], f = save[1], z = save[2], o = save[3];
    g[0] = dc * z * i * (1 - i);
    g[1] = dc * c_before * f * (1 - f);
    g[2] = dc * i * (1 - z * z);
    g[3] = dout * o * (1 - o);
}

RK_INLINE void lstm_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    V i = save[0], f = save[1], z = save[2], o = save[3];
    V tanh_c = v_tanh(v_fma(f, s[1], i * z));
    V dc = v_fma(d[0] * o, 1 - tanh_c * tanh_c, d[1]);
    lstm_gates_backward(save, s[1], dc, d[0] * tanh_c, g);
    d[0] = v_set(0), d[1] = dc * f;
}

// The LSTM without a forget gate, gates i z o. The squashing functions of 1997 are 4 sigmoid(x) - 2 = 2 tanh(x / 2) for
// z and 2 sigmoid(c) - 1 = tanh(c / 2) for the cell.
RK_INLINE void additive_forward(const V *x, const V *r, V *s, V *save, bool original) {
    V i = v_sigmoid(x[0] + r[0]), sum = x[1] + r[1], o = v_sigmoid(x[2] + r[2]);
    V z = original ? 2 * v_tanh(v_set(0.5) * sum) : v_tanh(sum);
    s[1] = v_fma(i, z, s[1]);
    s[0] = o * v_tanh(original ? v_set(0.5) * s[1] : s[1]);
    save[0] = i, save[1] = z, save[2] = o;
}

RK_INLINE void additive_backward(const V *save, const V *s, V *d, V *g, bool original) {
    V i = save[0], z = save[1], o = save[2], half = v_set(0.5);
    V c = v_fma(i, z, s[1]), out = v_tanh(original ? half * c : c);
    V slope = original ? half * (1 - out * out) : 1 - out * out;
    V dc = v_fma(d[0] * o, slope, d[1]);
    g[0] = dc * z * i * (1 - i);
    g[1] = dc * i * (original ? v_set(1) - v_set(0.25) * z * z : 1 - z * z);
    g[2] = d[0] * out * o * (1 - o);
    d[0] = v_set(0), d[1] = dc;
}

RK_INLINE void lstm_no_forget_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    additive_forward(x, r, s, save, false);
}

RK_INLINE void lstm_no_forget_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    additive_backward(save, s, d, g, false);
}

RK_INLINE void lstm_1997_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    additive_forward(x, r, s, save, true);
}

RK_INLINE void lstm_1997_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    additive_backward(save, s, d, g, true);
}

RK_INLINE void lstm_peephole_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    V i = v_sigmoid(v_fma(p[0], s[1], x[0] + r[0])), f = v_sigmoid(v_fma(p[1], s[1], x[1] + r[1]));
    V z = v_tanh(x[2] + r[2]);
    s[1] = v_fma(f, s[1], i * z);
    V o = v_sigmoid(v_fma(p[2], s[1], x[3] + r[3]));
    s[0] = o * v_tanh(s[1]);
    save[0] = i, save[1] = f, save[2] = z, save[3] = o;
}

RK_INLINE void lstm_peephole_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    V i = save[0], f = save[1], z = save[2], o = save[3];
    V c = v_fma(f, s[1], i * z), tanh_c = v_tanh(c);
    V dout = d[0] * tanh_c;
    V dc = v_fma(d[0] * o, 1 - tanh_c * tanh_c, v_fma(p[2], dout * o * (1 - o), d[1]));
    lstm_gates_backward(save, s[1], dc, dout, g);
    d[0] = v_set(0), d[1] = v_fma(dc, f, v_fma(p[0], g[0], p[1] * g[1]));
    dp[0] = g[0] * s[1], dp[1] = g[1] * s[1], dp[2] = g[3] * c;
}

// Gates of x: r z n; of R: g r z. Saved and gradients: g r z n.
RK_INLINE void gru_forward(const V *x, const V *product, const V *p, V *s, V *save) {
    V g = product[0] + p[0], r = v_sigmoid(x[0] + product[1]), z = v_sigmoid(x[1] + product[2]);
    V n = v_tanh(v_fma(r, g, x[2]));
    s[0] = v_fma(z, s[0] - n, n);
    save[0] = g, save[1] = r, save[2] = z, save[3] = n;
}

RK_INLINE void gru_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    V recurrent = save[0], r = save[1], z = save[2], n = save[3];
    V dn = d[0] * (1 - z) * (1 - n * n);
    g[0] = dp[0] = dn * r;
    g[1] = dn * recurrent * r * (1 - r);
    g[2] = d[0] * (s[0] - n) * z * (1 - z);
    g[3] = dn;
    d[0] = d[0] * z;
}

// States h c n m. An element whose n is 0 has read nothing: m starts at its input gate. There f multiplies zeros only;
// its exponent is bounded so that it stays finite. Saved: i f z o and 1 - sigmoid(f's pre-activation).
RK_INLINE void slstm_forward(const V *x, const V *r, const V *p, V *s, V *save) {
    V input = x[0] + r[0], decay = s[3] + v_log_sigmoid(x[1] + r[1]);
    V m = s[2] == 0 ? input : v_max(input, decay);
    V i = v_exp(input - m), f = v_exp(v_min(v_set(80), decay - m));
    V z = v_tanh(x[2] + r[2]), o = v_sigmoid(x[3] + r[3]);
    save[0] = i, save[1] = f, save[2] = z, save[3] = o, save[4] = v_sigmoid(-(x[1] + r[1]));
    s[1] = v_fma(f, s[1], i * z);
    s[2] = v_max(v_fma(f, s[2], i), v_set(1));
    s[3] = m;
    s[0] = o * (s[1] / s[2]);
}

// The whole chain through m: it cancels in h, but not in a gradient that arrives through the final c, n or m.
RK_INLINE void slstm_backward(const V *save, const V *s, const V *p, V *d, V *g, V *dp) {
    V i = save[0], f = save[1], z = save[2], o = save[3];
    V c = v_fma(f, s[1], i * z), sum = v_fma(f, s[2], i), n = v_max(sum, v_set(1)), ratio = c / n;
    V dc = v_fma(d[0], o / n, d[1]), dn = v_fma(-d[0] * ratio, o / n, d[2]);
    dn = sum >= 1 ? dn : v_set(0);
    V di = v_fma(dc, z, dn) * i, df = v_fma(dc, s[1], dn * s[2]) * f;
    V dm = d[3] - di - df, zero = v_set(0);
    I from_input = i == 1;
    V ddecay = df + (from_input ? zero : dm);
    g[0] = di + (from_input ? dm : zero);
    g[1] = ddecay * save[4];
    g[2] = dc * i * (1 - z * z);
    g[3] = d[0] * ratio * o * (1 - o);
    d[0] = zero, d[1] = dc * f, d[2] = dn * f, d[3] = ddecay;
}
