// Elementary functions on vectors. Each reduces its argument to a small interval, evaluates a polynomial there
// (near-minimax, interpolated at Chebyshev points), and undoes the reduction. Errors stay within a few units in the
// last place over the whole range; infinities, NaN, overflow and gradual underflow follow the C library.
//
// Polynomials, lowest power first:
//   exp_terms    (e^r - 1 - r) / r^2                     |r| <= ln(2) / 2
//   log_terms    (2 atanh(s) - 2 s) / s^3  in s^2        |s| <= (sqrt 2 - 1) / (sqrt 2 + 1)
//   unit_log_terms (2 atanh(s) - 2 s) / s^3 in s^2       |s| <= 1 / 3
//   sin_terms    (sin r - r) / r^3         in r^2        |r| <= pi / 4
//   cos_terms    (cos r - 1 + r^2/2) / r^4 in r^2        |r| <= pi / 4
//   erf_terms    erf(x) / x                in x^2        |x| <= 0.9
//   tail_terms   (1 + a) Phi(-a) e^(a^2/2) in (a-4)/(a+4)  a >= 0
#if RK_FLOAT
#define LN2_HIGH 0.693359375f  // few bits, so that n * LN2_HIGH is exact
#define LN2_LOW -2.12194440054690583e-4f
#define EXP_LOWEST -104  // e^x is 0 below and infinite above
#define EXP_HIGHEST 89
#define EXPM1_LOWEST -20  // e^x - 1 rounds to -1 below
#define TAIL_END 15  // Phi(-a) is 0 beyond
static const T exp_terms[] = {
    0.5000000000, 0.1666657679, 0.04166655437, 8.363212140e-3, 1.392622492e-3,
};
static const T log_terms[] = {
    0.6666666655, 0.4000012200, 0.2855080255, 0.2333096405,
};
static const T unit_log_terms[] = {
    0.6666666732, 0.3999970633, 0.2859235799, 0.2170657580, 0.2322432922,
};
static const T sin_terms[] = {
    -0.1666666466, 8.332748154e-3, -1.958786570e-4,
};
static const T cos_terms[] = {
    0.04166666466, -1.388830292e-3, 2.454791685e-5,
};
static const T erf_terms[] = {
    1.128379155, -0.3761252880, 0.1128219409, -0.02678071913, 5.014484151e-3, -6.102687037e-4,
};
static const T tail_terms[] = {
    0.4720532064, -0.09670346798, 0.01399963659, 0.02860003280, -0.03219781535, 0.01793944948, -5.002140853e-3,
    -2.999187613e-4, 6.908448556e-4, -6.673718492e-5, -7.437454417e-5,
};
#else
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 1.90821492927058770002e-10
#define EXP_LOWEST -746
#define EXP_HIGHEST 710
#define EXPM1_LOWEST -40
#define TAIL_END 40
static const T exp_terms[] = {
    0.500000000000000103, 0.166666666666666675, 0.0416666666666239392, 8.33333333333004732e-3,
    1.38888889173079164e-3, 1.98412698631260578e-4, 2.48015211496656766e-5, 2.75572683474991374e-6,
    2.76201579902511628e-7, 2.51004389762371802e-8,
};
static const T log_terms[] = {
    0.666666666666666970, 0.399999999998992390, 0.285714286260958915, 0.222222111151441615,
    0.181828905566956035, 0.153316740301678619, 0.146170375487916501,
};
static const T unit_log_terms[] = {
    0.666666666666666667, 0.400000000000000155, 0.285714285714219433, 0.222222222233319868, 0.181818180860056555,
    0.153846202538041624, 0.133331769491381785, 0.117679977672410362, 0.104803992343652741, 0.0994202489655473463,
    0.0633411085177024540, 0.152312626194289848,
};
static const T sin_terms[] = {
    -0.166666666666666646, 8.33333333333094729e-3, -1.98412698367567725e-4, 2.75573161016178744e-6,
    -2.50511316502351815e-8, 1.59181152632659752e-10,
};
static const T cos_terms[] = {
    0.0416666666666666654, -1.38888888888873965e-3, 2.48015872987645608e-5, -2.75573172711451460e-7,
    2.08761461465586116e-9, -1.13826236474746046e-11,
};
static const T erf_terms[] = {
    1.12837916709551257, -0.376126389031837299, 0.112837916709537939, -0.0268661706448237307,
    5.22397762177037237e-3, -8.54832676446654225e-4, 1.20553213824811216e-4, -1.49253075355085904e-5,
    1.64553287479380956e-6, -1.62765267225862065e-7, 1.40514827669899126e-8, -8.49399879708094358e-10,
};
static const T tail_terms[] = {
    0.472053206509844669, -0.0967034773265253785, 0.0139996347244294837, 0.0286003640535055380,
    -0.0321978374283132349, 0.0179360974810632756, -5.00237858598742119e-3, -2.85623117267432076e-4,
    6.94897045893320367e-4, -9.44301093230051760e-5, -8.78527810042364264e-5, 2.12494167098210071e-5,
    1.36251287020853190e-5, -3.43055394449451682e-6, -2.60803919956565825e-6, 4.02096637961751954e-7,
    5.43210082761257744e-7, 2.80555968269566957e-9, -1.01111297556712425e-7, -1.88813772570316319e-8,
    1.13406499961267889e-8, 4.34720232498150798e-9, 1.98440723056216011e-10,
};
#endif

#define v_polynomial(terms, x) v_horner(terms, (int)(sizeof(terms) / sizeof(T)), x)
RK_INLINE V v_horner(const T *terms, int count, V x) {
    V sum = terms[count - 1];
    for (int i = count - 2; i >= 0; i--) sum = v_fma(sum, x, v_set(terms[i]));
    return sum;
}

// --- exponentials -------------------------------------------------------------------------------

/// x = n ln 2 + r: returns r, |r| <= ln(2) / 2.
RK_INLINE V v_reduce_exponential(V x, V *n) {
    *n = v_round(x * (T)1.44269504088896340736);
    return v_fma(*n, v_set(-(T)LN2_LOW), v_fma(*n, v_set(-(T)LN2_HIGH), x));
}

RK_INLINE V v_exp(V x) {
    x = v_min(v_set(EXP_HIGHEST), v_max(v_set(EXP_LOWEST), x));
    V n, r = v_reduce_exponential(x, &n);
    return v_scale_binary(v_fma(r * r, v_polynomial(exp_terms, r), r) + 1, n);
}

/// e^x - 1, accurate near 0.
RK_INLINE V v_expm1(V x) {
    V n, r = v_reduce_exponential(v_min(v_set(EXP_HIGHEST), v_max(v_set(EXPM1_LOWEST), x)), &n);
    V p = v_fma(r * r, v_polynomial(exp_terms, r), r);
    return v_copysign(v_scale_binary(p + (1 - v_scale_binary(v_set(1), -n)), n), x);
}

/// 1 / (1 + e^-x), with relative accuracy in the lower tail.
RK_INLINE V v_sigmoid(V x) {
    V e = v_exp(-v_abs(x)), r = 1 / (1 + e);
    return x < 0 ? e * r : r;
}

RK_INLINE V v_tanh(V x) {
    V t = v_expm1(-2 * v_abs(x));
    return v_copysign(t / (2 + t), x);
}

// --- logarithms ---------------------------------------------------------------------------------

/// log of a positive finite x.
RK_INLINE V v_log_finite(V x) {
    const T smallest_normal = (T)(RK_FLOAT ? 0x1p-126 : 0x1p-1022), up = (T)((TU)1 << (MANTISSA_BITS + 1));
    I subnormal = x < smallest_normal;
    x = subnormal ? x * up : x;
    const I root_half = (I)v_set((T)0.70710678118654752440);  // x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
    I shifted = (I)x - root_half;
    V e = v_from_integer((shifted >> MANTISSA_BITS) - (subnormal & (MANTISSA_BITS + 1)));
    V f = (V)((shifted & (((TI)1 << MANTISSA_BITS) - 1)) + root_half) - 1;
    V s = f / (2 + f), z = s * s, half_square = (T)0.5 * f * f;
    V correction = s * v_fma(z, v_polynomial(log_terms, z), half_square);
    return v_fma(e, v_set((T)LN2_HIGH), f - (half_square - v_fma(e, v_set((T)LN2_LOW), correction)));
}

RK_INLINE V v_log(V x) {
    V special = x == 0 ? v_set(-(T)INFINITY) : x < 0 ? v_set((T)NAN) : x;
    return ((x > 0) & (x < (T)INFINITY)) ? v_log_finite(x) : special;
}

/// log(1 + x), accurate near 0: the rounding error of u = 1 + x enters as error / u.
RK_INLINE V v_log1p(V x) {
    V u = 1 + x, back = u - 1, error = (1 - (u - back)) + (x - back);
    V finite = u == 1 ? x : v_log_finite(u) + error / u;
    V special = x == -1 ? v_set(-(T)INFINITY) : x < -1 ? v_set((T)NAN) : x;
    return ((x > -1) & (x < (T)INFINITY)) ? finite : special;
}

/// log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|. As 0 <= e <= 1, log(1 + e) = 2 atanh(e / (2 + e)) at once.
RK_INLINE V v_softplus(V x) {
    V e = v_exp(-v_abs(x)), s = e / (2 + e), z = s * s;
    return v_fma(s * z, v_polynomial(unit_log_terms, z), 2 * s) + v_max(v_set(0), x);
}
RK_INLINE V v_log_sigmoid(V x) { return -v_softplus(-x); }

// --- the normal distribution and the error function -----------------------------------------------

/// Phi(-a) for a >= 0 with relative accuracy, and e^(-a^2/2). The square's rounding error is put back: it would
/// cost a^2/2 units otherwise.
RK_INLINE V v_normal_tail(V a, V *gaussian) {
    a = v_min(v_set(TAIL_END), a);
    V square = a * a, e = v_exp((T)-0.5 * square);
    *gaussian = v_fma((T)-0.5 * v_square_error(a, square), e, e);
    V q = 1 / ((a + 4) * (a + 1));
    return *gaussian * (v_polynomial(tail_terms, (a - 4) * (a + 1) * q) * ((a + 4) * q));
}

/// Phi(x), and e^(-x^2/2).
RK_INLINE V v_normal_cumulative(V x, V *gaussian) {
    V tail = v_normal_tail(v_abs(x), gaussian);
    return x > 0 ? 1 - tail : tail;
}

RK_INLINE V v_erf(V x) {
    V magnitude = v_abs(x), gaussian, small = magnitude * v_polynomial(erf_terms, x * x);
    V large = 1 - 2 * v_normal_tail(magnitude * (T)1.41421356237309504880, &gaussian);
    return v_copysign(magnitude < (T)0.9 ? small : large, x);
}

// --- sine and cosine ----------------------------------------------------------------------------

/// x = n pi/2 + r for |x| <= TRIGONOMETRIC_LIMIT: returns r, |r| <= pi/4, and n modulo 4.
RK_INLINE V v_reduce_quarter(V x, I *quarter) {
    typedef double D __attribute__((ext_vector_type(LANES)));
    typedef int64_t L __attribute__((ext_vector_type(LANES)));
    const double magic = 0x1.8p52, first = 1.57079632673412561417, second = 6.07710050630396597660e-11,
                 third = 2.02226624879595063154e-21;  // pi/2 in pieces of 33, 33 and 53 bits
    D wide = __builtin_convertvector(x, D), biased = wide * 0.63661977236758134308 + magic, n = biased - magic;
    *quarter = __builtin_convertvector((L)biased, I) & 3;
    return __builtin_convertvector(((wide - n * first) - n * second) - n * third, V);
}

#define TRIGONOMETRIC_LIMIT ((T)1e5)

/// The sine of r + quarter * pi/2, |r| <= pi/4.
RK_INLINE V v_sine_reduced(V r, I quarter) {
    V z = r * r;
    V sine = v_fma(r * z, v_polynomial(sin_terms, z), r);
    V cosine = v_fma(z * z, v_polynomial(cos_terms, z), 1 - (T)0.5 * z);
    V magnitude = (quarter & 1) != 0 ? cosine : sine;
    return (V)((I)magnitude ^ ((quarter & 2) << (sizeof(T) * 8 - 2)));
}

/// The sine of x + shift * pi/2.
RK_INLINE V v_sine_shifted(V x, int shift) {
    I quarter;
    V r = v_reduce_quarter(x, &quarter);
    return v_sine_reduced(r, quarter + shift);
}

/// The sine and cosine of x whole turns, 0 <= x <= 1. The reduction is exact.
RK_INLINE V v_sine_turn(V x, V *cosine) {
    V n = v_round(4 * x), r = (4 * x - n) * (T)1.57079632679489661923;
    I quarter = v_to_integer(n);
    *cosine = v_sine_reduced(r, quarter + 1);
    return v_sine_reduced(r, quarter);
}

RK_INLINE V v_sin(V x) {
    V y = v_sine_shifted(x, 0);
    I far = !(v_abs(x) <= TRIGONOMETRIC_LIMIT);
    if (__builtin_expect(v_any(far), 0))
        for (int i = 0; i < LANES; i++)
            if (far[i]) y[i] = (T)sin(x[i]);
    return x == 0 ? x : y;
}

RK_INLINE V v_cos(V x) {
    V y = v_sine_shifted(x, 1);
    I far = !(v_abs(x) <= TRIGONOMETRIC_LIMIT);
    if (__builtin_expect(v_any(far), 0))
        for (int i = 0; i < LANES; i++)
            if (far[i]) y[i] = (T)cos(x[i]);
    return y;
}
