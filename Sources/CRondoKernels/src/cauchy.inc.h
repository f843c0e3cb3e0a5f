// Sums over poles at many nodes, as generating functions of state spaces need: for one set of poles p, several sets of
// numerators v, and nodes z (all complex),
//   plain:       k[m, l] = sum_n v[m, n] / (z[l] - p[n])
//   conjugated:  k[m, l] = sum_n v[m, n] / (z[l] - p[n]) + conj(v[m, n]) / (z[l] - conj(p[n]))
// The two terms of the latter over their common denominator d = (z - p) (z - conj p), which is formed from the
// differences: expanded in powers of z it would cancel near a pole. With x = Re(z - p), y = Im z and b = Im p:
//   2 (x Re v - b Im v + i y Re v) / d,   d = x^2 - (y - b) (y + b) + 2 i x y.
// Nodes are vectorised; numerators go in groups that share the reciprocals.
//
// Gradients, for cotangents g, with e = sum_m conj(g[m]) dk[m]/dz (complex derivatives; the real gradient of a real
// function of a complex w is Re and -Im of conj(g) times the derivative):
//   dp = (-Re e, Im e) summed over nodes, for the plain sum;   dz = (Re e, -Im e) summed over poles.

enum { NUMERATORS = 4 };  // of a group

/// A complex vector.
typedef struct {
    V re, im;
} C;

RK_INLINE C c_multiply(C a, C b) { return (C){v_fma(a.re, b.re, -a.im * b.im), v_fma(a.re, b.im, a.im * b.re)}; }

/// conj(a) b.
RK_INLINE C c_multiply_conjugate(C a, C b) {
    return (C){v_fma(a.re, b.re, a.im * b.im), v_fma(a.re, b.im, -a.im * b.re)};
}

RK_INLINE C c_reciprocal(C a) {
    V scale = 1 / v_fma(a.re, a.re, a.im * a.im);
    return (C){a.re * scale, -a.im * scale};
}

/// Nodes from `at` on; beyond the last, the first of these again.
RK_INLINE C load_nodes(const T *re, const T *im, size_t at, size_t length) {
    C z = {v_load_up_to(re + at, length - at), v_load_up_to(im + at, length - at)};
    I there = v_first(length - at);
    return (C){there ? z.re : v_set(re[at]), there ? z.im : v_set(im[at])};
}

/// 1 / d, where d = z - p or (z - p) (z - conj p).
RK_INLINE C pole_reciprocal(bool conjugated, C z, T re, T im) {
    V x = z.re - re;
    if (!conjugated) return c_reciprocal((C){x, z.im - im});
    return c_reciprocal((C){v_fma(x, x, -(z.im - im) * (z.im + im)), 2 * x * z.im});
}

typedef struct {
    size_t count, poles, length;           // numerators, poles, nodes
    size_t numerator_stride, node_stride;  // between sets of numerators, and of results
    const T *vre, *vim, *pre, *pim, *zre, *zim;
} cauchy_problem;

RK_INLINE void cauchy_group(bool conjugated, int group, const cauchy_problem *p, size_t first, T *kre, T *kim) {
    for (size_t l = 0; l < p->length; l += LANES) {
        C z = load_nodes(p->zre, p->zim, l, p->length), sums[NUMERATORS] = {0};
        for (size_t n = 0; n < p->poles; n++) {
            C r = pole_reciprocal(conjugated, z, p->pre[n], p->pim[n]);
            V x = z.re - p->pre[n];
            FULLY_UNROLLED for (int m = 0; m < group; m++) {
                size_t at = (first + (size_t)m) * p->numerator_stride + n;
                T a = p->vre[at], b = p->vim[at];
                C top = conjugated ? (C){v_fma(x, v_set(2 * a), v_set(-2 * b * p->pim[n])), 2 * a * z.im}
                                   : (C){v_set(a), v_set(b)};
                C term = c_multiply(top, r);
                sums[m].re += term.re;
                sums[m].im += term.im;
            }
        }
        FULLY_UNROLLED for (int m = 0; m < group; m++) {
            size_t at = (first + (size_t)m) * p->node_stride + l;
            v_store_up_to(kre + at, sums[m].re, p->length - l);
            v_store_up_to(kim + at, sums[m].im, p->length - l);
        }
    }
}

static void k_cauchy(bool conjugated, size_t count, size_t poles, size_t length, size_t numerator_stride,
                     size_t node_stride, const void *vre, const void *vim, const void *pre, const void *pim,
                     const void *zre, const void *zim, void *kre, void *kim) {
    cauchy_problem p = {count, poles, length, numerator_stride, node_stride, vre, vim, pre, pim, zre, zim};
    for (size_t m = 0; m < count;) {
        if (count - m >= NUMERATORS) {
            conjugated ? cauchy_group(true, NUMERATORS, &p, m, kre, kim)
                       : cauchy_group(false, NUMERATORS, &p, m, kre, kim);
            m += NUMERATORS;
        } else {
            conjugated ? cauchy_group(true, 1, &p, m, kre, kim) : cauchy_group(false, 1, &p, m, kre, kim);
            m++;
        }
    }
}

/// Sums over nodes of one pole: of the derivatives by the pole and by one numerator.
typedef struct {
    V pole_re, pole_im, re[NUMERATORS], im[NUMERATORS];
} cauchy_sums;

/// One pole at LANES nodes: adds to the pole's sums and to the nodes' gradient.
RK_INLINE void cauchy_gradient_step(bool conjugated, int group, const cauchy_problem *p, size_t first, size_t n,
                                    size_t l, const T *gre, const T *gim, C *dz, cauchy_sums *sums) {
    C z = load_nodes(p->zre, p->zim, l, p->length);
    T pim = p->pim[n];
    V x = z.re - p->pre[n];
    C r = pole_reciprocal(conjugated, z, p->pre[n], pim), with = {0}, against = {0};
    FULLY_UNROLLED for (int m = 0; m < group; m++) {
        size_t row = first + (size_t)m, at = row * p->node_stride + l;
        C g = {v_load_up_to(gre + at, p->length - l), v_load_up_to(gim + at, p->length - l)};
        T a = p->vre[row * p->numerator_stride + n], b = p->vim[row * p->numerator_stride + n];
        C q = c_multiply_conjugate(g, r);  // conj(g) / d
        if (conjugated) {
            sums->re[m] = v_fma(v_set(2), v_fma(q.re, x, -q.im * z.im), sums->re[m]);
            sums->im[m] = v_fma(v_set(-2 * pim), q.re, sums->im[m]);
        } else {
            sums->re[m] += q.re;
            sums->im[m] -= q.im;
        }
        // conj(g) v / d and conj(g) conj(v) / d, summed over the numerators.
        with.re += v_fma(q.re, v_set(a), -b * q.im);
        with.im += v_fma(q.im, v_set(a), b * q.re);
        against.re += v_fma(q.re, v_set(a), b * q.im);
        against.im += v_fma(q.im, v_set(a), -b * q.re);
    }
    C here = c_multiply(with, r);  // conj(g) v / (z - p)^2
    C there = {0};                 // conj(g) conj(v) / (z - conj p)^2
    if (conjugated) {
        C upper = {x, z.im + pim}, lower = {x, z.im - pim};
        here = c_multiply(c_multiply(here, upper), upper);
        there = c_multiply(c_multiply(c_multiply(against, r), lower), lower);
    }
    sums->pole_re += here.re + there.re;
    sums->pole_im -= here.im - there.im;
    dz->re -= here.re + there.re;
    dz->im += here.im + there.im;
}

/// The gradients of one group of numerators; adds to those of poles and nodes, which all groups share.
RK_INLINE void cauchy_gradient_group(bool conjugated, int group, const cauchy_problem *p, size_t first, const T *gre,
                                     const T *gim, T *dvre, T *dvim, T *dpre, T *dpim, T *dzre, T *dzim) {
    for (size_t n = 0; n < p->poles; n++) {
        cauchy_sums sums = {0};
        for (size_t l = 0; l < p->length; l += LANES) {
            size_t rest = p->length - l;
            C dz = {0};
            cauchy_gradient_step(conjugated, group, p, first, n, l, gre, gim, &dz, &sums);
            if (!dzre) continue;
            v_store_up_to(dzre + l, v_load_up_to(dzre + l, rest) + dz.re, rest);
            v_store_up_to(dzim + l, v_load_up_to(dzim + l, rest) + dz.im, rest);
        }
        dpre[n] += v_sum(sums.pole_re);
        dpim[n] += v_sum(sums.pole_im);
        FULLY_UNROLLED for (int m = 0; m < group; m++) {
            size_t at = (first + (size_t)m) * p->numerator_stride + n;
            dvre[at] = v_sum(sums.re[m]);
            dvim[at] = v_sum(sums.im[m]);
        }
    }
}

static void k_cauchy_gradient(bool conjugated, size_t count, size_t poles, size_t length, size_t numerator_stride,
                              size_t node_stride, const void *vre, const void *vim, const void *pre, const void *pim,
                              const void *zre, const void *zim, const void *gre, const void *gim, void *dvre,
                              void *dvim, void *dpre, void *dpim, void *dzre, void *dzim) {
    cauchy_problem p = {count, poles, length, numerator_stride, node_stride, vre, vim, pre, pim, zre, zim};
    for (size_t m = 0; m < count;) {
        if (count - m >= NUMERATORS) {
            conjugated
                ? cauchy_gradient_group(true, NUMERATORS, &p, m, gre, gim, dvre, dvim, dpre, dpim, dzre, dzim)
                : cauchy_gradient_group(false, NUMERATORS, &p, m, gre, gim, dvre, dvim, dpre, dpim, dzre, dzim);
            m += NUMERATORS;
        } else {
            conjugated ? cauchy_gradient_group(true, 1, &p, m, gre, gim, dvre, dvim, dpre, dpim, dzre, dzim)
                       : cauchy_gradient_group(false, 1, &p, m, gre, gim, dvre, dvim, dpre, dpim, dzre, dzim);
            m++;
        }
    }
}
