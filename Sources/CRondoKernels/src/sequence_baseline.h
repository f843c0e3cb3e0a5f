// Sequence kernels for the instruction set every CPU of the architecture has, see level_baseline.h.
#include "sequence.h"
#define RK_VECTOR_BYTES 16
#include "sequence.inc.h"
