// Sequence kernels for AVX2, see level_avx2.h.
#if defined(__x86_64__)
#include "sequence.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>
#define RK_VECTOR_BYTES 32
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi2"))), apply_to = function)
#include "sequence.inc.h"
#pragma clang attribute pop
#endif
