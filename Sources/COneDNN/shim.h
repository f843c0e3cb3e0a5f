#ifndef RONDO_ONEDNN_SHIM_H
#define RONDO_ONEDNN_SHIM_H

#include <dlfcn.h>
#include <dnnl.h>
#include <signal.h>

/// Keeps signal handlers off this thread, and returns what was blocked before.
///
/// The generated code of dnnl_sgemm (seen with 2.6) keeps data far below the stack pointer. A handler that runs on the
/// same stack overwrites it; the product is then wrong and the heap corrupt. Signals that report a fault of the thread
/// itself stay open.
static inline sigset_t rondo_block_signals(void) {
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGTRAP);
    sigdelset(&blocked, SIGABRT);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    return before;
}

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
    sigset_t before = rondo_block_signals();
    int status = dnnl_sgemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

#endif
