// Convolution rings of real sequences, side by side in the lanes of vectors.
//
// A real sequence x of up to n elements is taken as a polynomial modulo X^n - i. The product of two such polynomials
// has fewer than 2 n coefficients, and X^n = i puts the first n into the real part and the others into the imaginary
// part: the linear convolution of n real elements costs complex transforms of n points, without zeros to pad. With
// X = w Y, w = e^(i pi / 2n), the ring is that of Y^n - 1, whose product is the pointwise one of discrete Fourier
// transforms: the spectrum of x is the transform of w^t x[t]. (The right-angle convolution; see R. Crandall and
// C. Pomerance, Prime Numbers, section 9.5.)
//
// A point is a vector of real parts followed by one of imaginary parts; the lanes are independent sequences, so that
// a transform needs no shuffles and its constants are broadcast. The forward transform decimates in frequency in place
// and leaves its results in an order of its own; the inverse undoes the same steps backwards, and products do not
// care. Passes go depth first, so that all but the first few work in the caches nearest to the core.
#include <pthread.h>
#include <stdlib.h>

enum {
    POINT = 2 * LANES,  // elements of a point
    FIRST_RADIX = 8,
    MOST_PASSES = 24,
    FOURIER_AHEAD = 16,  // rows of the caller's that are fetched early: their strides defeat the hardware's guesses
    DIRECT_TIME = 32,  // sequences up to here are convolved by definition
    NEAR_POINTS = 32768 / (POINT * (int)sizeof(T))  // fit into the nearest cache
};

/// How sequences of some length are transformed: one factor of the number of points a pass.
typedef struct fourier_plan {
    size_t points;
    int passes;
    int radix[MOST_PASSES];
    const T *twiddles[MOST_PASSES];  // per j < length / radix: e^(-2 pi i j k / length) for 1 <= k < radix
    const T *weights;                // w^t as pairs
    struct fourier_plan *next;
} fourier_plan;

// --- plans --------------------------------------------------------------------------------------

/// The smallest 2^a, 3 * 2^a or 5 * 2^a, a >= 3, that holds `time` elements.
static size_t fourier_points(size_t time) {
    size_t best = FIRST_RADIX;
    while (best < time) best *= 2;
    for (size_t odd = 3; odd <= 5; odd += 2) {
        size_t points = odd * FIRST_RADIX;
        while (points < time) points *= 2;
        if (points < best) best = points;
    }
    return best;
}

/// Eights first; what remains of the power of two; the odd factor last, where no twiddles are needed.
static void factorize(fourier_plan *plan) {
    size_t rest = plan->points;
    int odd = rest % 3 == 0 ? 3 : rest % 5 == 0 ? 5 : 1;
    rest /= (size_t)odd;
    while (rest > 1) {
        int radix = rest == 16 && plan->passes > 0 ? 4 : rest >= 8 ? 8 : (int)rest;
        plan->radix[plan->passes++] = radix;
        rest /= (size_t)radix;
    }
    if (odd > 1) plan->radix[plan->passes++] = odd;
}

static T *allocate_table(size_t elements) {
    T *table = malloc(elements * sizeof(T));
    if (!table) abort();
    return table;
}

/// The pair e^(2 pi i turn), computed in double precision.
static T *append_rotation(T *table, double turn) {
    const double pi = 3.14159265358979323846;
    *table++ = (T)cos(2 * pi * turn);
    *table++ = (T)sin(2 * pi * turn);
    return table;
}

static fourier_plan *make_plan(size_t points) {
    fourier_plan *plan = calloc(1, sizeof *plan);
    if (!plan) abort();
    plan->points = points;
    factorize(plan);
    size_t length = points;
    for (int pass = 0; pass < plan->passes; pass++) {
        size_t radix = (size_t)plan->radix[pass], step = length / radix;
        T *table = allocate_table(2 * (radix - 1) * step);
        plan->twiddles[pass] = table;
        for (size_t j = 0; j < step; j++)
            for (size_t k = 1; k < radix; k++) table = append_rotation(table, -(double)(j * k) / (double)length);
        length = step;
    }
    T *weights = allocate_table(2 * points);
    plan->weights = weights;
    for (size_t t = 0; t < points; t++) weights = append_rotation(weights, (double)t / (4 * (double)points));
    return plan;
}

/// The plan for sequences of `time` elements; made once and kept, as models use few lengths.
static const fourier_plan *plan_for(size_t time) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static fourier_plan *plans;
    size_t points = fourier_points(time);
    pthread_mutex_lock(&lock);
    fourier_plan *plan = plans;
    while (plan && plan->points != points) plan = plan->next;
    if (!plan) {
        plan = make_plan(points);
        plan->next = plans;
        plans = plan;
    }
    pthread_mutex_unlock(&lock);
    return plan;
}

// --- transforms of a few points in registers ------------------------------------------------------

#define FULLY_UNROLLED _Pragma("clang loop unroll(full)")

RK_INLINE void transform_2(V *re, V *im) {
    V r = re[0] - re[1], i = im[0] - im[1];
    re[0] += re[1];
    im[0] += im[1];
    re[1] = r;
    im[1] = i;
}

RK_INLINE void transform_3(V *re, V *im) {
    const T sine = (T)0.86602540378443864676;
    V sum_re = re[1] + re[2], sum_im = im[1] + im[2];
    V turned_re = sine * (im[1] - im[2]), turned_im = sine * (re[2] - re[1]);  // -i sine (z1 - z2)
    V middle_re = v_fma(sum_re, v_set((T)-0.5), re[0]), middle_im = v_fma(sum_im, v_set((T)-0.5), im[0]);
    re[0] += sum_re;
    im[0] += sum_im;
    re[1] = middle_re + turned_re;
    im[1] = middle_im + turned_im;
    re[2] = middle_re - turned_re;
    im[2] = middle_im - turned_im;
}

RK_INLINE void transform_4(V *re, V *im) {
    V even_re = re[0] + re[2], even_im = im[0] + im[2], odd_re = re[1] + re[3], odd_im = im[1] + im[3];
    V left_re = re[0] - re[2], left_im = im[0] - im[2], right_re = re[1] - re[3], right_im = im[1] - im[3];
    re[0] = even_re + odd_re;
    im[0] = even_im + odd_im;
    re[1] = left_re + right_im;  // left - i right
    im[1] = left_im - right_re;
    re[2] = even_re - odd_re;
    im[2] = even_im - odd_im;
    re[3] = left_re - right_im;
    im[3] = left_im + right_re;
}

RK_INLINE void transform_5(V *re, V *im) {
    const T c1 = (T)0.30901699437494742410, c2 = (T)-0.80901699437494742410;  // cos(2 pi / 5), cos(4 pi / 5)
    const T s1 = (T)0.95105651629515357212, s2 = (T)0.58778525229247312917;   // sin(2 pi / 5), sin(4 pi / 5)
    V outer_re = re[1] + re[4], outer_im = im[1] + im[4], inner_re = re[2] + re[3], inner_im = im[2] + im[3];
    V outer_dr = re[1] - re[4], outer_di = im[1] - im[4], inner_dr = re[2] - re[3], inner_di = im[2] - im[3];
    V near_re = v_fma(v_set(c1), outer_re, v_fma(v_set(c2), inner_re, re[0]));
    V near_im = v_fma(v_set(c1), outer_im, v_fma(v_set(c2), inner_im, im[0]));
    V far_re = v_fma(v_set(c2), outer_re, v_fma(v_set(c1), inner_re, re[0]));
    V far_im = v_fma(v_set(c2), outer_im, v_fma(v_set(c1), inner_im, im[0]));
    V near_tr = v_fma(v_set(s1), outer_di, s2 * inner_di), near_ti = -v_fma(v_set(s1), outer_dr, s2 * inner_dr);
    V far_tr = v_fma(v_set(s2), outer_di, -s1 * inner_di), far_ti = -v_fma(v_set(s2), outer_dr, -s1 * inner_dr);
    re[0] += outer_re + inner_re;
    im[0] += outer_im + inner_im;
    re[1] = near_re + near_tr;
    im[1] = near_im + near_ti;
    re[2] = far_re + far_tr;
    im[2] = far_im + far_ti;
    re[3] = far_re - far_tr;
    im[3] = far_im - far_ti;
    re[4] = near_re - near_tr;
    im[4] = near_im - near_ti;
}

RK_INLINE void transform_8(V *re, V *im) {
    const T half = (T)0.70710678118654752440;
    V even_re[4] = {re[0], re[2], re[4], re[6]}, even_im[4] = {im[0], im[2], im[4], im[6]};
    V odd_re[4] = {re[1], re[3], re[5], re[7]}, odd_im[4] = {im[1], im[3], im[5], im[7]};
    transform_4(even_re, even_im);
    transform_4(odd_re, odd_im);
    // The odd ones times e^(-2 pi i k / 8).
    V turned_re[4] = {odd_re[0], half * (odd_re[1] + odd_im[1]), odd_im[2], half * (odd_im[3] - odd_re[3])};
    V turned_im[4] = {odd_im[0], half * (odd_im[1] - odd_re[1]), -odd_re[2], -half * (odd_im[3] + odd_re[3])};
    FULLY_UNROLLED for (int k = 0; k < 4; k++) {
        re[k] = even_re[k] + turned_re[k];
        im[k] = even_im[k] + turned_im[k];
        re[k + 4] = even_re[k] - turned_re[k];
        im[k + 4] = even_im[k] - turned_im[k];
    }
}

/// The forward transform of `radix` points; with re and im exchanged, the inverse without its factor.
RK_INLINE void fourier_transform(int radix, V *re, V *im) {
    if (radix == 2) transform_2(re, im);
    if (radix == 3) transform_3(re, im);
    if (radix == 4) transform_4(re, im);
    if (radix == 5) transform_5(re, im);
    if (radix == 8) transform_8(re, im);
}

/// Times cosine + i sine.
RK_INLINE void rotate_by(V *re, V *im, T cosine, T sine) {
    V r = v_fma(*re, v_set(cosine), -sine * *im);
    *im = v_fma(*re, v_set(sine), cosine * *im);
    *re = r;
}

/// Points 1 and on times their twiddles, or the conjugates.
RK_INLINE void rotate_all(int radix, bool inverse, V *re, V *im, const T *twiddle) {
    FULLY_UNROLLED for (int k = 1; k < radix; k++) {
        T cosine = twiddle[2 * k - 2], sine = twiddle[2 * k - 1];
        rotate_by(re + k, im + k, cosine, inverse ? -sine : sine);
    }
}

RK_INLINE void load_radix(int radix, const T *data, size_t step, V *re, V *im) {
    FULLY_UNROLLED for (int k = 0; k < radix; k++) {
        re[k] = v_load(data + (size_t)k * step * POINT);
        im[k] = v_load(data + (size_t)k * step * POINT + LANES);
    }
}

RK_INLINE void store_radix(int radix, T *data, size_t step, const V *re, const V *im) {
    FULLY_UNROLLED for (int k = 0; k < radix; k++) {
        v_store(data + (size_t)k * step * POINT, re[k]);
        v_store(data + (size_t)k * step * POINT + LANES, im[k]);
    }
}

// --- passes -------------------------------------------------------------------------------------

/// One pass over neighbouring blocks of radix * step points; step 1 needs no twiddles.
RK_INLINE void fourier_pass_of(int radix, bool twiddled, bool inverse, size_t blocks, size_t step, const T *twiddles,
                               T *data) {
    for (size_t block = 0; block < blocks; block++, data += (size_t)radix * step * POINT)
        for (size_t j = 0; j < step; j++) {
            const T *twiddle = twiddles + 2 * (size_t)(radix - 1) * j;
            V re[8], im[8];
            load_radix(radix, data + j * POINT, step, re, im);
            if (inverse) {
                if (twiddled) rotate_all(radix, true, re, im, twiddle);
                fourier_transform(radix, im, re);
            } else {
                fourier_transform(radix, re, im);
                if (twiddled) rotate_all(radix, false, re, im, twiddle);
            }
            store_radix(radix, data + j * POINT, step, re, im);
        }
}

RK_INLINE void fourier_pass(bool inverse, int radix, size_t blocks, size_t step, const T *twiddles, T *data) {
    if (step == 1) {
        if (radix == 2) fourier_pass_of(2, false, inverse, blocks, 1, twiddles, data);
        if (radix == 3) fourier_pass_of(3, false, inverse, blocks, 1, twiddles, data);
        if (radix == 4) fourier_pass_of(4, false, inverse, blocks, 1, twiddles, data);
        if (radix == 5) fourier_pass_of(5, false, inverse, blocks, 1, twiddles, data);
        if (radix == 8) fourier_pass_of(8, false, inverse, blocks, 1, twiddles, data);
    } else {
        if (radix == 2) fourier_pass_of(2, true, inverse, blocks, step, twiddles, data);
        if (radix == 4) fourier_pass_of(4, true, inverse, blocks, step, twiddles, data);
        if (radix == 8) fourier_pass_of(8, true, inverse, blocks, step, twiddles, data);
    }
}

/// Passes `first` and on over one block of `length` points: depth first while it is large, then breadth first.
static void forward_passes(const fourier_plan *plan, int first, size_t length, T *data) {
    size_t blocks = 1;
    for (int at = first; at < plan->passes; at++) {
        size_t radix = (size_t)plan->radix[at], step = length / radix;
        fourier_pass(false, (int)radix, blocks, step, plan->twiddles[at], data);
        if (length > NEAR_POINTS) {
            for (size_t part = 0; part < radix; part++)
                forward_passes(plan, at + 1, step, data + part * step * POINT);
            return;
        }
        blocks *= radix;
        length = step;
    }
}

/// Undoes `forward_passes`, but for the factor `length`.
static void inverse_passes(const fourier_plan *plan, int first, size_t length, T *data) {
    if (first == plan->passes) return;
    size_t radix = (size_t)plan->radix[first], step = length / radix;
    if (length > NEAR_POINTS) {
        for (size_t part = 0; part < radix; part++)
            inverse_passes(plan, first + 1, step, data + part * step * POINT);
        fourier_pass(true, (int)radix, 1, step, plan->twiddles[first], data);
        return;
    }
    size_t inner = 1;
    for (int at = plan->passes - 1; at >= first; at--) {
        size_t outer = inner * (size_t)plan->radix[at];
        fourier_pass(true, plan->radix[at], length / outer, inner, plan->twiddles[at], data);
        inner = outer;
    }
}

/// The weights and the first pass, for real rows x[t * stride], t < time, of which `count` lanes are there.
RK_INLINE void ring_enter_lanes(const fourier_plan *plan, const T *x, size_t stride, size_t time, size_t count,
                                T *data) {
    size_t step = plan->points / FIRST_RADIX;
    const T *weights = plan->weights;
    for (size_t j = 0; j < step; j++) {
        V re[FIRST_RADIX], im[FIRST_RADIX];
        FULLY_UNROLLED for (size_t k = 0; k < FIRST_RADIX; k++) {
            size_t t = j + k * step;
            prefetch_next(x, (t + FOURIER_AHEAD) * stride);
            V value = t < time ? v_load_up_to(x + t * stride, count) : v_set(0);
            re[k] = value * weights[2 * t];
            im[k] = value * weights[2 * t + 1];
        }
        fourier_transform(FIRST_RADIX, re, im);
        rotate_all(FIRST_RADIX, false, re, im, plan->twiddles[0] + 2 * (FIRST_RADIX - 1) * j);
        store_radix(FIRST_RADIX, data + j * POINT, step, re, im);
    }
}

static void ring_enter(const fourier_plan *plan, const T *x, size_t stride, size_t time, size_t count, T *data) {
    if (count >= LANES)
        ring_enter_lanes(plan, x, stride, time, LANES, data);
    else
        ring_enter_lanes(plan, x, stride, time, count, data);
}

/// Undoes `ring_enter`: the real part's first `time` elements.
RK_INLINE void ring_leave_lanes(const fourier_plan *plan, const T *data, T *x, size_t stride, size_t time,
                                size_t count) {
    size_t step = plan->points / FIRST_RADIX;
    const T *weights = plan->weights, scale = 1 / (T)plan->points;
    for (size_t j = 0; j < step; j++) {
        V re[FIRST_RADIX], im[FIRST_RADIX];
        load_radix(FIRST_RADIX, data + j * POINT, step, re, im);
        rotate_all(FIRST_RADIX, true, re, im, plan->twiddles[0] + 2 * (FIRST_RADIX - 1) * j);
        fourier_transform(FIRST_RADIX, im, re);
        FULLY_UNROLLED for (size_t k = 0; k < FIRST_RADIX; k++) {
            size_t t = j + k * step;
            V value = v_fma(re[k], v_set(weights[2 * t]), im[k] * weights[2 * t + 1]);
            prefetch_next(x, (t + FOURIER_AHEAD) * stride);
            if (t < time) v_store_up_to(x + t * stride, scale * value, count);
        }
    }
}

static void ring_leave(const fourier_plan *plan, const T *data, T *x, size_t stride, size_t time, size_t count) {
    if (count >= LANES)
        ring_leave_lanes(plan, data, x, stride, time, LANES);
    else
        ring_leave_lanes(plan, data, x, stride, time, count);
}
