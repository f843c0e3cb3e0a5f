#ifndef RONDO_ONEDNN_SHIM_H
#define RONDO_ONEDNN_SHIM_H

#include <dlfcn.h>
#include <dnnl.h>

/// dnnl_sgemm on the calling thread alone: the work is cut by the caller's own pool, and an OpenMP team would fight
/// with it. The thread count of OpenMP holds per calling thread, hence the thread-local flag.
static inline int rondo_onednn_sgemm(char transpose_a, char transpose_b, long m, long n, long k,
                                     float alpha, const float *a, long lda, const float *b, long ldb,
                                     float beta, float *c, long ldc) {
    static __thread int single_threaded;
    if (!single_threaded) {
        void (*set_threads)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads");
        if (set_threads) set_threads(1);
        single_threaded = 1;
    }
    return dnnl_sgemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

#endif
