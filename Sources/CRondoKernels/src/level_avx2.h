// AVX2 with FMA. The target attribute replaces compiler flags; system headers must come before it.
#if defined(__x86_64__)
#include "kernels.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>
#define RK_VECTOR_BYTES 32
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi2"))), apply_to = function)
#include "kernels.inc.h"
#pragma clang attribute pop
#endif
