// Eigen's header-only FFT module does the transforms; each thread keeps the tables of the lengths it has seen.
#include "rondo_fft.h"

#include <eigen3/unsupported/Eigen/FFT>

#include <complex>
#include <new>
#include <vector>

namespace {

template <typename Scalar>
struct Transform {
    Eigen::FFT<Scalar> fft{typename Eigen::FFT<Scalar>::impl_type(), typename Eigen::FFT<Scalar>::Flag(Eigen::FFT<Scalar>::HalfSpectrum)};
    std::vector<Scalar> values;
    std::vector<std::complex<Scalar>> spectrum;

    static Transform &ofThisThread() {
        thread_local Transform transform;
        return transform;
    }

    void forward(const Scalar *x, size_t count, size_t length, Scalar *real, Scalar *imaginary) {
        if (length == 1) {  // Eigen reads scratch memory here that it never made.
            real[0] = count > 0 ? x[0] : Scalar(0);
            imaginary[0] = Scalar(0);
            return;
        }
        values.assign(length, Scalar(0));
        std::copy(x, x + count, values.begin());
        spectrum.resize(length);
        fft.fwd(spectrum.data(), values.data(), static_cast<Eigen::Index>(length));
        for (size_t k = 0; k <= length / 2; ++k) {
            real[k] = spectrum[k].real();
            imaginary[k] = spectrum[k].imag();
        }
    }

    void inverse(const Scalar *real, const Scalar *imaginary, size_t length, Scalar *x) {
        if (length == 1) {
            x[0] = real[0];
            return;
        }
        spectrum.resize(length);
        for (size_t k = 0; k <= length / 2; ++k) {
            bool edge = k == 0 || 2 * k == length;
            spectrum[k] = {real[k], edge ? Scalar(0) : imaginary[k]};
            if (!edge) spectrum[length - k] = std::conj(spectrum[k]);
        }
        fft.inv(x, spectrum.data(), static_cast<Eigen::Index>(length));
    }
};

template <typename Body>
bool guarded(Body body) {
    try {
        body();
        return true;
    } catch (const std::bad_alloc &) {
        return false;
    }
}

}  // namespace

bool rondo_fft_real(bool wide, const void *x, size_t count, size_t length, void *real, void *imaginary) {
    return guarded([&] {
        if (wide) {
            Transform<double>::ofThisThread().forward(static_cast<const double *>(x), count, length,
                                                      static_cast<double *>(real), static_cast<double *>(imaginary));
        } else {
            Transform<float>::ofThisThread().forward(static_cast<const float *>(x), count, length,
                                                     static_cast<float *>(real), static_cast<float *>(imaginary));
        }
    });
}

bool rondo_fft_real_inverse(bool wide, const void *real, const void *imaginary, size_t length, void *x) {
    return guarded([&] {
        if (wide) {
            Transform<double>::ofThisThread().inverse(static_cast<const double *>(real),
                                                      static_cast<const double *>(imaginary), length,
                                                      static_cast<double *>(x));
        } else {
            Transform<float>::ofThisThread().inverse(static_cast<const float *>(real),
                                                     static_cast<const float *>(imaginary), length,
                                                     static_cast<float *>(x));
        }
    });
}
