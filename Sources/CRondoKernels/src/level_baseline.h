// The instruction set every CPU of the architecture has: SSE2 or NEON.
#include "kernels.h"
#define RK_VECTOR_BYTES 16
#include "kernels.inc.h"
