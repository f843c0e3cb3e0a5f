// Kernels of diagonal state spaces: k[l] = 2 Re sum_n w[n] e^(l a[n]), complex w and a, for one channel.
//
// With l = i J + j, the powers split into e^(i J a) e^(j a), so that k, as a matrix [L / J, J], is the product of
//   X [L / J, 2 N] = (2 Re, -2 Im) of w e^(i J a)  and  Y [2 N, J] = (Re; Im) of e^(j a).
// Either factor is made by doubling: e^((s + j) a) = e^(s a) e^(j a) for j < s = 1, 2, 4, ... with e^(s a) from the C
// library. All is done in double precision, s a is exact, and a power is a product of at most 14 or so factors, so that
// rounding errors do not grow with l beyond those of the exponent itself.
//
// Gradients: with S0 = sum_l g[l] e^(l a) and S1 = sum_l l g[l] e^(l a),
//   dw = 2 (Re, -Im) of S0,  da = 2 (Re, -Im) of w S1;
// the inner sums over j are the products of g, as a matrix, with the powers and with j times the powers.

/// J: the power of two around the square root of the length, within bounds.
RK_INLINE size_t vandermonde_width(size_t length) {
    size_t width = 16;
    while (width * width < length && width < 256) width *= 2;
    return width;
}

/// re, im [count]: e^(j scale a), j < count.
static void exponential_powers(double are, double aim, double scale, size_t count, double *re, double *im) {
    re[0] = 1;
    im[0] = 0;
    for (size_t s = 1; s < count; s *= 2) {
        double step = scale * (double)s, size = exp(step * are);
        double fr = size * cos(step * aim), fi = size * sin(step * aim);
        size_t more = count - s < s ? count - s : s;
        for (size_t j = 0; j < more; j++) {
            re[s + j] = fr * re[j] - fi * im[j];
            im[s + j] = fr * im[j] + fi * re[j];
        }
    }
}

typedef struct {
    size_t poles, length, width, rows;
    double *coarse_re, *coarse_im;  // [poles, rows]: e^(i J a)
    T *left, *right;                // X [rows, 2 N]; Y [2 N, J] or, followed by j Y, [4 N, J]
    T *inner;                       // [rows, 4 N]
} vandermonde_space;

/// Lays out scratch memory and fills the powers; `factors` is 1, or 2 for j times the powers too.
static vandermonde_space vandermonde_prepare(size_t poles, size_t length, const T *are, const T *aim, size_t factors) {
    size_t width = vandermonde_width(length), rows = (length + width - 1) / width;
    size_t doubles = 2 * poles * rows + 2 * width, elements = (rows * 6 + width * 2 * factors) * poles;
    double *memory = rk_scratch(RK_SCRATCH_VANDERMONDE, doubles * sizeof(double) + elements * sizeof(T));
    T *after = (T *)(memory + doubles);
    vandermonde_space space = {poles, length, width, rows, memory, memory + poles * rows, after,
                               after + 6 * rows * poles, after + 2 * rows * poles};
    double *re = memory + 2 * poles * rows, *im = re + width;
    for (size_t n = 0; n < poles; n++) {
        exponential_powers((double)are[n], (double)aim[n], (double)width, rows, space.coarse_re + n * rows,
               space.coarse_im + n * rows);
        exponential_powers((double)are[n], (double)aim[n], 1, width, re, im);
        T *row = space.right + 2 * n * width, *scaled = row + 2 * poles * width;
        for (size_t j = 0; j < width; j++) {
            row[j] = (T)re[j];
            row[width + j] = (T)im[j];
            if (factors < 2) continue;
            scaled[j] = (T)((double)j * re[j]);
            scaled[width + j] = (T)((double)j * im[j]);
        }
    }
    return space;
}

static void k_vandermonde(size_t poles, size_t length, const void *wre, const void *wim, const void *are,
                          const void *aim, void *k) {
    vandermonde_space s = vandermonde_prepare(poles, length, are, aim, 1);
    for (size_t n = 0; n < poles; n++) {
        double re = 2 * (double)((const T *)wre)[n], im = 2 * (double)((const T *)wim)[n];
        for (size_t i = 0; i < s.rows; i++) {
            double pr = s.coarse_re[n * s.rows + i], pi = s.coarse_im[n * s.rows + i];
            s.left[i * 2 * poles + 2 * n] = (T)(re * pr - im * pi);
            s.left[i * 2 * poles + 2 * n + 1] = -(T)(re * pi + im * pr);
        }
    }
    size_t whole = length / s.width, rest = length % s.width;
    block_product(false, false, whole, s.width, 2 * poles, 1, s.left, 2 * poles, s.right, s.width, 0, k, s.width);
    block_product(false, false, rest > 0, rest, 2 * poles, 1, s.left + whole * 2 * poles, 2 * poles, s.right, s.width,
                  0, (T *)k + whole * s.width, s.width);
}

static void k_vandermonde_gradient(size_t poles, size_t length, const void *wre, const void *wim, const void *are,
                                   const void *aim, const void *g, void *dwre, void *dwim, void *dare, void *daim) {
    vandermonde_space s = vandermonde_prepare(poles, length, are, aim, 2);
    size_t whole = length / s.width, rest = length % s.width, columns = 4 * poles;
    block_product(false, true, whole, columns, s.width, 1, g, s.width, s.right, s.width, 0, s.inner, columns);
    block_product(false, true, rest > 0, columns, rest, 1, (const T *)g + whole * s.width, s.width, s.right, s.width, 0,
                  s.inner + whole * columns, columns);
    for (size_t n = 0; n < poles; n++) {
        double sum_re = 0, sum_im = 0, moment_re = 0, moment_im = 0;
        for (size_t i = 0; i < s.rows; i++) {
            const T *inner = s.inner + i * columns + 2 * n, *scaled = inner + 2 * poles;
            double start = (double)(i * s.width), pr = s.coarse_re[n * s.rows + i], pi = s.coarse_im[n * s.rows + i];
            double re = (double)inner[0], im = (double)inner[1];
            double first_re = (double)scaled[0] + start * re, first_im = (double)scaled[1] + start * im;
            sum_re += pr * re - pi * im;
            sum_im += pr * im + pi * re;
            moment_re += pr * first_re - pi * first_im;
            moment_im += pr * first_im + pi * first_re;
        }
        double re = (double)((const T *)wre)[n], im = (double)((const T *)wim)[n];
        ((T *)dwre)[n] = (T)(2 * sum_re);
        ((T *)dwim)[n] = (T)(-2 * sum_im);
        ((T *)dare)[n] = (T)(2 * (re * moment_re - im * moment_im));
        ((T *)daim)[n] = (T)(-2 * (re * moment_im + im * moment_re));
    }
}
