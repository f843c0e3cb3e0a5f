// The instruction set every CPU of the architecture has: SSE2 or NEON.
#include "kernels.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#endif
#define RK_VECTOR_BYTES 16
#include "kernels.inc.h"
